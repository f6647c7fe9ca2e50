"""What an exception of ours says, in English."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ukcloud_maintenance.exceptions import (
    ActionError,
    AlertsUnknown,
    CloudError,
    ConfigurationError,
    NotAllowed,
    Refused,
)
from ukcloud_maintenance.messages import english


@contextmanager
def raises(
    kind: type[
        ActionError | AlertsUnknown | CloudError | ConfigurationError | NotAllowed | Refused
    ],
    match: str,
) -> Iterator[pytest.ExceptionInfo]:
    """`pytest.raises`, with what the message says for its text."""
    with pytest.raises(kind) as caught:
        yield caught
    said = english(caught.value.said)
    assert re.search(match, said), said

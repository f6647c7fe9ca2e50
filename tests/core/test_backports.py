"""What stands in for the names of a newer Python behaves as they do."""

import json
import pickle
from datetime import timedelta

from ukcloud_maintenance.core.backports import UTC, StrEnum
from ukcloud_maintenance.core.steering import Verb


class Colour(StrEnum):
    RED = "red"


def test_a_member_is_its_text_however_it_is_written():
    assert str(Colour.RED) == f"{Colour.RED}" == "{}".format(Colour.RED) == "red"  # noqa: UP032
    assert f"{Colour.RED:>5}" == "  red"
    assert "%s" % Colour.RED == "red"  # noqa: UP031
    assert ", ".join([Colour.RED]) == "red"
    assert json.dumps({Colour.RED: Colour.RED}) == '{"red": "red"}'
    assert Colour.RED == "red"
    assert Colour("red") is Colour.RED
    assert {"red": 1}[Colour.RED] == 1
    assert pickle.loads(pickle.dumps(Verb.SKIP)) is Verb.SKIP


def test_utc_is_utc():
    assert UTC.utcoffset(None) == timedelta(0)
    assert str(UTC) == "UTC"

"""Who a run asks as."""

from .. import store
from ..core.actor import (
    RULE_ABORT,
    RULE_CANCEL,
    RULE_DRAIN,
    RULE_FORCE,
    RULE_RETURN,
    RULE_VIEW,
    Actor,
)
from ..store import Run

#: What whoever requests a run was checked for, and what it does for them. The two that interrupt
#: are asked for where the run's drains may time out; it asks for nothing else of the kind.
_MAY = frozenset({RULE_VIEW, RULE_DRAIN, RULE_CANCEL, RULE_RETURN, RULE_ABORT, RULE_FORCE})


def actor_of(run: Run) -> Actor:
    """The run, for whoever requested it."""
    return Actor(run.requested_by_id, store.name_of_run(run), may=lambda rule: rule in _MAY)

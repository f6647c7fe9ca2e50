"""What keeps a run from going on, by what it says. Pure."""

from collections.abc import Mapping
from datetime import datetime

from ..backports import StrEnum
from ..message import Message


class Hold(StrEnum):
    """Why no further host begins. That as many are out as may be is none: the run continues."""

    WINDOW = "window"  # none is open, or none for long enough
    APPROVAL = "approval"  # a person is to approve the next host
    GATE = "gate"  # hosts are down, instances in ERROR, alerts fire or cannot be asked
    ROOM = "room"  # instances of the next host find no other
    #: OpenStack or the worker fails, or no window is long enough: it does not go on by itself
    TROUBLE = "trouble"


_BY_CODE: Mapping[str, Hold] = {
    "run_waits_for_window": Hold.WINDOW,
    "run_no_window": Hold.WINDOW,
    "run_too_long_for_window": Hold.WINDOW,
    "run_fits_no_window": Hold.TROUBLE,
    "window_unknown_zone": Hold.WINDOW,
    "run_waits_for_approval": Hold.APPROVAL,
    "run_hosts_down": Hold.GATE,
    "run_instances_in_error": Hold.GATE,
    "alerts_firing": Hold.GATE,
    "alerts_unknown": Hold.GATE,
    "run_no_room": Hold.ROOM,
    "openstack_trouble": Hold.TROUBLE,
    "openstack_busy": Hold.TROUBLE,
    "worker_failed_on_run": Hold.TROUBLE,
}


def hold(said: Message | None) -> Hold | None:
    """What keeps a run from going on that says this; None: nothing does."""
    return _BY_CODE.get(said.code) if said is not None else None


def noted(
    before: Message | None, said: Message | None, now: datetime
) -> dict[str, datetime | None]:
    """What is to be kept of it when a run says something else than before: since when it is held
    for a reason of this kind. Nothing where that is the same one."""
    found = hold(said)
    if found is None:
        return {"held_since": None}
    return {} if found is hold(before) else {"held_since": now}

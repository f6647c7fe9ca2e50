"""One pass over one drain: facts, rows and the time into actions. No I/O, no clock.

:func:`decide` is asked once a pass. It looks at one drain, at its rows as the database has
them, and at what was observed of the cloud just before, and answers with the actions of this
pass, in order. Each is safe to repeat: it is applied only to a row that is still in the state
in which it was judged.
"""

from ..codes import (
    HELD,
    HOLDS,
    LATE_ERROR,
    LEFT_RECORD,
    SOURCE_DOWN,
    SOURCE_WAS_DOWN,
    UNCONFIRMED,
)
from .actions import (
    Abort,
    Action,
    ChangeDrain,
    ChangeRow,
    Confirm,
    Disable,
    Enable,
    Finish,
    ForceComplete,
    Join,
    MakeRequest,
    MarkDisabled,
    OpenMaintenance,
    Reset,
    Submit,
)
from .attempts import adopted_request, failed_attempt
from .inputs import Admission, DrainView, Limits, MaintenanceView, Observation, OtherRun, Row
from .looking import LATEST_LOOK, is_unchanged, leads_on, may_glance, pause_after
from .order import decide, places_wanted, words_wanted
from .pacing import probes, turn
from .requests import ASK_AGAIN_TIMES
from .waiting import is_due, is_held, is_looked_for, wants_a_look

__all__ = [
    "ASK_AGAIN_TIMES",
    "HELD",
    "HOLDS",
    "LATEST_LOOK",
    "LATE_ERROR",
    "LEFT_RECORD",
    "SOURCE_DOWN",
    "SOURCE_WAS_DOWN",
    "UNCONFIRMED",
    "Abort",
    "Action",
    "Admission",
    "ChangeDrain",
    "ChangeRow",
    "Confirm",
    "Disable",
    "DrainView",
    "Enable",
    "Finish",
    "ForceComplete",
    "Join",
    "Limits",
    "MaintenanceView",
    "MakeRequest",
    "MarkDisabled",
    "Observation",
    "OpenMaintenance",
    "OtherRun",
    "Reset",
    "Row",
    "Submit",
    "adopted_request",
    "decide",
    "failed_attempt",
    "is_due",
    "is_held",
    "is_looked_for",
    "is_unchanged",
    "leads_on",
    "may_glance",
    "pause_after",
    "places_wanted",
    "probes",
    "turn",
    "wants_a_look",
    "words_wanted",
]

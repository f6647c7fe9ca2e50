"""What a pass may answer: the actions, to be applied in their order."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..attempt import RequestView
from ..facts import Server, Service
from ..message import Message
from ..preflight.verdicts import Verdict
from ..states import DrainResult, DrainState, Method


@dataclass(frozen=True)
class OpenMaintenance:
    """Join or open the host's maintenance, recording the service as found."""

    service: Service


@dataclass(frozen=True)
class Disable:
    """Disable the compute service; the reason is recorded before Nova is asked."""

    service_id: str
    reason: str


@dataclass(frozen=True)
class MarkDisabled:
    """The service is disabled with the reason that we wrote."""


@dataclass(frozen=True)
class Join:
    """A server that has no row yet."""

    server: Server
    verdict: Verdict


@dataclass(frozen=True)
class ChangeRow:
    """Set fields of a row, `state` among them or not.

    :param fields: of the instance, or of its newest attempt
    :param kind: the event to record, or empty
    :param ask_why: add Nova's own words about the attempt that failed
    :param request: fields of what is requested for it and not carried out yet
    """

    row_id: int
    fields: Mapping[str, Any]
    kind: str = ""
    message: Message | None = None
    ask_why: bool = False
    request: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class MakeRequest:
    """The drain itself requests something of Nova for an instance."""

    row_id: int
    request: RequestView


@dataclass(frozen=True)
class Submit:
    """Ask Nova to migrate a server.

    :param method: live, or cold
    :param host: the destination, or None for the scheduler's choice
    :param status: the server's status now, which it must have again when it has arrived
    """

    row_id: int
    host: str | None
    status: str
    method: Method = Method.LIVE


@dataclass(frozen=True)
class Confirm:
    """Ask Nova to confirm a cold migration or resize: the disk and the allocation that the old
    host still holds are given up."""

    row_id: int


@dataclass(frozen=True)
class Abort:
    """Ask Nova to abort the migration, as was requested.

    :param request: the id of that request; None: it is made in this pass
    """

    row_id: int
    migration_id: int
    request: int | None = None


@dataclass(frozen=True)
class ForceComplete:
    """Ask Nova to pause the guest until the rest is copied, as was requested; see `Abort`."""

    row_id: int
    migration_id: int
    request: int | None = None


@dataclass(frozen=True)
class Reset:
    """Collect the evidence, and set the server to active if it is complete; see `Abort`."""

    row_id: int
    request: int | None = None


@dataclass(frozen=True)
class Enable:
    """Enable the compute service that we disabled; the maintenance is over with it."""

    service_id: str


@dataclass(frozen=True)
class ChangeDrain:
    """Set fields of the drain.

    :param expect: what else the decision stands on, beside the drain's state
    """

    fields: Mapping[str, Any]
    kind: str = ""
    message: Message | None = None
    expect: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Finish:
    """End the drain.

    :param ends_maintenance: the host's maintenance is over with it
    """

    state: DrainState
    result: DrainResult
    message: Message
    ends_maintenance: bool = False


Action = (
    OpenMaintenance
    | Disable
    | MarkDisabled
    | Join
    | ChangeRow
    | MakeRequest
    | Submit
    | Confirm
    | Abort
    | ForceComplete
    | Reset
    | Enable
    | ChangeDrain
    | Finish
)

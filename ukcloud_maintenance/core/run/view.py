"""What is known of a run and its hosts when it is decided what to do next: frozen values, read from
the database and from Nova."""

from dataclasses import dataclass, field
from datetime import datetime
from math import ceil

from ..message import Message
from ..states import DrainState, ReturnResult
from .domains import DomainKind, OutLimits, Place
from .states import (
    STAGES_IN_PROGRESS,
    ActionKind,
    ActionState,
    Approval,
    OnFailure,
    RunState,
    Stage,
)


@dataclass(frozen=True)
class Limits:
    """Bounds of what is waited for, in seconds, and of tries.

    :param safe_seconds: how long a drained host may take to be verified safe to power off
    :param back_seconds: how long a host may take to be up after its action
    :param no_reboot_seconds: how long after its action a reboot that was promised may stay unseen:
        Nova calls a service down after 60 s without a sign of life (service_down_time)
    :param remind_seconds: a person who has a host is reminded as often as this
    :param later_tries: how often an action may ask to be tried again later
    """

    safe_seconds: float = 900
    back_seconds: float = 1800
    no_reboot_seconds: float = 180
    remind_seconds: float = 3600
    later_tries: int = 20


@dataclass(frozen=True)
class ActionView:
    """The newest try of the action on a host.

    :param tries: since a person last had it tried again
    :param next_at: when it may be tried again, of one that asked for it
    :param is_idempotent: whether it may be run again where its end is not known
    """

    state: ActionState
    kind: ActionKind = ActionKind.HAND
    tries: int = 1
    started_at: datetime | None = None
    next_at: datetime | None = None
    reminded_at: datetime | None = None
    is_idempotent: bool = False
    message: Message | None = None


@dataclass(frozen=True)
class HostView:
    """One host of a run.

    :param key: of its row
    :param domains: what fails together with it: its zone, or the aggregates that count
    :param since: since when it is in its stage
    :param failed_in: the stage in which it failed
    :param is_unwanted: a person asked to leave it out
    :param is_approved: a person said that it may begin
    :param drain: the state of its drain, None where it has none
    :param drain_said: what the drain says of itself
    :param is_in_maintenance: its maintenance is open: it is, or may be, disabled by us
    :param is_returning: somebody asked for its return to service
    :param returned: how its return ended, None where it has not
    :param is_safe: verified safe to power off, as of now
    :param is_up: whether Nova sees its service up, None where that is not known
    :param up_since: since when it was seen up without a break, since its action
    :param objection: what the checks after the action found wrong; None: nothing, or not looked
    :param is_checked: those checks were made, and hold
    :param is_accepted: it failed, and a person went on without it
    :param back: the state of the run that brings its instances back, None where there is none
    """

    key: int
    host: str
    stage: Stage
    since: datetime
    domains: frozenset[str] = frozenset()
    failed_in: Stage | None = None
    is_unwanted: bool = False
    is_approved: bool = False
    drain: DrainState | None = None
    drain_said: Message | None = None
    is_in_maintenance: bool = False
    is_returning: bool = False
    returned: ReturnResult | None = None
    is_safe: bool = False
    action: ActionView | None = None
    is_up: bool | None = None
    up_since: datetime | None = None
    objection: Message | None = None
    is_checked: bool = False
    back: DrainState | None = None
    back_said: Message | None = None
    is_accepted: bool = False

    @property
    def is_in_progress(self) -> bool:
        return self.stage in STAGES_IN_PROGRESS


@dataclass(frozen=True)
class RunView:
    """A run.

    :param at_once: the most hosts that it is at work on
    :param domain: what a failure domain is
    :param per_domain: the most of them in one failure domain; 0: as many as at once, and then those
        of one failure domain are out at a time
    :param failures: how many hosts may fail before it stops, where it continues at all
    :param settle_seconds: how long a host must be up after its action before it is returned
    """

    state: RunState
    at_once: int = 1
    domain: DomainKind = DomainKind.ZONE
    per_domain: int = 0
    on_failure: OnFailure = OnFailure.STOP
    failures: int = 0
    approval: Approval = Approval.NONE
    bring_back: bool = False
    settle_seconds: float = 60
    limits: Limits = field(default_factory=Limits)

    def out_limits(self, domains: frozenset[str]) -> OutLimits:
        """:param domains: the failure domains of all its hosts"""
        kind = self.domain if domains else DomainKind.NONE
        each = self.per_domain or self.at_once
        # one, and more only where fewer of one may be out than may be out in all
        number = None if kind is DomainKind.NONE else ceil(self.at_once / each)
        return OutLimits(self.at_once, each, number, kind, domains)

    def place(self, host: HostView) -> Place:
        zone = next(iter(host.domains), "") if self.domain is DomainKind.ZONE else ""
        return Place(host.host, zone, host.domains)

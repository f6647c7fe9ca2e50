"""Whether a host is safe to power off, and since when."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from .. import settings, store
from ..core.actor import RULE_VIEW, Actor
from ..core.host import returning as h
from ..core.host.certificate import CHECK, SCOPE, Check, for_programs, from_json
from ..core.message import Message, holds, message
from ..core.shape import Shape, iso, keys
from ..messages import document, documents
from ..store import Drain, HostMaintenance
from .access import require

SCHEMA = "ukcloud_maintenance.certificate"
#: Raised where a key of :func:`document_of` changes its meaning or goes.
SCHEMA_VERSION = 1
MAINTENANCE = Shape(
    "The maintenance of a host",
    keys("id service_id", "its number, and the compute service"),
    keys(
        "found_status found_reason our_reason",
        "how the service was found, and the reason that the drain wrote; null: it wrote none",
    ),
    keys(
        "disabled_at opened_at returning_since", "its times, and what is said of it", said="message"
    ),
)
DRAIN = Shape(
    "A drain of a maintenance",
    keys("id state result", "its number, how far it is, and how it ended"),
    keys("reason requested_by", "why and by whom"),
    keys("created_at finished_at", "its times"),
)
CERTIFICATE = Shape(
    "A certificate",
    keys("schema", f"`{SCHEMA}`"),
    keys("schema_version", f"`{SCHEMA_VERSION}`"),
    keys("host region written_at", "which host, and as of when"),
    keys(
        "safe_to_power_off safe_since",
        "whether it is, since when without a break, and why not",
        said="why_not",
    ),
    keys(
        "verified_at valid_until",
        "when it was verified, and until when that is believed; null: never",
    ),
    keys("withdrawn_at", "when it last was no longer safe, and why", said="withdrawn_why"),
    keys("checks", "what the last verification found", each=CHECK),
    keys("", "what it is about, and what not", said="scope"),
    keys("maintenance", "its maintenance; null: the host is in none", one=MAINTENANCE),
    keys("drains", "those of this maintenance, the oldest first", each=DRAIN),
    elsewhere="**JSON** beside the certificate on a host's page",
)


def verified_after(now: datetime) -> datetime:
    """What was verified before is not called safe."""
    return now - timedelta(seconds=settings.current().certificate_seconds)


@dataclass(frozen=True)
class Certificate:
    """Whether a host is safe to power off, as of one moment, from the database alone.

    :param maintenance: the open one, or None where the host is not in maintenance
    :param checks: what the last verification found, in the order in which it is shown
    :param verified_at: when that verification began; None: there was none
    :param valid_until: after this it is too old to be believed
    :param safe: every check held, and the verification is new enough, and the host is neither
        drained nor returned meanwhile
    :param safe_since: since when every verification found it safe; None where it is not
    :param why_not: why it is not safe; None where it is
    :param open_drain: the drain in progress, or None
    :param drains: the drains of this maintenance, oldest first
    :param lasts_seconds: how long a verification is believed, and so how long the next one is
        worth waiting for
    """

    host: str
    region: str
    maintenance: HostMaintenance | None
    checks: tuple[Check, ...] = ()
    verified_at: datetime | None = None
    valid_until: datetime | None = None
    safe: bool = False
    safe_since: datetime | None = None
    withdrawn_at: datetime | None = None
    withdrawn_why: Message | None = None
    why_not: Message | None = None
    open_drain: Drain | None = None
    drains: tuple[Drain, ...] = ()
    now: datetime = field(default_factory=store.now)
    lasts_seconds: float = 0

    @property
    def stale(self) -> bool:
        """Whether the last verification is too old to be believed, or dated ahead of the clock."""
        if self.verified_at is None or self.valid_until is None:
            return False
        return not self.verified_at <= self.now <= self.valid_until

    @property
    def drain_ids(self) -> tuple[int, ...]:
        return tuple(drain.pk for drain in self.drains)


def certificate(actor: Actor, region: str, host: str) -> Certificate:
    """Whether exactly this host is safe to power off. OpenStack is not asked: the worker does
    that all the time."""
    require(actor, RULE_VIEW)
    maintenance = store.open_maintenance(region, host)
    open_drain = store.open_drain_of(region, host)
    now = store.now()  # after it is read: what was recorded meanwhile is not of the future
    if maintenance is None:
        return Certificate(
            host,
            region,
            None,
            why_not=message("not_in_maintenance"),
            open_drain=open_drain,
            now=now,
            lasts_seconds=settings.current().certificate_seconds,
        )
    verified_at = maintenance.verified_at
    lasts = timedelta(seconds=settings.current().certificate_seconds)
    checks = from_json(maintenance.checks)
    safe = open_drain is None and store.is_safe(maintenance, verified_after(now))
    return Certificate(
        host,
        region,
        maintenance,
        checks=tuple(checks),
        verified_at=verified_at,
        valid_until=verified_at + lasts if verified_at else None,
        safe=safe,
        safe_since=maintenance.safe_since if safe else None,
        withdrawn_at=maintenance.withdrawn_at,
        withdrawn_why=maintenance.withdrawn_why,
        why_not=None if safe else _why_not_safe(maintenance, open_drain, checks, now),
        open_drain=open_drain,
        drains=tuple(store.drains_in(maintenance)),
        now=now,
        lasts_seconds=lasts.total_seconds(),
    )


def _why_not_safe(
    maintenance: HostMaintenance, open_drain: Drain | None, checks: Iterable[Check], now: datetime
) -> Message | None:
    if maintenance.returning_since:
        return message("being_given_back")
    if open_drain:
        return message("being_drained", drain=open_drain.pk)
    if maintenance.verified_at is None:
        return message("not_verified_yet")
    if maintenance.verified_at > now:
        return message("verified_ahead", at=maintenance.verified_at)
    if maintenance.verified_at < verified_after(now):
        seconds = int((now - maintenance.verified_at).total_seconds())
        trouble = maintenance.message
        if holds(trouble, *h.TROUBLES):
            return message("verified_before_trouble", seconds=seconds, trouble=trouble)
        return message("verified_too_long_ago", seconds=seconds)
    return h.why_not_safe(checks, maintenance.withdrawn_why)


def document_of(actor: Actor, found: Certificate) -> dict[str, Any]:
    """The certificate for programs and for the files. Times are ISO 8601 in UTC; what is not
    known is null."""
    require(actor, RULE_VIEW)
    maintenance = found.maintenance
    return CERTIFICATE.made(
        schema=SCHEMA,
        schema_version=SCHEMA_VERSION,
        host=found.host,
        region=found.region,
        written_at=iso(found.now),
        safe_to_power_off=found.safe,
        **document("why_not", found.why_not, none=None),
        safe_since=iso(found.safe_since),
        verified_at=iso(found.verified_at),
        valid_until=iso(found.valid_until),
        withdrawn_at=iso(found.withdrawn_at),
        **document("withdrawn_why", found.withdrawn_why, none=None),
        checks=for_programs(found.checks, document, documents),
        **document("scope", SCOPE),
        maintenance=_maintenance_document(maintenance) if maintenance else None,
        drains=[
            DRAIN.made(
                id=drain.pk,
                state=drain.state,
                result=drain.result or None,
                reason=drain.reason,
                requested_by=drain.requested_by,
                created_at=iso(drain.created_at),
                finished_at=iso(drain.finished_at),
            )
            for drain in found.drains
        ],
    )


def _maintenance_document(maintenance: HostMaintenance) -> dict[str, Any]:
    return MAINTENANCE.made(
        id=maintenance.pk,
        service_id=maintenance.service_id,
        found_status=maintenance.found_status,
        found_reason=maintenance.found_reason or None,
        our_reason=maintenance.our_reason or None,
        disabled_at=iso(maintenance.disabled_at),
        opened_at=iso(maintenance.opened_at),
        returning_since=iso(maintenance.returning_since),
        **document("message", maintenance.message),
    )

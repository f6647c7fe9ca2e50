"""What the preflight of a host finds, for programs."""

from typing import Any

from ukcloud_maintenance.core.message import as_json
from ukcloud_maintenance.core.preflight.verdicts import Kind
from ukcloud_maintenance.core.shape import Shape, keys
from ukcloud_maintenance.exceptions import Refused
from ukcloud_maintenance.messages import document, documents, english, english_remedy
from ukcloud_maintenance.services import HostPreflight, Planned

from ._base import FAILURE
from ._plans import in_order

SAID = Shape(
    "A message",
    keys("code", "which it is, see [messages](messages.md)"),
    keys("values", "what it names", free=True),
)
COUNTS = Shape(
    "The number of instances by verdict",
    keys("live cold", "they leave so"),
    keys("confirm", "a resize of them is to be confirmed first"),
    keys("stays blocked", "they stay by somebody's choice, or cannot leave"),
)
DURATION = Shape(
    "The time that a drain takes",
    keys("seconds seconds_one_by_one", "as requested, and with one migration at a time"),
    keys("at_once", "how many migrations at a time are counted with"),
    keys("rate_bytes samples", "the rate of a second, and of how many earlier migrations it is"),
)
CAUTION = Shape(
    "A note on an instance",
    keys("code text", "what is to be noted"),
    keys("said", "the same as code and values", one=SAID),
)
UNPLACED = Shape(
    "An instance without a place",
    keys("nearest", "the host that lacks least; null: no host comes into question"),
    keys("missing", "what that host lacks, by resource class", free=True),
)
INSTANCE = Shape(
    "An instance in a preflight",
    keys("server_id server_name status", "which it is, and Nova's status of it"),
    keys("verdict code", "`live`, `cold`, `confirm`, `stays` or `blocked`, and why"),
    keys("reason remedy", "the same as text, and what can be done about it; empty: nothing to say"),
    keys("said", "the reason as code and values; null: there is none", one=SAID),
    keys("cautions", "what is to be noted", each=CAUTION),
    keys("memory_bytes local_disk_bytes", "its size"),
    keys("planned_host", "where it is expected to go; null: nowhere, or unknown"),
    keys("unplaced", "where no host has room for it; otherwise null", one=UNPLACED),
)
FILLED = Shape(
    "A host before and after",
    keys("host servers", "a destination, and the ids of the instances that it would get"),
    keys(
        "total used_before used_after",
        "its room, by resource class; after with what `kept_for` counts, too",
        free=True,
    ),
)
ESTIMATE = Shape(
    "An estimate",
    keys("fits proved", "whether all have room, and whether that is proved"),
    keys("full", "the hosts that get nothing"),
    keys(
        "kept_for",
        "for how many instances that other drains are still to migrate room is kept, by the host"
        " of their drain",
        free=True,
    ),
    keys("hosts", "the hosts that get something", each=FILLED),
)
PREFLIGHT = Shape(
    "A preflight",
    keys("host", "which host"),
    keys("refusal", "why it cannot be drained now; null: it can", one=FAILURE),
    keys("everything_leaves", "whether it becomes empty by itself"),
    keys("counts", "how many instances leave, and how", one=COUNTS),
    keys(
        "needed_memory_bytes free_memory_bytes",
        "what those that are migrated need, and what the receivers have; null: unknown",
    ),
    keys("receivers", "the hosts that may take instances"),
    keys("duration", "how long it takes; null: nothing is to be migrated", one=DURATION),
    keys(
        "unknown unknown_code unknown_values",
        "why something could not be read, by its name: `projects`, `groups`, `aggregates`,"
        " `capacity`, `pinned_zones`, `image_properties`; as text, code and values",
        free=True,
    ),
    keys("", "lists: what would give room where it is missing", said="relief"),
    keys("instances", "those that need a look come first", each=INSTANCE),
    keys("estimate", "where the instances go; null: unknown", one=ESTIMATE),
    about="Amounts by resource class are in Placement's units",
)


def plan_document(plan: HostPreflight) -> dict[str, Any]:
    """A plan for programs. What is not known is null; sizes are bytes, times are seconds, and
    amounts of resource classes are in Placement's units."""
    duration, packing = plan.duration, plan.packing
    return PREFLIGHT.made(
        host=plan.service.host,
        refusal=refusal_document(plan.refusal),
        everything_leaves=plan.everything_leaves,
        counts=COUNTS.made(**{kind.value: len(plan.of_kind(kind)) for kind in Kind}),
        needed_memory_bytes=plan.needed_memory_bytes,
        free_memory_bytes=plan.free_memory_bytes,
        receivers=[service.host for service in plan.receivers],
        duration=duration
        and DURATION.made(
            seconds=round(duration.seconds),
            seconds_one_by_one=round(duration.seconds_one_by_one),
            at_once=duration.at_once,
            rate_bytes=round(duration.rate),
            samples=duration.samples,
        ),
        **_unknown_document(plan),
        **documents("relief", plan.relief),
        instances=[_instance(planned) for planned in in_order(plan)],
        estimate=packing
        and ESTIMATE.made(
            fits=packing.fits,
            proved=packing.proved,
            full=plan.full,
            kept_for=dict(plan.kept_for),
            hosts=[
                FILLED.made(
                    host=fill.host,
                    servers=list(fill.servers),
                    total=dict(fill.total),
                    used_before=dict(fill.used_before),
                    used_after=dict(fill.used_after),
                )
                for fill in packing.hosts
            ],
        ),
    )


def _unknown_document(plan: HostPreflight) -> dict[str, dict[str, Any]]:
    """Why something could not be read, by its name."""
    stored = {part: as_json(why) for part, why in plan.unknown.items()}
    return {
        "unknown": {part: english(why) for part, why in plan.unknown.items()},
        "unknown_code": {part: one["code"] for part, one in stored.items()},
        "unknown_values": {part: one["values"] for part, one in stored.items()},
    }


def refusal_document(refusal: Refused | None) -> dict[str, Any] | None:
    """Why the host cannot be drained now; None where it can."""
    if refusal is None:
        return None
    short = {"message": english(refusal.said, remedy=False)}
    return FAILURE.made(
        code=refusal.code,
        **document("message", refusal.said) | short,
        remedy=english_remedy(refusal.said),
        drain_id=refusal.drain_id,
    )


def _instance(planned: Planned) -> dict[str, Any]:
    server, verdict, unplaced = planned.server, planned.verdict, planned.unplaced
    return INSTANCE.made(
        server_id=server.id,
        server_name=server.name,
        status=server.status,
        verdict=verdict.kind.value,
        code=verdict.code,
        reason=english(verdict.said, remedy=False),
        remedy=english_remedy(verdict.said),
        said=as_json(verdict.said) if verdict.said else None,
        cautions=[
            CAUTION.made(code=c.code, text=english(c.said), said=as_json(c.said))
            for c in verdict.cautions
        ],
        memory_bytes=server.memory_bytes,
        local_disk_bytes=server.local_disk_bytes,
        planned_host=planned.planned_host or None,
        unplaced=unplaced
        and UNPLACED.made(nearest=unplaced.nearest or None, missing=dict(unplaced.missing)),
    )

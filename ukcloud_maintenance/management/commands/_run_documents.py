"""What there is of rolling runs for programs besides the run itself."""

from typing import Any

from ukcloud_maintenance import services
from ukcloud_maintenance.core.run.states import OnFailure
from ukcloud_maintenance.core.shape import Shape, iso, keys
from ukcloud_maintenance.messages import document
from ukcloud_maintenance.services import RunPreview

from ._base import FAILURE
from ._preflights import PREFLIGHT, plan_document, refusal_document
from ._runs import is_clear

PREVIEW_HOST = Shape(
    "A host of a preview",
    keys("host zone domains", "which it is, and what fails together with it"),
    keys("instances memory_bytes", "how many instances it has, and their memory"),
    keys(
        "forecast_seconds forecast_begins_at forecast_ends_at",
        "how long it takes, and when it begins and ends; null: never",
    ),
    keys("refusal", "why it cannot be drained now; null: it can", one=FAILURE),
)
PREVIEW = Shape(
    "A preview of a run",
    keys("clear", "whether nothing stands against it"),
    keys("action", "the name of its action; null: by hand"),
    keys(
        "at_once domain per_domain order windows on_failure failures approval bring_back",
        "as for a run",
    ),
    keys(
        "moves moves_at_least moves_without_room",
        "how many moves it needs in this order, at least in any, and for how many there is no room",
    ),
    keys("forecast_ends_at", "when it ends; null: never"),
    keys("never_fit", "the hosts for which no window is long enough"),
    keys("", "what the fullest hosts lack; null: nothing", said="lacks"),
    keys("found_down", "the hosts that are down already"),
    keys("found_in_error", "the servers that are in ERROR already: names by id", free=True),
    keys("hosts", "its hosts, in their order", each=PREVIEW_HOST),
    keys("room", "the preflights of the fullest hosts that are out together", each=PREFLIGHT),
)
BRIEF = Shape(
    "A run of a list",
    keys("id region state", "which it is, how far it is, and what it waits for", said="message"),
    keys("action", "the name of its action; null: by hand"),
    keys("reason requested_by created_at finished_at", "why, by whom and when"),
)
OUTPUT = Shape(
    "The output of an action",
    keys("run_id host number", "of which run, host and try"),
    keys("name kind state", "what it is, how far it is, and what is said of it", said="message"),
    keys("started_at ended_at", "its times"),
    keys("output", "what it has written"),
)
WRITTEN = Shape(
    "The file of a run that was written",
    keys("run_id output", "of which run, and where it is"),
    keys("hosts events", "how many are in it"),
)


def preview_document(preview: RunPreview) -> dict[str, Any]:
    request, at = preview.request, preview.forecast.hosts
    return PREVIEW.made(
        clear=is_clear(preview),
        action=request.action or None,
        at_once=request.at_once,
        domain=request.domain,
        per_domain=request.per_domain,
        order=request.order,
        windows=list(request.windows),
        on_failure=request.on_failure,
        failures=request.failures if request.on_failure == OnFailure.SKIP else 0,
        approval=request.approval,
        bring_back=request.bring_back,
        moves=preview.rolling.moves,
        moves_at_least=preview.rolling.at_least,
        moves_without_room=preview.rolling.no_room,
        forecast_ends_at=iso(preview.forecast.ends),
        never_fit=list(preview.never_fit),
        **document("lacks", preview.lacks, none=None),
        found_down=list(preview.found_down),
        found_in_error=dict(preview.found_in_error),
        hosts=[
            PREVIEW_HOST.made(
                host=one.host,
                zone=one.service.zone,
                domains=list(one.domains),
                instances=len(one.servers),
                memory_bytes=one.memory_bytes,
                forecast_seconds=round(one.seconds),
                forecast_begins_at=iso(opening[0]) if opening else None,
                forecast_ends_at=iso(opening[1]) if opening else None,
                refusal=refusal_document(one.refusal),
            )
            for one, opening in zip(preview.hosts, at, strict=True)
        ],
        room=[plan_document(plan) for plan in preview.room],
    )


def brief_document(run: services.Run) -> dict[str, Any]:
    return BRIEF.made(
        id=run.pk,
        region=run.region,
        state=run.state,
        action=run.action or None,
        reason=run.reason,
        requested_by=run.requested_by,
        created_at=iso(run.created_at),
        finished_at=iso(run.finished_at),
        **document("message", run.message),
    )


def output_document(run_id: int, host: str, one: services.RunAction) -> dict[str, Any]:
    return OUTPUT.made(
        run_id=run_id,
        host=host,
        number=one.number,
        name=one.name or None,
        kind=one.kind,
        state=one.state,
        started_at=iso(one.started_at),
        ended_at=iso(one.ended_at),
        **document("message", one.message),
        output=one.output,
    )

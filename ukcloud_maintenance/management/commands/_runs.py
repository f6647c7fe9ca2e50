"""Rolling runs as they are shown in a shell: the preview, and how far a run is."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from ukcloud_maintenance import services
from ukcloud_maintenance.core.message import Message, message, text
from ukcloud_maintenance.core.printable import one_line
from ukcloud_maintenance.core.run.domains import DomainKind
from ukcloud_maintenance.core.run.order import Order
from ukcloud_maintenance.core.run.states import (
    STAGES_OVER,
    ActionKind,
    Approval,
    HostVerb,
    OnFailure,
    RunState,
    Stage,
)
from ukcloud_maintenance.messages import english, to_the_second
from ukcloud_maintenance.services import Run, RunAction, RunHost, RunPreview, RunReport

from ._documents import table
from ._plans import duration_text, plan_summary

ORDERS = {
    Order.BY_HAND: message("shell_order_by_hand"),
    Order.FEWEST: message("shell_order_fewest"),
    Order.FEW_MOVES: message("shell_order_few_moves"),
}
APPROVALS = {
    Approval.NONE: message("shell_approval_none"),
    Approval.FIRST: message("shell_approval_first"),
    Approval.EACH: message("shell_approval_each"),
}
#: How an action is called that a person does.
BY_HAND = message("shell_action_by_hand")


# -- the preview -----------------------------------------------------------------------------


def refused(preview: RunPreview) -> list[str]:
    """The hosts that cannot be drained now."""
    return [one.host for one in preview.hosts if one.refusal is not None]


def is_clear(preview: RunPreview) -> bool:
    """Whether nothing stands against the run, as of now."""
    return not (
        refused(preview)
        or preview.lacks
        or preview.never_fit
        or preview.rolling.no_room
        or not all(plan.everything_leaves for plan in preview.room)
    )


def preview_text(preview: RunPreview, columns: int | None = None) -> list[str]:
    """A preview for people, line by line.

    :param columns: see `table`
    """
    request, rolling = preview.request, preview.rolling
    pace = _pace(request.at_once, request.domain, request.per_domain, request.aggregates)
    hosts, order = message("n_hosts", count=len(preview.hosts)), ORDERS[Order(request.order)]
    lines = [
        english(message("shell_run_preview", hosts=hosts, order=order, pace=pace)),
        "",
        *table(
            ["HOST", "ZONE", "INSTANCES", "TAKES", "BEGINS", "ENDS", "AGAINST IT"],
            [
                (
                    one.host,
                    one.service.zone,
                    len(one.servers),
                    duration_text(one.seconds),
                    to_the_second(opening[0]) if opening else "never",
                    to_the_second(opening[1]) if opening else "never",
                    _against(one.refusal, is_long=one.host in preview.never_fit) or "-",
                )
                for one, opening in zip(preview.hosts, preview.forecast.hosts, strict=True)
            ],
            columns,
        ),
        "",
    ]
    said = [message("shell_moves", moves=rolling.moves, least=rolling.at_least)]
    if rolling.no_room:
        said.append(message("shell_no_room_then", n=rolling.no_room))
    windows = message("shell_windows_of_it", windows=_windows(request.windows))
    said += [*_room(preview), windows]
    said += [*_before(preview), _end(preview.forecast.ends)]
    if names := refused(preview):
        said.append(message("shell_run_refused", hosts=names))
    if preview.never_fit:
        said.append(message("shell_never_fits", hosts=preview.never_fit))
    return [*lines, *map(english, said)]


def _windows(windows: Sequence[str]) -> Sequence[str] | Message:
    return windows or message("shell_always_open")


def _against(refusal: Any, *, is_long: bool) -> str:
    said = [english(refusal.said)] if refusal is not None else []
    return " ".join([*said, *([english(message("shell_no_window"))] if is_long else [])])


def _room(preview: RunPreview) -> Iterator[Message]:
    names = [plan.service.host for plan in preview.room]
    if preview.lacks is not None:
        yield message("shell_room_lacks", hosts=names, why=preview.lacks)
    elif preview.room:
        yield message("shell_room_enough", hosts=names)
    for plan in preview.room:
        if not plan.everything_leaves:
            summary = plan_summary(plan, alone=False)
            yield message("shell_not_empty", host=plan.service.host, summary=summary)


def _before(preview: RunPreview) -> Iterator[Message]:
    if preview.found_down:
        yield message("shell_down_already", hosts=preview.found_down)
    if preview.found_in_error:
        names = sorted(preview.found_in_error.values())
        yield message("shell_in_error_already", names=names)


def _end(ends: datetime | None) -> Message:
    return message("shell_ends", at=ends) if ends else message("shell_end_unknown")


def _pace(at_once: int, domain: str, per_domain: int, aggregates: Any = ()) -> Message:
    """How many hosts are out at a time, in words."""
    said = message("shell_out_at_a_time", count=at_once)
    if domain == DomainKind.NONE or at_once == 1:
        return said
    what = message("shell_zone")
    if domain == DomainKind.AGGREGATE:
        what = message("shell_aggregate")
        if aggregates:
            what = message("shell_aggregates", names=aggregates)
    if 0 < per_domain < at_once:
        return message("shell_most_of_one", pace=said, n=per_domain, what=what)
    return message("shell_of_one", pace=said, what=what)


# -- how far it is ---------------------------------------------------------------------------


def headline(report: RunReport) -> str:
    """One line about a run, e.g. "Run 3: running, 2 of 5 hosts done, 1 failed"."""
    run, done = report.run, sum(host.stage == Stage.DONE for host in report.hosts)
    number = message("n_hosts", count=len(report.hosts))
    parts = [message("shell_hosts_done", done=done, hosts=number)]
    if report.failed:
        parts.append(message("shell_hosts_failed", n=len(report.failed)))
    if left_out := sum(host.stage == Stage.SKIPPED for host in report.hosts):
        parts.append(message("shell_hosts_left_out", n=left_out))
    return english(message("shell_run", run=run.pk, state=run.state, parts=parts))


def run_text(report: RunReport, columns: int | None = None) -> list[str]:
    """A run for people, line by line: what it waits for, what needs somebody, its hosts.

    :param columns: see `table`
    """
    run = report.run
    lines = [headline(report), *filter(None, [_on_one_line(run.message)])]
    if needs := list(_needs(report)):
        lines.append(english(message("shell_needs_you_list")))
        lines += [f"  {english(one)}" for one in needs]
    said = [
        message("shell_reason", reason=run.reason),
        message(
            "shell_requested_finished",
            who=run.requested_by,
            at=run.created_at,
            finished=run.finished_at or message("shell_not_yet"),
        ),
        message("shell_summary_of", parts=_how(run)),
        message("shell_windows", windows=_windows(run.windows)),
    ]
    if report.forecast is not None:
        said.append(_end(report.forecast.ends))
    lines += map(english, said)
    ends = services.openings(report)
    return [
        *lines,
        "",
        *table(
            ["HOST", "STAGE", "SINCE", "TOOK", "ENDS", "DRAIN", "ACTION", "MESSAGE"],
            [
                (
                    host.host,
                    host.stage.replace("_", " "),
                    to_the_second(host.since),
                    _took(host, report.now),
                    to_the_second(ends[host.pk][1]) if host.pk in ends else "-",
                    host.drain_id or "-",
                    _action(host),
                    said_of(host) or "-",
                )
                for host in report.hosts
            ],
            columns,
        ),
    ]


def said_of(host: RunHost) -> str:
    """What there is to say of a host, on one line."""
    return _on_one_line(host.message)


def _on_one_line(said: Message | None) -> str:
    """What others wrote begins no line."""
    return one_line(english(said))


def _needs(report: RunReport) -> Iterator[Message]:
    """What a person is waited for, with what is to be typed."""
    run = report.run
    for host in report.failed:
        ways = [text(f"`maintenance_run retry {run.pk} {host.host}`")]
        if report.host_objection(HostVerb.DONE, host) is None:
            ways.append(message("shell_or_done", host=host.host))
        ways.append(message("shell_or_skip"))
        where = host.failed_in.replace("_", " ")
        yield message("shell_host_failed", host=host.host, where=where, ways=ways)
    for host in report.yours:
        yield message("shell_host_is_yours", host=host.host)
    if run.message is not None and run.message.code == "run_waits_for_approval":
        yield message("shell_next_waits", run=run.pk)
    if run.state == RunState.STOPPED:
        yield message("shell_to_continue", run=run.pk)


def _how(run: Run) -> list[Message]:
    """How it goes about it, e.g. "Action: reboot", "at most 1 host out at a time"."""
    failures = message("shell_stop_on_failure")
    if run.on_failure == OnFailure.SKIP:
        failures = message("shell_skip_failures", count=run.failures)
    return [
        message("shell_action", action=run.action or BY_HAND),
        _pace(run.at_once, run.domain, run.per_domain),
        ORDERS[Order(run.order)],
        failures,
        APPROVALS[Approval(run.approval)],
        *([message("shell_brings_instances_back")] if run.bring_back else []),
    ]


def _took(host: RunHost, now: datetime) -> str:
    if host.started_at is None:
        return "-"
    until = host.finished_at if host.stage in STAGES_OVER and host.finished_at else now
    return duration_text(max((until - host.started_at).total_seconds(), 0))


def _action(host: RunHost) -> str:
    tries = services.tries_of(host)
    return try_text(tries[-1]) if tries else "-"


def try_text(one: RunAction) -> str:
    """One try of an action, e.g. "reboot (try 2): running"."""
    name = BY_HAND if one.kind == ActionKind.HAND else one.name
    if one.number > 1:
        said = message("shell_try_number", name=name, n=one.number, state=one.state)
    else:
        said = message("shell_try_first", name=name, state=one.state)
    return english(said)


def list_lines(runs: list[Run], columns: int | None = None) -> list[str]:
    """Runs as a table, in the order given."""
    return table(
        [
            *("RUN", "REGION", "STATE", "ACTION", "REQUESTED BY", "REQUESTED AT", "FINISHED AT"),
            *("REASON", "MESSAGE"),
        ],
        [
            (
                run.pk,
                run.region,
                run.state,
                run.action or english(BY_HAND),
                run.requested_by,
                to_the_second(run.created_at),
                to_the_second(run.finished_at) or "-",
                run.reason,
                _on_one_line(run.message),
            )
            for run in runs
        ],
        columns,
    )

"""Rolling runs as they are shown in a shell: the preview, and how far a run is."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from ukcloud_maintenance import services
from ukcloud_maintenance.core.message import Message
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
from ukcloud_maintenance.messages import english, iso
from ukcloud_maintenance.services import Run, RunAction, RunHost, RunPreview, RunReport

from ._documents import counted, table
from ._plans import duration_text, plan_summary

ORDERS = {
    Order.BY_HAND: "as given",
    Order.FEWEST: "fewest instances first",
    Order.FEW_MOVES: "so that few instances move twice",
}
APPROVALS = {
    Approval.NONE: "no approval",
    Approval.FIRST: "approval before the first host",
    Approval.EACH: "approval before each host",
}
#: How an action is called that a person does.
BY_HAND = "by hand"


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
    lines = [
        f"{counted(len(preview.hosts), 'host')}, {ORDERS[Order(request.order)]}; {pace}.",
        "",
        *table(
            ["HOST", "ZONE", "INSTANCES", "TAKES", "BEGINS", "ENDS", "AGAINST IT"],
            [
                (
                    one.host,
                    one.service.zone,
                    len(one.servers),
                    duration_text(one.seconds),
                    iso(opening[0]) if opening else "never",
                    iso(opening[1]) if opening else "never",
                    _against(one.refusal, is_long=one.host in preview.never_fit) or "-",
                )
                for one, opening in zip(preview.hosts, preview.forecast.hosts, strict=True)
            ],
            columns,
        ),
        "",
        f"Moves: {rolling.moves} needed in this order, {rolling.at_least} at least in any order.",
    ]
    if rolling.no_room:
        lines.append(f"For {rolling.no_room} of them there is no room at their time.")
    lines += [*_room(preview), f"Windows: {'; '.join(request.windows) or 'none, always open'}."]
    lines += [*_before(preview), _end(preview.forecast.ends)]
    if names := refused(preview):
        lines.append(f"The run cannot be requested while {', '.join(names)} cannot be drained.")
    if preview.never_fit:
        lines.append(
            "The run cannot be requested: no window is long enough for"
            f" {', '.join(preview.never_fit)}."
        )
    return lines


def _against(refusal: Any, *, is_long: bool) -> str:
    said = [english(refusal.said)] if refusal is not None else []
    return " ".join([*said, *(["No window is long enough."] if is_long else [])])


def _room(preview: RunPreview) -> Iterator[str]:
    names = ", ".join(plan.service.host for plan in preview.room)
    if preview.lacks is not None:
        yield f"Room: NOT ENOUGH while {names} are out. {english(preview.lacks)}"
    elif preview.room:
        yield f"Room: enough while the fullest hosts are out ({names})."
    for plan in preview.room:
        if not plan.everything_leaves:
            host = plan.service.host
            yield (
                f"{host} does not become empty by itself: {plan_summary(plan, alone=False)}. See"
                f" `drain_host {host} --dry-run`."
            )


def _before(preview: RunPreview) -> Iterator[str]:
    if preview.found_down:
        yield f"Down already, so not waited for: {', '.join(preview.found_down)}."
    if preview.found_in_error:
        names = ", ".join(sorted(preview.found_in_error.values()))
        yield f"In ERROR already, so not waited for: {names}."


def _end(ends: datetime | None) -> str:
    return f"Ends about {iso(ends)}, if nothing holds it up." if ends else "Its end is unknown."


def _pace(at_once: int, domain: str, per_domain: int, aggregates: Any = ()) -> str:
    """How many hosts are out at a time, in words."""
    said = f"at most {counted(at_once, 'host')} out at a time"
    if domain == DomainKind.NONE or at_once == 1:
        return said
    what = "availability zone"
    if domain == DomainKind.AGGREGATE:
        what = f"aggregate ({', '.join(aggregates)})" if aggregates else "aggregate"
    if 0 < per_domain < at_once:
        return f"{said}, at most {per_domain} of one {what}"
    return f"{said}, of one {what} at a time"


# -- how far it is ---------------------------------------------------------------------------


def headline(report: RunReport) -> str:
    """One line about a run, e.g. "Run 3: running, 2 of 5 hosts done, 1 failed"."""
    run, done = report.run, sum(host.stage == Stage.DONE for host in report.hosts)
    said = f"Run {run.pk}: {run.state}, {done} of {counted(len(report.hosts), 'host')} done"
    if report.failed:
        said += f", {len(report.failed)} failed"
    if left_out := sum(host.stage == Stage.SKIPPED for host in report.hosts):
        said += f", {left_out} left out"
    return said


def run_text(report: RunReport, columns: int | None = None) -> list[str]:
    """A run for people, line by line: what it waits for, what needs somebody, its hosts.

    :param columns: see `table`
    """
    run = report.run
    lines = [headline(report), *filter(None, [_on_one_line(run.message)])]
    if needs := list(_needs(report)):
        lines += ["Needs you:", *needs]
    lines += [
        f"Reason: {run.reason}",
        f"Requested by {run.requested_by} at {iso(run.created_at)},"
        f" finished {iso(run.finished_at) or 'not yet'}",
        _how(run),
        f"Windows: {'; '.join(run.windows) or 'none, always open'}",
    ]
    if report.forecast is not None:
        lines.append(_end(report.forecast.ends))
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
                    iso(host.since),
                    _took(host, report.now),
                    iso(ends[host.pk][1]) if host.pk in ends else "-",
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


def _needs(report: RunReport) -> Iterator[str]:
    """What a person is waited for, with what is to be typed."""
    run = report.run
    for host in report.failed:
        ways = [f"`maintenance_run retry {run.pk} {host.host}`"]
        if report.host_objection(HostVerb.DONE, host) is None:
            ways.append(f"`host_done {host.host}` if it was done nevertheless")
        where = host.failed_in.replace("_", " ")
        yield f"  {host.host} failed ({where}): {', '.join([*ways, 'or skip it'])}."
    for host in report.yours:
        yield f"  {host.host} is yours: `host_done {host.host}` when its maintenance is done."
    if run.message is not None and run.message.code == "run_waits_for_approval":
        yield f"  the next host waits for `maintenance_run approve {run.pk}`."
    if run.state == RunState.STOPPED:
        yield f"  to go on without what failed: `maintenance_run resume {run.pk}`."


def _how(run: Run) -> str:
    """How it goes about it, e.g. "Action: reboot; at most 1 host out at a time; …"."""
    failures = "stop after a failure"
    if run.on_failure == OnFailure.SKIP:
        failures = f"go on after up to {counted(run.failures, 'failure')}"
    said = [
        f"Action: {run.action or BY_HAND}",
        _pace(run.at_once, run.domain, run.per_domain),
        ORDERS[Order(run.order)],
        failures,
        APPROVALS[Approval(run.approval)],
        *(["instances are brought back"] if run.bring_back else []),
    ]
    return "; ".join(said)


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
    return f"{name}{f' (try {one.number})' if one.number > 1 else ''}: {one.state}"


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
                run.action or BY_HAND,
                run.requested_by,
                iso(run.created_at),
                iso(run.finished_at) or "-",
                run.reason,
                _on_one_line(run.message),
            )
            for run in runs
        ],
        columns,
    )

"""The page of a run from a report: the same pieces for the first page and for every update."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.actor import RULE_ROLL, Actor
from ukcloud_maintenance.core.run.domains import OTHERS_OUT
from ukcloud_maintenance.core.run.states import (
    STAGES_IN_PROGRESS,
    STAGES_OVER,
    RunState,
    RunVerb,
    Stage,
)
from ukcloud_maintenance.services import RunReport
from ukcloud_maintenance.store import Counts, Run, RunHost

from ..common import elements, formats, words
from ..common.elements import dialog_links, verb_buttons
from ..common.labels import needs_you
from ..common.worker import worker_warning
from . import events, labels
from .needs import Need, approve_button, listed, needs, waits_for_approval
from .picture import Picture


@dataclass(frozen=True)
class Shown:
    """What a page of a run is made of.

    :param counts: the instances of its drains, by drain
    """

    report: RunReport
    actor: Actor
    counts: dict[int, Counts]
    needs: Sequence[Need]
    record: Sequence[store.Event]

    @property
    def run(self) -> Run:
        return self.report.run


def shown(actor: Actor, run_id: int) -> Shown:
    """Everything, from the database alone."""
    report = services.run_report(actor, run_id)
    counts = dict(store.counts(host.drain_id for host in report.hosts if host.drain_id))
    record = services.run_record(actor, report.run)
    return Shown(report, actor, counts, needs(report, actor, counts), record)


def done(hosts: Sequence[RunHost]) -> int:
    return sum(host.stage == Stage.DONE for host in hosts)


def title(one: Shown) -> str:
    """The browser's title: whether somebody is needed, how far it is, and which run."""
    name = _("Run %(id)s") % {"id": one.run.pk}
    if one.report.is_over:
        return f"{labels.run_state(one.run).text} · {name}"
    said = f"{done(one.report.hosts)}/{len(one.report.hosts)} · {name}"
    return f"{needs_you(len(one.needs))} · {said}" if one.needs else said


def headline(one: Shown) -> str:
    """How far it is, and what it waits for."""
    report = one.report
    if report.is_over and one.run.message is not None:
        return words.said(one.run.message)
    n = len(report.hosts)
    said = ngettext("%(done)s of %(n)s host is done.", "%(done)s of %(n)s hosts are done.", n) % {
        "done": formats.number(done(report.hosts)),
        "n": formats.number(n),
    }
    out = [host for host in report.hosts if host.stage in STAGES_IN_PROGRESS]
    now = [
        _("%(host)s: %(stage)s.")
        % {
            "host": host.host,
            "stage": _("waits for you")
            if services.is_yours(host)
            else labels.stage_words(host.stage),
        }
        for host in out[:3]
    ]
    if len(out) > 3:
        now = [
            ngettext("%(n)s host is out.", "%(n)s hosts are out.", len(out))
            % {"n": formats.number(len(out))}
        ]
    # that it is the turn of others is told by who they are, and over once nobody is out
    told = one.run.message is not None and one.run.message.code in OTHERS_OUT
    waits = "" if told else words.said(one.run.message, remedy=not one.needs)
    return " ".join(part for part in (said, *now, waits) if part)


def _bar(one: Shown) -> SafeString:
    hosts = one.report.hosts
    over = sum(host.stage in STAGES_OVER for host in hosts)
    percent = 100 * over // len(hosts) if hosts else 100
    kind = "primary"
    if one.report.is_over:
        kind = "success" if one.run.state == RunState.SUCCEEDED else "warning"
    elif one.needs:
        kind = "warning"
    text = _("%(done)s of %(total)s") % {
        "done": formats.number(over),
        "total": formats.number(len(hosts)),
    }
    return elements.bar(percent, kind, _("Hosts that are over"), text)


# -- facts -----------------------------------------------------------------------------------


def begun(hosts: Sequence[RunHost]) -> datetime | None:
    return min((host.started_at for host in hosts if host.started_at), default=None)


def _facts(one: Shown) -> SafeString:
    run, report, now = one.run, one.report, one.report.now
    since = begun(report.hosts)
    asked = format_html("{}, {}", run.requested_by, formats.when(run.created_at, now, True))
    n = len(report.hosts)
    facts: list[tuple[str, SafeString | str]] = [
        (_("Reason"), run.reason),
        (_("Requested by"), asked),
        (_("Hosts"), f"{formats.number(n)}, {labels.pace(run)}"),
        (_("Maintenance action"), labels.action_name(run.action)),
        (_("Started"), formats.when(since, now, seconds=True)),
        (_("Elapsed"), elements.elapsed(since, run.finished_at, now)),
    ]
    if report.is_over:
        facts.append((_("Finished"), formats.when(run.finished_at, now, seconds=True)))
    facts += _forecast(report)
    facts += [
        (_("Windows"), "; ".join(run.windows) or _("any time")),
        (_("If a host fails"), labels.on_failure(run)),
        (_("Approval"), labels.chosen(labels.approval_choices(), run.approval)),
        (_("Bring instances back"), _("yes") if run.bring_back else _("no")),
    ]
    return elements.facts(facts)


def _forecast(report: RunReport) -> list[tuple[str, SafeString | str]]:
    """When it ends, and whether that fits the windows."""
    if report.forecast is None:
        return []
    forecast, has_windows = report.forecast, bool(report.run.windows)
    if forecast.ends is None:
        left = [host for host in report.hosts if host.stage not in STAGES_OVER]
        names = [left[place].host for place in forecast.never_fits if place < len(left)]
        text = _("No window is long enough for: %(names)s.") % {"names": formats.abbreviate(names)}
        return [(_("Expected end"), text)]
    if report.run.state in (RunState.PAUSED, RunState.STOPPED):
        left_seconds = (forecast.ends - report.now).total_seconds()
        text = _("about %(time)s after resuming") % {"time": formats.about(max(left_seconds, 1))}
        return [(_("Expected end"), text)]
    ends: SafeString | str = format_html(
        "{} {}", _("about"), formats.when(forecast.ends, report.now)
    )
    if has_windows:
        ends = format_html("{}, {}", ends, _("every host fits a window"))
    return [(_("Expected end"), ends)]


# -- buttons ---------------------------------------------------------------------------------


def verbs(one: Shown) -> list[RunVerb]:
    """What this actor can do with the run now."""
    if one.actor.may(RULE_ROLL) is not True:
        return []
    return [verb for verb in RunVerb if one.report.objection(verb) is None]


def _actions(one: Shown) -> SafeString:
    can = verbs(one)
    buttons = []
    if RunVerb.APPROVE in can and waits_for_approval(one.report) is None:
        buttons.append(approve_button(small=False))
    words_of = {RunVerb.PAUSE: (_("Pause"), "pause"), RunVerb.RESUME: (_("Resume"), "play")}
    dialogs = {
        RunVerb.ADD: ("default", "add_to_run", _("Add Hosts")),
        RunVerb.CANCEL: ("danger", "cancel_run", _("Cancel Run")),
    }
    links = dialog_links(can, one.run.pk, dialogs)
    return elements.joined([*buttons, *verb_buttons(can, words_of), *links])


# -- all of it -------------------------------------------------------------------------------


def parts(one: Shown) -> dict[str, SafeString]:
    """The pieces beside the table, by name."""
    report = one.report
    pieces: dict[str, SafeString | str] = {
        "worker": "" if report.is_over else worker_warning(report.worker),
        "state": labels.run_state(one.run, len(one.needs)).html,
        "headline": headline(one),
        "bar": _bar(one),
        "needs": listed(list(one.needs), one.run.region),
        "facts": _facts(one),
        "actions": _actions(one),
        "picture": Picture(report, one.record).html(),
        "record": events.listed(one.run, one.record, report.now),
    }
    return {name: formats.as_html(piece) for name, piece in pieces.items()}


def announcement(one: Shown) -> str:
    """What a screen reader is told: what needs a person, how many hosts are done, how it ended."""
    state = labels.run_state(one.run).text
    if one.report.is_over:
        return f"{state}. {headline(one)}"
    n = len(one.report.hosts)
    said = ngettext("%(done)s of %(n)s host is done.", "%(done)s of %(n)s hosts are done.", n) % {
        "done": formats.number(done(one.report.hosts)),
        "n": formats.number(n),
    }
    names = ", ".join(dict.fromkeys(need.host.host for need in one.needs[:3]))
    needed = f" {needs_you(len(one.needs))}: {names}." if one.needs else ""
    return f"{state}. {said}{needed}"

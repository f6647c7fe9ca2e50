"""The hosts of a run's page, one row each."""

from dataclasses import dataclass

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ukcloud_maintenance import services
from ukcloud_maintenance.core.actor import RULE_ROLL, Actor
from ukcloud_maintenance.core.printable import printable
from ukcloud_maintenance.core.run.states import STAGES_OVER, HostVerb, Stage
from ukcloud_maintenance.core.states import DRAIN_TERMINAL
from ukcloud_maintenance.services import RunReport
from ukcloud_maintenance.store import RunAction, RunHost, WorkerStatus, tries_of

from ..common import counted, formats, words
from ..common import labels as common_labels
from ..common.elements import drain_link, elapsed, host_link, joined
from ..common.formats import NOTHING
from ..common.svg import REDRAWN_EVERY
from ..drains.mark import digest, look, worker_token
from . import labels
from .needs import counts_of, host_button, offered
from .overview import Shown

#: characters of an action's output that a page shows, the last ones
OUTPUT_SHOWN = 16_000


@dataclass(frozen=True)
class HostRow:
    """One host of the run: its cells in the order of the columns."""

    id: int
    host: str
    cells: list[tuple[str, SafeString]]

    def as_json(self) -> dict:
        html = [html for _slug, html in self.cells]
        return {"id": self.id, "host": self.host, "cells": html, "slugs": self.slugs}

    @property
    def slugs(self) -> list[str]:
        return [slug for slug, _html in self.cells]


def headers() -> list[tuple[str, str]]:
    """Slug and title of each column."""
    return [
        ("place", "#"),
        ("host", _("Host")),
        ("stage", _("Stage")),
        ("took", _("Took")),
        ("ends", _("Ends about")),
        ("instances", _("Instances")),
        ("drain", _("Drain")),
        ("action", _("Action")),
        ("message", _("Message")),
        ("verbs", _("Actions")),
    ]


def rows(one: Shown) -> list[HostRow]:
    report = one.report
    left = [host.pk for host in report.hosts if host.stage not in STAGES_OVER]
    ahead = dict(zip(left, report.forecast.hosts, strict=False)) if report.forecast else {}
    found = []
    for place, host in enumerate(report.hosts):
        opening = ahead.get(host.pk)
        ends = formats.when(opening[1], report.now) if opening else NOTHING
        if host.pk in ahead and opening is None:
            ends = _("fits no window")
        cells: dict[str, SafeString | str] = {
            "place": formats.number(place + 1),
            "host": host_link(host.host, one.run.region),
            "stage": _stage(report, host),
            "took": elapsed(host.started_at, host.finished_at, report.now),
            "ends": ends,
            "instances": formats.number(host.instances),
            "drain": _drain(one, host),
            "action": _action(host),
            "message": _message(host),
            "verbs": _verbs(report, one.actor, host),
        }
        ordered = [(slug, formats.as_html(cells[slug])) for slug, _title in headers()]
        found.append(HostRow(host.pk, host.host, ordered))
    return found


def _stage(report: RunReport, host: RunHost) -> SafeString:
    label = labels.stage_label(host, is_yours=services.is_yours(host))
    if host.stage in (Stage.WAITING, Stage.SKIPPED) and host.started_at is None:
        return label.html
    return format_html(
        '{} <small class="mnt-quiet">{} {}</small>',
        label.html,
        _("since"),
        formats.when(host.since, report.now),
    )


def _drain(one: Shown, host: RunHost) -> SafeString | str:
    if host.drain is None:
        return NOTHING
    link = drain_link(host.drain.pk)
    counts = counts_of(host, one.counts)
    if counts is None or host.drain.state in DRAIN_TERMINAL:
        return link
    share = counted.share(counts)
    badge = common_labels.needs_badge(counts.in_need(host.drain.state))
    return format_html('{} <small class="mnt-quiet">{}</small> {}', link, share.text, badge)


# -- the action ------------------------------------------------------------------------------


def _action(host: RunHost) -> SafeString | str:
    tries = tries_of(host)
    if not tries:
        return NOTHING
    newest = tries[-1]
    said = f"{labels.action_name(newest.name)}: {labels.action_state(newest)}"
    if len(tries) > 1:
        said = _("%(action)s, attempt %(n)s") % {"action": said, "n": formats.number(len(tries))}
    pieces: list[SafeString | str] = [said]
    if newest.done_by:
        by = _("said to be done by %(who)s") % {"who": newest.done_by}
        pieces.append(format_html("<small>{}</small>", by))
    if host.approved_by:
        by = _("approved by %(who)s") % {"who": host.approved_by}
        pieces.append(format_html("<small>{}</small>", by))
    if any(one.output for one in tries):
        pieces.append(_output(host, next(one for one in reversed(tries) if one.output)))
    return joined(pieces)


def shown_output(text: str) -> str:
    """What a command has written, its last part, without what a browser would not show as text."""
    shown = printable(text, keep="\n\t")
    if len(shown) <= OUTPUT_SHOWN:
        return shown
    return "\N{HORIZONTAL ELLIPSIS}\n" + shown[-OUTPUT_SHOWN:]


def _output(host: RunHost, one: RunAction) -> SafeString:
    n = len(one.output.splitlines())
    summary = ngettext("Output, %(n)s line", "Output, %(n)s lines", n) % {"n": formats.number(n)}
    return format_html(
        '<details class="mnt-fold mnt-output mnt-output-{}"><summary>{}</summary>'
        '<pre tabindex="0" role="region" aria-label="{}">{}</pre></details>',
        host.pk,
        summary,
        _("Output of the action on %(host)s") % {"host": host.host},
        shown_output(one.output),
    )


def _message(host: RunHost) -> str:
    said = words.said(host.message, remedy=host.stage == Stage.FAILED)
    if host.stage in (Stage.WAITING, Stage.DRAINING) and host.is_unwanted:
        left_out = _("It is to be left out.")
        return f"{said} {left_out}".strip()
    return said


def _verbs(report: RunReport, actor: Actor, host: RunHost) -> SafeString | str:
    return joined(
        host_button(verb, host, "row")
        for verb in offered(report, actor, host)
        if not (verb is HostVerb.SKIP and host.is_unwanted)
    )


# -- what is seen already --------------------------------------------------------------------


def token(one: Shown) -> str:
    """Names what a page shows; the same token means that there is nothing new."""
    return token_of(one.report, one.actor, one.report.worker)


def token_of(report: RunReport, actor: Actor, worker: WorkerStatus) -> str:
    run = report.run
    drains = sum(host.drain.revision for host in report.hosts if host.drain is not None)
    clock = 0 if report.is_over else int(report.now.timestamp()) // REDRAWN_EVERY
    seen = digest(run.state, actor.may(RULE_ROLL) is True)
    return f"{run.revision}-{drains}-{clock}-{seen}-{look(report.now)}-{worker_token(worker)}"

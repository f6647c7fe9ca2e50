"""What a run needs a person for: hosts that are somebody's, hosts that failed, an approval, and
instances of its drains."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ukcloud_maintenance.core.actor import RULE_ROLL, Actor
from ukcloud_maintenance.core.run.states import HostVerb, RunVerb, Stage
from ukcloud_maintenance.core.states import DRAIN_TERMINAL
from ukcloud_maintenance.services import RunReport
from ukcloud_maintenance.store import Counts, RunHost

from ..common import formats, words
from ..common.addresses import PANEL, of_host
from ..common.elements import joined, needs_list, verb_button
from ..common.labels import Label, needs_you
from . import labels

#: the form of the page that the buttons of its hosts belong to; it has the CSRF token
HOST_FORM = "mnt-run-host"
#: what the worker says while it waits for an approval
WAITS_FOR_APPROVAL = "run_waits_for_approval"


@dataclass(frozen=True)
class Need:
    """One thing that a person must look at.

    :param key: tells it from others, for notices on the desktop
    :param said: what it is, and what to do
    """

    key: str
    host: RunHost
    label: Label
    said: str
    buttons: tuple[SafeString, ...] = ()


def counts_of(host: RunHost, counts: dict[int, Counts]) -> Counts | None:
    return counts.get(host.drain_id) if host.drain_id else None


def needs(report: RunReport, actor: Actor, counts: dict[int, Counts]) -> list[Need]:
    """Everything that needs a person, hosts of theirs first."""
    return [
        *(_yours(report, actor, host) for host in report.yours),
        *(_failed(report, actor, host) for host in report.failed),
        *_approval(report, actor),
        *_of_drains(report, counts),
    ]


def _yours(report: RunReport, actor: Actor, host: RunHost) -> Need:
    said = words.said(host.message, remedy=False) or _(
        "It is empty and safe to power off, and waits for you."
    )
    todo = _("Press Maintenance Done once it may go back to service.")
    label = labels.stage_label(host, is_yours=True)
    buttons = _verbs(report, actor, host, HostVerb.DONE)
    return Need(f"{host.pk}-yours", host, label, f"{said} {todo}", buttons)


def _failed(report: RunReport, actor: Actor, host: RunHost) -> Need:
    label = labels.stage_label(host)
    verbs = (HostVerb.RETRY, HostVerb.SKIP, HostVerb.DONE)
    buttons = _verbs(report, actor, host, *verbs)
    said = words.said(host.message) or _("It failed.")
    return Need(f"{host.pk}-failed", host, label, said, buttons)


def waits_for_approval(report: RunReport) -> RunHost | None:
    """The host that waits for an approval, as the worker says."""
    said = report.run.message
    if said is None or said.code != WAITS_FOR_APPROVAL or report.objection(RunVerb.APPROVE):
        return None
    waiting = (h for h in report.hosts if h.stage == Stage.WAITING and h.approved_at is None)
    # one before it may wait for its failure domain
    return next((h for h in waiting if h.host == said.values["host"]), None)


def _approval(report: RunReport, actor: Actor) -> Iterable[Need]:
    host = waits_for_approval(report)
    if host is None:
        return
    label = Label(_("Approval"), "warning", "eye")
    said = _("It is the next one, and begins once somebody has approved it.")
    buttons = (approve_button(),) if actor.may(RULE_ROLL) is True else ()
    yield Need(f"{host.pk}-approval", host, label, said, buttons)


def approve_button(small: bool = True) -> SafeString:
    return verb_button(RunVerb.APPROVE, "check", _("Approve"), " btn-sm" if small else "")


def _of_drains(report: RunReport, counts: dict[int, Counts]) -> Iterable[Need]:
    for host in report.hosts:
        found = counts_of(host, counts)
        if found is None or host.drain is None or host.drain.state in DRAIN_TERMINAL:
            continue
        if not (n := found.in_need(host.drain.state)):
            continue
        said = ngettext(
            "%(n)s instance of its drain needs a person.",
            "%(n)s instances of its drain need a person.",
            n,
        ) % {"n": formats.number(n)}
        view = format_html(
            '<a id="mnt-need-drain-{}" class="btn btn-default btn-sm" href="{}" aria-label="{}">'
            "{}</a>",
            host.pk,
            reverse(f"{PANEL}:drain", args=[host.drain.pk]),
            _("View drain %(id)s of %(host)s") % {"id": host.drain.pk, "host": host.host},
            _("View Drain"),
        )
        label = Label(needs_you(n), "warning", "eye")
        yield Need(f"{host.pk}-drain-{n}", host, label, said, (view,))


# -- buttons ---------------------------------------------------------------------------------


def verb_text(verb: HostVerb) -> str:
    return {
        HostVerb.DONE: _("Maintenance Done"),
        HostVerb.RETRY: _("Retry"),
        HostVerb.SKIP: _("Leave Out"),
    }[verb]


def offered(report: RunReport, actor: Actor, host: RunHost) -> list[HostVerb]:
    """What this actor can do with a host now."""
    if actor.may(RULE_ROLL) is not True:
        return []
    verbs = (HostVerb.DONE, HostVerb.RETRY, HostVerb.SKIP)
    return [verb for verb in verbs if report.host_objection(verb, host) is None]


def _verbs(
    report: RunReport, actor: Actor, host: RunHost, *verbs: HostVerb
) -> tuple[SafeString, ...]:
    can = offered(report, actor, host)
    return tuple(host_button(verb, host, "need") for verb in verbs if verb in can)


def host_button(verb: HostVerb, host: RunHost, where: str) -> SafeString:
    """:param where: tells the button of the list from that of the table"""
    return format_html(
        '<button type="submit" id="mnt-{}-{}-{}" class="btn btn-{} btn-sm" form="{}" name="{}"'
        ' value="{}" aria-label="{}">{}</button>',
        where,
        verb.value,
        host.pk,
        "primary" if verb is HostVerb.DONE and host.stage == Stage.ACTING else "default",
        HOST_FORM,
        verb.value,
        host.host,
        _("%(verb)s: %(name)s") % {"verb": verb_text(verb), "name": host.host},
        verb_text(verb),
    )


# -- the list --------------------------------------------------------------------------------


def listed(found: list[Need], region: str) -> SafeString | str:
    """The list; empty where nobody is needed."""
    return needs_list([_item(one, region) for one in found])


def _item(one: Need, region: str) -> SafeString:
    return format_html(
        '<li data-needs="{}"><div><a href="{}">{}</a> {} <span>{}</span></div>'
        '<div class="mnt-needs-verbs">{}</div></li>',
        one.key,
        of_host("host", one.host.host, region),
        one.host.host,
        one.label.html,
        one.said,
        joined(one.buttons),
    )

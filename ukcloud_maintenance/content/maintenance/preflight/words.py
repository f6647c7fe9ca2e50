"""The words of a preflight: verdicts, choices, counts, names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ukcloud_maintenance.core.facts import Server
from ukcloud_maintenance.core.preflight.verdicts import Caution, Choice, Kind, Verdict

from ..common import formats, words
from ..common.labels import Label

MIB = 1024**2

#: What is told apart of the cold ones, because its user notices: it runs, and is stopped.
STOPPED = "stopped"
#: those that need a look first
GROUPS = (
    Kind.BLOCKED.value,
    Kind.STAYS.value,
    Kind.CONFIRM.value,
    STOPPED,
    Kind.COLD.value,
    Kind.LIVE.value,
)
#: what is worth a word, but no warning; what is worth more than one
COMMON = frozenset({"local_disk"})
STRONG = frozenset({"no_place", "downtime"})


def group_of(server: Server, verdict: Verdict) -> str:
    """Its kind, the cold ones that run told apart."""
    runs = server.status not in ("SHUTOFF", "VERIFY_RESIZE")
    return STOPPED if verdict.kind is Kind.COLD and runs else verdict.kind.value


def choice_text(choice: Choice, server: Server) -> str:
    """A choice with its consequence."""
    if choice is Choice.LIVE:
        return _("Live")
    if choice is Choice.COLD and server.status == "SHUTOFF":
        return _("Cold: moved while it is shut off")
    if choice is Choice.COLD:
        return _("Cold: stopped, moved and started again")
    if choice is Choice.CONFIRM:
        return _("Confirm the resize: it cannot be reverted afterwards")
    if choice is Choice.STAY:
        return _("Stay on this host")
    return _("Automatic")


def verdict_label(group: str) -> Label:
    known = {
        Kind.LIVE.value: Label(
            _("Live"), "default", "arrow-right", _("It keeps running during the move.")
        ),
        Kind.COLD.value: Label(
            _("Cold"),
            "default",
            "thermometer-empty",
            _("It is shut off, is moved, and stays shut off."),
        ),
        STOPPED: Label(
            _("Cold, with downtime"),
            "warning",
            "power-off",
            _("It is stopped, moved and started again; its memory contents are lost."),
        ),
        Kind.CONFIRM.value: Label(
            _("Resize confirmed"),
            "warning",
            "check",
            _("The resize is confirmed and cannot be reverted afterwards."),
        ),
        Kind.STAYS.value: Label(_("Stays"), "info", "anchor", _("It stays on this host.")),
        Kind.BLOCKED.value: Label(
            _("Blocked"), "danger", "minus-circle", _("The drain checks it again while it runs.")
        ),
    }
    return known[group]


def verdict_html(server: Server, verdict: Verdict) -> SafeString:
    """The verdict in a cell: label, reason, remedy, cautions."""
    group = group_of(server, verdict)
    said = [_caution_html(caution) for caution in verdict.cautions]
    why, advice = words.said(verdict.said, remedy=False), words.remedy(verdict.said)
    reason = format_html(" {}", why) if why else ""
    remedy = format_html(' <span class="mnt-quiet">{}</span>', advice) if advice else ""
    return format_html(
        "{}{}{}{}",
        verdict_label(group).html,
        reason,
        remedy,
        format_html_join("", "{}", ((one,) for one in said)),
    )


def _caution_html(caution: Caution) -> SafeString:
    text = words.said(caution.said)
    if caution.code in COMMON:
        return format_html(' <span class="mnt-caution">{}</span>', text)
    return format_html(
        '<div class="mnt-caution{}"><span class="fa fa-exclamation-triangle" aria-hidden="true">'
        "</span> {}</div>",
        " mnt-caution-strong" if caution.code in STRONG else "",
        text,
    )


# -- counted ---------------------------------------------------------------------------------

Counted = Callable[[int], str]

# maintenance.preflight.js has both tables too: it counts again after each choice.

#: of the summary; what is stopped counts as cold there
COUNTED: Mapping[str, Counted] = {
    Kind.LIVE.value: lambda n: ngettext("%(n)s leaves live", "%(n)s leave live", n),
    Kind.COLD.value: lambda n: ngettext("%(n)s cold", "%(n)s cold", n),
    Kind.CONFIRM.value: lambda n: ngettext("%(n)s to be confirmed", "%(n)s to be confirmed", n),
    Kind.STAYS.value: lambda n: ngettext("%(n)s stays", "%(n)s stay", n),
    Kind.BLOCKED.value: lambda n: ngettext("%(n)s blocked", "%(n)s blocked", n),
}
#: of the review
REVIEWED: Mapping[str, Counted] = {
    Kind.LIVE.value: lambda n: ngettext(
        "%(n)s instance is live-migrated", "%(n)s instances are live-migrated", n
    ),
    STOPPED: lambda n: ngettext(
        "%(n)s running instance is stopped, moved and started again:",
        "%(n)s running instances are stopped, moved and started again:",
        n,
    ),
    Kind.COLD.value: lambda n: ngettext(
        "%(n)s instance that is shut off is moved and stays shut off:",
        "%(n)s instances that are shut off are moved and stay shut off:",
        n,
    ),
    Kind.CONFIRM.value: lambda n: ngettext(
        "The resize of %(n)s instance is confirmed:",
        "The resizes of %(n)s instances are confirmed:",
        n,
    ),
    Kind.STAYS.value: lambda n: ngettext(
        "%(n)s instance stays on this host:", "%(n)s instances stay on this host:", n
    ),
    Kind.BLOCKED.value: lambda n: ngettext(
        "%(n)s instance is currently blocked:", "%(n)s instances are currently blocked:", n
    ),
}


@dataclass(frozen=True)
class Count:
    """A number with its words."""

    group: str
    n: int
    words: Counted
    names: str = ""
    tail: str = ""

    @property
    def text(self) -> str:
        return self.words(self.n) % {"n": formats.number(self.n)}

"""How many instances of a drain are in which state, in words and as a share."""

from dataclasses import dataclass

from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ukcloud_maintenance.core.drain.counting import Counts
from ukcloud_maintenance.core.states import MigrationState

from .labels import migration_state


@dataclass(frozen=True)
class Share:
    """How many of those that are to leave have left: 7 of 12. Those that stay don't count."""

    left: int
    total: int

    @property
    def percent(self) -> int:
        return 100 * self.left // self.total if self.total else 100

    @property
    def text(self) -> str:
        return _("%(left)s of %(total)s") % {"left": self.left, "total": self.total}


def share(counts: Counts) -> Share:
    return Share(counts.left, counts.to_leave)


#: in the order of a person's interest
_COUNTED = (
    MigrationState.MIGRATING,
    MigrationState.SUBMITTED,
    MigrationState.CONFIRMING,
    MigrationState.PENDING,
    MigrationState.BLOCKED,
    MigrationState.SUCCEEDED,
    MigrationState.GONE,
    MigrationState.UNKNOWN,
    MigrationState.FAILED,
    MigrationState.STAYS,
    MigrationState.SKIPPED,
    MigrationState.CANCELLED,
)


def counted(state: str, n: int) -> str:
    """A number of instances in a state, in words."""
    words = {
        MigrationState.MIGRATING: ngettext("%(n)s migrating", "%(n)s migrating", n),
        MigrationState.SUBMITTED: ngettext("%(n)s submitted", "%(n)s submitted", n),
        MigrationState.CONFIRMING: ngettext("%(n)s confirming", "%(n)s confirming", n),
        MigrationState.PENDING: ngettext("%(n)s pending", "%(n)s pending", n),
        MigrationState.BLOCKED: ngettext("%(n)s blocked", "%(n)s blocked", n),
        MigrationState.SUCCEEDED: ngettext("%(n)s succeeded", "%(n)s succeeded", n),
        MigrationState.GONE: ngettext("%(n)s gone", "%(n)s gone", n),
        MigrationState.UNKNOWN: ngettext("%(n)s unknown", "%(n)s unknown", n),
        MigrationState.FAILED: ngettext("%(n)s failed", "%(n)s failed", n),
        MigrationState.STAYS: ngettext("%(n)s stays", "%(n)s stay", n),
        MigrationState.SKIPPED: ngettext("%(n)s skipped", "%(n)s skipped", n),
        MigrationState.CANCELLED: ngettext("%(n)s cancelled", "%(n)s cancelled", n),
    }
    return words[MigrationState(state)] % {"n": n}


def counts_html(counts: Counts) -> SafeString:
    """The instances of a drain by state, each with its colour."""
    shown = []
    for state in _COUNTED:
        n = counts[state] - counts.aborted * (state == MigrationState.FAILED)
        if n:
            label = migration_state(state)
            shown.append((label.kind, label.icon, counted(state, n)))
    if n := counts.aborted:
        text = ngettext("%(n)s aborted", "%(n)s aborted", n) % {"n": n}
        shown.append(("default", "stop", text))
    return format_html_join(
        " ",
        '<span class="mnt-count mnt-count-{}"><span class="fa fa-{}" aria-hidden="true"></span>'
        " {}</span>",
        shown,
    )

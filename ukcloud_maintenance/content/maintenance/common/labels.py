"""The words for states: what a person reads, with an icon and a colour that say the same."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from ukcloud_maintenance import store
from ukcloud_maintenance.core.codes import HOLDS
from ukcloud_maintenance.core.drain.alarm import arrived_wrong
from ukcloud_maintenance.core.facts import Service
from ukcloud_maintenance.core.message import NAMED
from ukcloud_maintenance.core.states import (
    Direction,
    DrainResult,
    DrainState,
    MigrationState,
)
from ukcloud_maintenance.store import Counts, Drain, InstanceMigration

from .words import said


@dataclass(frozen=True)
class Label:
    """A state as it is shown.

    :param text: the word
    :param kind: Bootstrap's colour: default, primary, info, success, warning, danger
    :param icon: Font Awesome's name, without fa-
    :param help: what the word means, shown when it is pointed at
    """

    text: str
    kind: str = "default"
    icon: str = ""
    help: str = ""

    @property
    def html(self) -> SafeString:
        icon = (
            format_html('<span class="fa fa-{}" aria-hidden="true"></span> ', self.icon)
            if self.icon
            else ""
        )
        return format_html(
            '<span class="label label-{}" title="{}">{}{}</span>',
            self.kind,
            self.help,
            icon,
            self.text,
        )


def host_state(service: Service) -> Label:
    if not service.is_known:
        return Label(
            _("Unknown"), "default", "question", _("Nova does not reach the cell of this host.")
        )
    if service.forced_down:
        return Label(
            _("Forced down"),
            "danger",
            "times",
            _("Somebody marked it as down in Nova (forced down)."),
        )
    if service.is_up:
        return Label(_("Up"), "success", "check", _("Its compute service reports to Nova."))
    return Label(_("Down"), "danger", "times", _("Its compute service no longer reports to Nova."))


def service_status(service: Service) -> Label:
    if service.status == "enabled":
        return Label(_("Enabled"), "default", "", _("The scheduler may place new instances here."))
    if service.status == "disabled":
        return Label(
            _("Disabled"), "warning", "ban", _("The scheduler places no new instances here.")
        )
    return Label(_("Unknown"), "default", "question")


def alarm(counts: Counts, rows: Sequence[InstanceMigration] = ()) -> str:
    """The instances that a person must look at, whatever else a drain came to: by name where the
    rows are at hand. Empty where there is none."""
    unknown = [r.server_name for r in rows if r.state == MigrationState.UNKNOWN]
    wrong = [r.server_name for r in rows if arrived_wrong(r)]
    said = []
    if n := counts.unknown:
        said.append(
            ngettext("It is unknown where %(who)s runs.", "It is unknown where %(who)s run.", n)
            % {"who": who(n, unknown)}
        )
    if n := counts.arrived_wrong:
        said.append(
            ngettext(
                "%(who)s arrived in ERROR, or in a different state than before.",
                "%(who)s arrived in ERROR, or in a different state than before.",
                n,
            )
            % {"who": who(n, wrong)}
        )
    return " ".join(said)


def who(n: int, names: list[str]) -> str:
    """Instances by name, or how many where they are too many, or not known by name."""
    if len(names) == n <= NAMED:
        return ", ".join(names)
    return ngettext("%(n)s instance", "%(n)s instances", n) % {"n": n}


def needs_you(n: int) -> str:
    """How many need a person, in a word or two."""
    return ngettext("%(n)s needs you", "%(n)s need you", n) % {"n": n}


def needs_badge(n: int, worst: str = "") -> SafeString | str:
    """The same as a mark in a list; empty for none.

    :param worst: what a person must look at whatever becomes of the drain, or empty
    """
    if not n:
        return ""
    kind = "danger" if worst else "warning"
    return Label(needs_you(n), kind, "eye", worst).html


def drain_state(drain: Drain, counts: Counts | None = None) -> Label:
    """The state of a drain in a word or two."""
    state = drain.state
    over_well = state in (DrainState.SUCCEEDED, DrainState.CANCELLED)
    if counts and counts.need_a_look and (over_well or drain.result == DrainResult.INSTANCES_LEFT):
        return Label(_("Needs attention"), "danger", "exclamation-triangle", alarm(counts))
    if drain.direction == Direction.BACK and (label := _return_state(drain, counts)):
        return label
    if state in (DrainState.PENDING, DrainState.RUNNING) and (host := waits_for_host(drain)):
        return Label(_("Waiting for %(host)s") % {"host": host}, "default", "hourglass-half")
    if state == DrainState.PENDING and drain.start_at and drain.start_at > store.now():
        return Label(_("Scheduled"), "default", "calendar", _("Waiting for its start time."))
    if state == DrainState.PENDING:
        why = held(drain) or _("Waiting for a worker.")
        return Label(_("Pending"), "default", "hourglass-start", why)
    if state == DrainState.RUNNING and counts and (n := counts.in_need(state)):
        return Label(_("Running"), "warning", "exclamation-triangle", needs_you(n))
    if state == DrainState.RUNNING:
        return Label(_("Running"), "primary", "arrow-right", _("Instances are being moved."))
    if state == DrainState.PAUSED and drain.started_at is None:
        return Label(
            _("Paused before start"),
            "warning",
            "pause",
            _("Paused before it started; nothing was changed."),
        )
    if state == DrainState.PAUSED:
        return Label(
            _("Paused"), "warning", "pause", _("No new migrations start; those in progress finish.")
        )
    if state == DrainState.CANCELLING:
        return Label(
            _("Cancelling"),
            "warning",
            "hourglass-half",
            _("No new migrations start; waiting for those in progress."),
        )
    if state == DrainState.SUCCEEDED:
        return Label(_("Drained"), "success", "check", _("The host is empty."))
    if state == DrainState.CANCELLED:
        return Label(_("Cancelled"), "default", "ban", said(drain.message))
    if drain.result == DrainResult.INSTANCES_LEFT and counts:
        stay = counts.stay
        text = ngettext("Finished, %(n)s stays", "Finished, %(n)s stay", stay) % {"n": stay}
        return Label(text, "info", "flag-checkered", said(drain.message))
    if drain.result == DrainResult.INSTANCES_LEFT:
        return Label(_("Finished, some stay"), "info", "flag-checkered", said(drain.message))
    if drain.result == DrainResult.NOT_PROVED:
        return Label(_("Not verified empty"), "warning", "question", said(drain.message))
    if drain.result == DrainResult.INTERRUPTED:
        return Label(_("Interrupted"), "danger", "times", said(drain.message))
    if drain.result == DrainResult.HOST_LOST:
        return Label(_("Host lost"), "danger", "times", said(drain.message))
    return Label(_("Failed"), "danger", "times", said(drain.message))


def drain_name(drain: Drain) -> str:
    """A drain, or a bring-back, by its number."""
    back = drain.direction == Direction.BACK
    return (_("Bring-back %(id)s") if back else _("Drain %(id)s")) % {"id": drain.pk}


def waits_for_host(drain: Drain) -> str:
    """The host of its plan that is drained now, of those before it; or empty."""
    if drain.message is None or drain.message.code != "waits_for_hosts":
        return ""
    return str(next(iter(drain.message.values["hosts"]), ""))


def held(drain: Drain) -> str:
    """What a drain waits for before it moves anything, where a worker said so; or empty."""
    holds = drain.message is not None and drain.message.code in HOLDS
    return said(drain.message) if holds else ""


def _return_state(drain: Drain, counts: Counts | None) -> Label | None:
    """The same for a run that brings instances back, where the words differ."""
    if drain.state == DrainState.RUNNING and counts and (n := counts.in_need(drain.state)):
        return Label(_("Running"), "warning", "exclamation-triangle", needs_you(n))
    if drain.state == DrainState.RUNNING:
        return Label(_("Running"), "primary", "arrow-left", _("Instances are being brought back."))
    if drain.state == DrainState.SUCCEEDED:
        return Label(
            _("Brought back"), "success", "check", _("All instances to bring back have arrived.")
        )
    if drain.state == DrainState.FAILED and drain.result == DrainResult.INSTANCES_FAILED:
        return Label(_("Not all brought back"), "warning", "adjust", said(drain.message))
    return None


#: a word to filter by, and its text
def drain_state_choices() -> list[tuple[str, str]]:
    return [
        ("open", _("In progress")),
        (DrainState.SUCCEEDED.value, _("Drained")),
        (DrainState.FAILED.value, _("Failed, or finished with instances that stay")),
        (DrainState.CANCELLED.value, _("Cancelled")),
    ]


#: translated where one is shown: there are hundreds of rows, and a dozen states
_MIGRATION_STATES = {
    MigrationState.PENDING: Label(
        gettext_lazy("Pending"),
        "default",
        "hourglass-start",
        gettext_lazy("Waiting to be moved; nothing was requested from Nova yet."),
    ),
    MigrationState.BLOCKED: Label(
        gettext_lazy("Blocked"),
        "warning",
        "minus-circle",
        gettext_lazy("Cannot be moved now; the drain checks it again while it runs."),
    ),
    MigrationState.SUBMITTED: Label(
        gettext_lazy("Submitted"),
        "info",
        "paper-plane",
        gettext_lazy("The migration was requested from Nova."),
    ),
    MigrationState.MIGRATING: Label(
        gettext_lazy("Migrating"), "primary", "arrow-right", gettext_lazy("Nova is moving it.")
    ),
    MigrationState.CONFIRMING: Label(
        gettext_lazy("Confirming"),
        "primary",
        "arrow-right",
        gettext_lazy("It was cold-migrated; the migration is not confirmed yet."),
    ),
    MigrationState.SUCCEEDED: Label(
        gettext_lazy("Succeeded"), "success", "check", gettext_lazy("It arrived on another host.")
    ),
    MigrationState.GONE: Label(
        gettext_lazy("Gone"),
        "success",
        "check",
        gettext_lazy("It was deleted, or moved by another drain or by somebody else."),
    ),
    MigrationState.FAILED: Label(
        gettext_lazy("Failed"), "danger", "times", gettext_lazy("It could not be moved.")
    ),
    MigrationState.STAYS: Label(
        gettext_lazy("Stays"),
        "default",
        "anchor",
        gettext_lazy("It stays by choice, or because this release cannot move it."),
    ),
    MigrationState.SKIPPED: Label(
        gettext_lazy("Skipped"), "default", "anchor", gettext_lazy("An administrator skipped it.")
    ),
    MigrationState.CANCELLED: Label(
        gettext_lazy("Cancelled"),
        "default",
        "ban",
        gettext_lazy("The drain was cancelled before this instance was moved."),
    ),
    MigrationState.UNKNOWN: Label(
        gettext_lazy("Unknown"),
        "danger",
        "question",
        gettext_lazy("It is not certain where the guest runs; check both hosts."),
    ),
}


def migration_state(state: str) -> Label:
    found = _MIGRATION_STATES[MigrationState(state)]
    return replace(found, text=str(found.text), help=str(found.help))

"""What an admin is offered on the drain page: for the drain, and for each instance of it.

What can be done in which state is `core.steering`'s to say, and who may do it the policy's; here
are the words, and which of them want a confirmation.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from ukcloud_maintenance.core import steering
from ukcloud_maintenance.core.actor import RULE_ABORT, Actor
from ukcloud_maintenance.core.states import (
    MIGRATION_IN_PROGRESS,
    Direction,
    DrainState,
    MigrationState,
)
from ukcloud_maintenance.core.steering import RULE_OF, RULE_OF_DRAIN, DrainVerb, Verb
from ukcloud_maintenance.services import DrainReport
from ukcloud_maintenance.store import Drain, InstanceMigration

from ..common.addresses import PANEL
from ..common.elements import dialog_link, joined

#: a retry to a host that the admin names: what `services.steer` takes as a destination
RETRY_ON = "retry_on"


@dataclass(frozen=True)
class Button:
    """What can be requested for instances.

    :param slug: a stable word, the name of its URL too
    :param confirm: whether a dialog asks first
    :param several: whether it can be requested for several instances at once
    :param interrupts: whether a guest, or its migration, is interrupted
    """

    slug: str
    verb: Verb
    text: str
    icon: str
    help: str
    confirm: bool = False
    several: bool = True
    interrupts: bool = False

    @property
    def menu_text(self) -> str:
        """With dots, where a dialog follows."""
        return f"{self.text}\N{HORIZONTAL ELLIPSIS}" if self.confirm else self.text


def buttons() -> list[Button]:
    """All of them, in the order in which they are shown."""
    return [
        Button(
            "retry",
            Verb.RETRY,
            _("Retry"),
            "rotate-right",
            _("Retry the instance with its full number of attempts."),
        ),
        Button(
            RETRY_ON,
            Verb.RETRY,
            _("Retry on a Host"),
            "rotate-right",
            _("Retry the instance to a host that you choose."),
            confirm=True,
        ),
        Button(
            "first",
            Verb.FIRST,
            _("Move to Front"),
            "angle-double-up",
            _("Start the instance next."),
        ),
        Button(
            "skip",
            Verb.SKIP,
            _("Skip"),
            "anchor",
            _("Leave the instance on the host."),
            confirm=True,
        ),
        Button(
            "abort",
            Verb.ABORT,
            _("Abort"),
            "stop",
            _("Stop the migration; the instance keeps running on its source host."),
            confirm=True,
            interrupts=True,
        ),
        Button(
            "force",
            Verb.FORCE,
            _("Force Complete"),
            "fast-forward",
            _("Pause the guest until the rest is copied."),
            confirm=True,
            interrupts=True,
        ),
        Button(
            "reset",
            Verb.RESET,
            _("Reset to Active"),
            "heartbeat",
            _("Set the state of the instance to active, if the evidence is complete."),
            confirm=True,
            several=False,
        ),
    ]


def button(slug: str) -> Button:
    return next(one for one in buttons() if one.slug == slug)


def url(slug: str, drain: Drain) -> str:
    return reverse(f"{PANEL}:instances_{slug}", args=[drain.pk])


class OfDrain(Protocol):
    """The part of a report of a drain that is looked at for one of its instances."""

    @property
    def drain(self) -> Drain: ...
    @property
    def can_retry(self) -> bool: ...


@dataclass(frozen=True)
class InNeed:
    """A drain, for an instance of it that needs a person: what failed in it can be retried, or
    nobody would be needed for that."""

    drain: Drain
    can_retry: bool = True


class Offers:
    """What this actor may ask for."""

    def __init__(self, actor: Actor):
        self.actor = actor

    def may(self, rule: str) -> bool:
        return self.actor.may(rule) is True

    @cached_property
    def buttons(self) -> list[Button]:
        """Those that may be offered at all."""
        return [one for one in buttons() if self.may(RULE_OF[one.verb])]

    def buttons_of(self, drain: Drain) -> list[Button]:
        """The same for this drain: where all go to one host, none is named for an instance."""
        one_way = bool(drain.destination) or drain.direction == Direction.BACK
        return [one for one in self.buttons if not (one_way and one.slug == RETRY_ON)]

    def of_row(self, row: InstanceMigration, report: OfDrain) -> list[str]:
        """The slugs of what can be requested for this instance now."""
        possible = set(steering.verbs(row, report.drain))
        if not report.can_retry:
            possible.discard(Verb.RETRY)
        return [one.slug for one in self.buttons_of(report.drain) if one.verb in possible]

    def of_drain(self, report: DrainReport) -> list[DrainVerb]:
        """What can be requested for the drain now."""
        drain = report.drain
        found = [v for v in steering.drain_verbs(drain) if self.may(RULE_OF_DRAIN[v])]
        if not report.can_retry or not failed_ones(report.migrations, drain):
            found = [verb for verb in found if verb is not DrainVerb.RETRY]
        if drain.state == DrainState.CANCELLING:
            # What is left to choose is whether migrations in progress are aborted.
            moving = any(row.state in MIGRATION_IN_PROGRESS for row in report.migrations)
            if not moving or not self.may(RULE_ABORT):
                found = [verb for verb in found if verb is not DrainVerb.CANCEL]
        return found

    def drain_buttons(self, report: DrainReport) -> SafeString | str:
        """The buttons above the table. Those that need no word more send the page's own form,
        which holds the token against forged requests."""
        drain = report.drain
        offered = self.of_drain(report)
        texts = {
            DrainVerb.PAUSE: _("Pause Drain"),
            DrainVerb.RESUME: _("Resume Drain"),
            DrainVerb.RETRY: _("Retry Failed"),
            DrainVerb.CHANGE: _("Change Drain"),
            DrainVerb.CANCEL: _("Cancel Drain"),
        }
        if drain.direction == Direction.BACK:
            texts |= {
                DrainVerb.PAUSE: _("Pause Bring-Back"),
                DrainVerb.RESUME: _("Resume Bring-Back"),
                DrainVerb.CHANGE: _("Change Bring-Back"),
                DrainVerb.CANCEL: _("Cancel Bring-Back"),
            }
        if drain.state == DrainState.CANCELLING:
            texts[DrainVerb.CANCEL] = _("Abort Migrations in Progress")
        shown = []
        for verb, name in DRAIN_URLS.items():
            if verb not in offered:
                continue
            address = reverse(f"{PANEL}:{name}", args=[drain.pk])
            danger = "danger" if verb is DrainVerb.CANCEL else "default"
            if verb in (DrainVerb.CHANGE, DrainVerb.CANCEL):
                shown.append(dialog_link(verb, danger, address, texts[verb]))
                continue
            shown.append(
                format_html(
                    '<button type="submit" id="mnt-{}" class="btn btn-default" form="mnt-post"'
                    ' formaction="{}">{}</button>',
                    verb.value,
                    address,
                    texts[verb],
                )
            )
        return joined(shown)


#: the names of the URLs of what is requested for a drain, in the order of the buttons
DRAIN_URLS = {
    DrainVerb.PAUSE: "pause_drain",
    DrainVerb.RESUME: "resume_drain",
    DrainVerb.RETRY: "retry_failed",
    DrainVerb.CHANGE: "change_drain",
    DrainVerb.CANCEL: "cancel_drain",
}


def failed_ones(rows: Iterable[InstanceMigration], drain: Drain) -> list[InstanceMigration]:
    """Those that failed and can be tried again."""
    return [
        row
        for row in rows
        if row.state == MigrationState.FAILED and not steering.objection(Verb.RETRY, row, drain)
    ]

"""Who needs a person: the sentence of the headline, and the list above the table."""

from collections.abc import Callable, Sequence
from datetime import datetime

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ukcloud_maintenance.core.drain.needs import VERBS, Need
from ukcloud_maintenance.core.message import LINES, Message, lines
from ukcloud_maintenance.core.states import DRAIN_TERMINAL, Direction, MigrationState
from ukcloud_maintenance.core.steering import Verb
from ukcloud_maintenance.services import DrainReport
from ukcloud_maintenance.store import Counts, Drain, InstanceMigration

from ..common import formats, labels
from ..common.elements import joined, needs_list
from . import course
from . import labels as instance_labels
from .offers import Button, OfDrain, Offers, url

#: the form of what is done for one instance without a question; it holds no check boxes
ONE_FORM = "mnt-one"
#: a sentence of the list is cut off here; the table has all of it
SHOWN = 200


def sentence(report: DrainReport) -> str:
    """The instances that need a person, in the words of the headline; empty where none does."""
    first = labels.alarm(report.counts, report.migrations)
    if report.drain.state in DRAIN_TERMINAL:
        return first
    by_need: dict[Need, list[str]] = {}
    for need, row in report.in_need:
        by_need.setdefault(need, []).append(row.server_name or row.server_id)
    if waiting_for_blocked(report):
        by_need.pop(Need.BLOCKED, None)  # the headline is about them
    if len(by_need) > 1:  # the list names them
        return _("%(who)s.") % {"who": labels.needs_you(len(report.in_need))}
    return first or "".join(_of_several(need, names) for need, names in by_need.items())


def _of_several(need: Need, names: list[str]) -> str:
    n = len(names)
    texts = {
        Need.STALLED: ngettext("%(who)s is stalled.", "%(who)s are stalled.", n),
        Need.NOT_CONVERGING: ngettext(
            "%(who)s is not converging.", "%(who)s are not converging.", n
        ),
        Need.FAILED: ngettext("%(who)s failed.", "%(who)s failed.", n),
        Need.ABORTED: ngettext("%(who)s was aborted.", "%(who)s were aborted.", n),
        Need.BLOCKED: ngettext("%(who)s is blocked.", "%(who)s are blocked.", n),
    }
    return texts[need] % {"who": labels.who(n, names)} if need in texts else ""


def waiting_for_blocked(report: DrainReport) -> str:
    """The headline where nothing is left but to wait for blocked ones; else empty."""
    rows = [row for need, row in report.in_need if need is Need.BLOCKED]
    return wait_for(rows, report.drain, report.counts, report.blocked_until, report.now)


def wait_for(
    blocked: Sequence[InstanceMigration],
    drain: Drain,
    counts: Counts,
    until: datetime | None,
    now: datetime,
) -> str:
    """The same of these ones of a drain.

    :param counts: of all of its instances
    :param until: when it no longer waits; None: it does not only wait
    """
    moves = counts.in_progress or counts[MigrationState.PENDING]
    if until is None or not blocked or moves or course.window_is_over(drain, now):
        return ""
    back = drain.direction == Direction.BACK
    if until <= now:  # the next pass ends it
        text = (
            _("Nothing is moving. The wait for %(who)s has ended; the bring-back ends as failed.")
            if back
            else _("Nothing is moving. The wait for %(who)s has ended; the drain ends as failed.")
        )
    else:
        text = (
            _(
                "Nothing is moving. Waiting until %(time)s for %(who)s, then the bring-back ends"
                " as failed."
            )
            if back
            else _(
                "Nothing is moving. Waiting until %(time)s for %(who)s, then the drain ends as"
                " failed."
            )
        )
    names = [row.server_name or row.server_id for row in blocked]
    return text % {"time": formats.clock(until, now), "who": labels.who(len(names), names)}


def needs_html(report: DrainReport, offers: Offers) -> SafeString | str:
    """The list of those that need a person, each with what is wrong and what helps."""
    return listed(report.in_need, lambda need, row: (verbs(need, row, report, offers), ""))


def listed(
    found: Sequence[tuple[Need, InstanceMigration]],
    more_of: Callable[[Need, InstanceMigration], tuple[SafeString | str, SafeString | str]],
) -> SafeString | str:
    """The list; empty where nobody is needed.

    :param more_of: what helps one of them, and where it belongs, both as HTML
    """
    return needs_list([_item(need, row, *more_of(need, row)) for need, row in found])


def verbs(need: Need, row: InstanceMigration, report: OfDrain, offers: Offers) -> SafeString:
    """What helps one of them, as buttons."""
    offered = offers.of_row(row, report)
    every = {one.verb: one for one in reversed(offers.buttons)}  # the first one of a verb
    buttons = [
        _button(report.drain, row, every[verb])
        for verb in VERBS[need]
        if verb in every and every[verb].slug in offered
    ]
    return joined(buttons)


def _item(
    need: Need, row: InstanceMigration, verbs: SafeString | str, place: SafeString | str
) -> SafeString:
    return format_html(
        '<li data-needs="{}"><div><a href="{}">{}</a> {} {} <span>{}</span></div>'
        '<div class="mnt-needs-verbs">{}</div></li>',
        row.pk,
        reverse("horizon:admin:instances:detail", args=[row.server_id]),
        row.server_name or row.server_id,
        place,
        instance_labels.state(row).html,
        what_is_wrong(need, row),
        verbs,
    )


def _button(drain: Drain, row: InstanceMigration, one: Button) -> SafeString:
    text = _("View Evidence") if one.verb is Verb.RESET else one.text
    name = row.server_name or row.server_id
    said = _("%(verb)s: %(name)s") % {"verb": text, "name": name}
    if one.confirm:
        return format_html(
            '<a id="mnt-needs-{}-{}" class="btn btn-default btn-sm ajax-modal" href="{}?row={}"'
            ' aria-label="{}">{}\N{HORIZONTAL ELLIPSIS}</a>',
            one.slug,
            row.pk,
            url(one.slug, drain),
            row.pk,
            said,
            text,
        )
    return format_html(
        '<button type="submit" id="mnt-needs-{}-{}" class="btn btn-default btn-sm" form="{}"'
        ' formaction="{}" name="row" value="{}" aria-label="{}">{}</button>',
        one.slug,
        row.pk,
        ONE_FORM,
        url(one.slug, drain),
        row.pk,
        said,
        text,
    )


def what_is_wrong(need: Need, row: InstanceMigration) -> str:
    """One sentence; the table has the rest."""
    if need is Need.NOT_CONVERGING:
        return _(
            "Its guest writes data at least as fast as it is copied, so the migration does not"
            " finish by itself."
        )
    if need is Need.STALLED:
        return _("No data is being copied: check the network and nova-compute on both hosts.")
    said = labels.said(row.message)
    if need is Need.UNKNOWN and not said:
        return _("It is not certain where its guest runs; check both hosts.")
    if need is Need.ARRIVED_WRONG and not said:
        return _("It arrived in ERROR, or in a different state than before.")
    return formats.cut(said, SHOWN)


def but_of_these(said: Message | None, report: DrainReport) -> Message | None:
    """What a drain says of its end, without the lines of those that are in the list."""
    if said is None or said.code != LINES:
        return said
    # Two instances may have the same name; one that stays is not one that failed.
    listed_ones = {(row.server_name, row.state) for _need, row in report.in_need}
    rest = [
        line
        for line in said.values["rest"]
        if (line.values.get("name"), line.values.get("state")) not in listed_ones
    ]
    return lines(said.values["first"], *rest)

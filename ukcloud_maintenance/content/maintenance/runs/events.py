"""The record of a run: what happened in it, with who did it."""

from collections.abc import Sequence
from datetime import datetime

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ukcloud_maintenance.core.message import Message
from ukcloud_maintenance.store import Event, Run

from ..common import formats, words
from ..common.addresses import PANEL

#: events that the page of a run shows; there is a page with all of them
SHOWN = 30
#: kinds of events that are bad news, and those that a person should see
_BAD = ("run_host_failed", "run_stopped", "run_failed")
_WARN = ("run_reminder", "run_paused", "run_pause_requested", "run_cancel_requested")


def event_text(event: Event) -> str:
    """What was said of it, with times in the reader's zone."""
    said = formats.in_zone(words.said(event.message, remedy=False))
    if event.kind == "run_requested":
        return _("Run requested: %(said)s") % {"said": said}
    return said


def listed(run: Run, record: Sequence[Event], now: datetime) -> SafeString:
    """The newest events, and where the others are."""
    newest = list(reversed(record))[:SHOWN]
    beyond = len(record) - len(newest)
    more: SafeString | str = ""
    if beyond > 0:
        text = ngettext("%(n)s earlier event", "%(n)s earlier events", beyond) % {
            "n": formats.number(beyond)
        }
        url = reverse(f"{PANEL}:run_record", args=[run.pk])
        more = format_html('<p><a href="{}">{}</a></p>', url, text)
    return format_html("{}{}", table(newest, now), more)


def table(found: Sequence[Event], now: datetime) -> SafeString:
    rows = format_html_join(
        "",
        '<tr class="mnt-event mnt-tone-{}"><td class="mnt-when">{}</td>'
        '<td class="mnt-who">{}</td><td class="mnt-wrap mnt-what">{}{}</td></tr>',
        (
            (
                _tone(one),
                formats.when(one.at, now, seconds=True),
                _who(one),
                _icon(one),
                event_text(one),
            )
            for one in found
        ),
    )
    return format_html(
        '<div class="table_wrapper table-responsive" tabindex="0" role="region" aria-label="{}">'
        '<table class="table mnt-table mnt-timeline"><caption class="sr-only">{}</caption><thead>'
        '<tr class="table_column_header"><th scope="col">{}</th><th scope="col">{}</th>'
        '<th scope="col">{}</th></tr></thead><tbody>{}</tbody></table></div>',
        _("Events of this run"),
        _("Events of this run"),
        _("When"),
        _("Who"),
        _("What"),
        rows,
    )


def _tone(one: Event) -> str:
    return "bad" if one.kind in _BAD else "warn" if one.kind in _WARN else "plain"


def _icon(one: Event) -> SafeString | str:
    icon = {"bad": "times", "warn": "exclamation-triangle"}.get(_tone(one))
    return format_html('<span class="fa fa-{}" aria-hidden="true"></span> ', icon) if icon else ""


def _who(one: Event) -> SafeString:
    icon = "user" if one.actor_id else "gear"
    name = one.actor if one.actor_id else _("worker")
    return format_html('<span class="fa fa-{}" aria-hidden="true"></span> {}', icon, name)


def host_of(said: Message | None) -> str:
    """The host that something was said of, or empty."""
    return str(said.values.get("host", "")) if said is not None else ""

"""What the pages of drains, plans and runs are made of, each piece escaped here."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ukcloud_maintenance.core.message import NAMED

from . import counted, formats
from .addresses import PANEL, of_host
from .formats import NOTHING


def joined(pieces: Iterable[SafeString | str], between: str = " ") -> SafeString:
    return format_html_join(between, "{}", ((piece,) for piece in pieces))


def host_link(host: str, region: str) -> SafeString:
    return format_html('<a href="{}">{}</a>', of_host("host", host, region), host)


def drain_link(pk: int) -> SafeString:
    url = reverse(f"{PANEL}:drain", args=[pk])
    return format_html('<a href="{}">{}</a>', url, _("Drain %(id)s") % {"id": pk})


def facts(found: Iterable[tuple[str, SafeString | str]]) -> SafeString:
    return format_html_join("", "<dt>{}</dt><dd>{}</dd>", found)


def elapsed(since: datetime | None, until: datetime | None, now: datetime) -> SafeString | str:
    """A time that ticks while it continues."""
    if since is None:
        return NOTHING
    if until:
        return formats.duration(until - since)
    return format_html(
        '<span data-since="{}">{}</span>', since.isoformat(), formats.duration(now - since)
    )


def bar(percent: int, kind: str, name: str, text: str, *, small: bool = False) -> SafeString:
    """How far something is.

    :param kind: Bootstrap's colour
    :param name: what is full at its end
    :param text: how far it is, in words
    """
    return format_html(
        '<div class="progress {}"><div class="progress-bar progress-bar-{} mnt-w-{}"'
        ' role="progressbar" aria-label="{}" aria-valuemin="0" aria-valuemax="100"'
        ' aria-valuenow="{}" aria-valuetext="{}"></div></div>',
        "mnt-small" if small else "mnt-progress",
        kind,
        percent,
        name,
        percent,
        text,
    )


def left_bar(
    share: counted.Share, kind: str, name: str, *, over: bool, small: bool = False
) -> SafeString:
    """How many have left. Only an end is a full bar: after the last one left, the host is still to
    be proved empty."""
    percent = share.percent if over else min(share.percent, 99)
    return bar(percent, kind, name, share.text, small=small)


def needs_list(items: Sequence[SafeString]) -> SafeString | str:
    """The list of those that need a person, not more than a person reads; empty for none."""
    if not items:
        return ""
    shown = [*items[:NAMED]]
    beyond = len(items) - NAMED
    if beyond > 0:
        more = ngettext("and %(n)s more", "and %(n)s more", beyond) % {"n": formats.number(beyond)}
        shown.append(format_html('<li class="mnt-quiet">{}</li>', more))
    return format_html(
        '<section class="mnt-needs" aria-labelledby="mnt-needs-title">'
        '<h2 class="h4" id="mnt-needs-title">'
        '<span class="fa fa-eye" aria-hidden="true"></span> {}</h2>'
        "<ul>{}</ul></section>",
        _("Needs you"),
        joined(shown, ""),
    )


#: the form that the buttons of a plan or a run belong to; it has the token against forged requests
STEER_FORM = "mnt-steer"


def verb_button(verb: Enum, icon: str, text: str, css: str = "") -> SafeString:
    """A button that asks for a verb of a plan or a run."""
    return format_html(
        '<button type="submit" id="mnt-{0}" class="btn btn-default{1}" form="{2}" name="verb"'
        ' value="{0}"><span class="fa fa-{3}" aria-hidden="true"></span> {4}</button>',
        verb.value,
        css,
        STEER_FORM,
        icon,
        text,
    )


def verb_buttons(can: Collection[Enum], words: Mapping[Any, tuple[str, str]]) -> list[SafeString]:
    """The buttons of verbs that can be asked for now.

    :param words: the text and the icon of each
    """
    return [verb_button(verb, icon, text) for verb, (text, icon) in words.items() if verb in can]


def dialog_links(
    can: Collection[Enum], pk: int, dialogs: Mapping[Any, tuple[str, str, str]]
) -> list[SafeString]:
    """The buttons that lead to the dialogs of a plan or a run.

    :param dialogs: of each verb Bootstrap's colour, the name of the dialog's address, and the text
    """
    return [
        dialog_link(verb, kind, reverse(f"{PANEL}:{name}", args=[pk]), text)
        for verb, (kind, name, text) in dialogs.items()
        if verb in can
    ]


def dialog_link(verb: Enum, kind: str, url: str, text: str) -> SafeString:
    """A button that leads to the dialog of a verb."""
    return format_html(
        '<a id="mnt-{}" class="btn btn-{} ajax-modal" href="{}">{}\N{HORIZONTAL ELLIPSIS}</a>',
        verb.value,
        kind,
        url,
        text,
    )

"""Numbers, sizes and times as they are shown: localized, in the user's time zone."""

import math
import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ukcloud_maintenance.core.record.axis import ticks
from ukcloud_maintenance.core.run.order import natural_key as natural_key

#: what is shown where there is nothing to show
NOTHING = "\N{EN DASH}"

#: names of instances or hosts that are told of many
NAMES_SHOWN = 6

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def as_html(text: str) -> SafeString:
    """Text as HTML, and HTML as it is.

    Not Django's `conditional_escape`: Horizon replaces what that calls by a function whose answer
    is no longer marked as safe, so that a template would escape it once more.
    """
    return format_html("{}", text)


def number(value: float, digits: int = 0) -> str:
    return formats.number_format(value, digits, use_l10n=True)


def size(value: float | None, like: float | None = None) -> str:
    """Bytes in binary units: 512 MiB, 1.5 GiB.

    :param like: use the unit of this size
    """
    if value is None:
        return NOTHING
    step = _step(value if like is None else like)
    shown = value / 1024**step
    digits = 0 if step == 0 or shown >= 100 or abs(shown - round(shown)) < 0.05 else 1
    return f"{number(shown, digits)} {_UNITS[step]}"


def _step(value: float) -> int:
    step = 0
    while abs(value) >= 1024 and step < len(_UNITS) - 1:
        value /= 1024
        step += 1
    return step


def size_of(part: float, whole: float) -> str:
    """A part and its whole in the unit of the whole: 1.2 of 4 GiB."""
    shown_part, _unit = size(part, like=whole).split(" ", 1)
    return _("%(part)s of %(whole)s") % {"part": shown_part, "whole": size(whole)}


def rate(value: float | None) -> str:
    """Bytes a second, or empty."""
    return _("%(size)s/s") % {"size": size(value)} if value else ""


def duration(value: timedelta | float) -> str:
    """3:05 or 1:02:45, as the script on the page writes it too."""
    seconds = int(value.total_seconds() if isinstance(value, timedelta) else value)
    minutes, seconds = divmod(max(0, seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def about(seconds: float) -> str:
    """A time in one unit: 45 s, 9 min, 2.5 h; the script on the page writes it the same way."""
    if seconds < 90:
        return _("%(n)s s") % {"n": number(max(1, math.ceil(seconds)))}
    if seconds < 7200:
        return _("%(n)s min") % {"n": number(math.ceil(seconds / 60))}
    return _("%(n)s h") % {"n": number(seconds / 3600, 1)}


def age(read_at: datetime | None, now: datetime) -> str:
    """How old what was read then is, at most; empty where it was read just now."""
    return about(max((now - read_at).total_seconds(), 1)) if read_at else ""


def zone(at: datetime) -> str:
    """The user's time zone as of a time: Europe/Berlin (UTC+01:00)."""
    name = timezone.get_current_timezone_name()
    offset = timezone.localtime(at).strftime("%z")
    if name == "UTC":
        return name
    return f"{name} (UTC{offset[:3]}:{offset[3:5]})"


def full_time(value: datetime | None) -> str:
    """Date and time in the user's time zone, the date as ISO 8601 has it."""
    if value is None:
        return NOTHING
    local = timezone.localtime(value)
    return f"{local:%Y-%m-%d %H:%M:%S}"


#: A time as the record holds it: in UTC, and says so.
_RECORDED = re.compile(r"\b(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:Z| UTC\b)")


def in_zone(text: str) -> str:
    """A text of the record, with its times in the user's time zone, which is named."""
    return _RECORDED.sub(
        lambda found: zoned_time(
            datetime.strptime(f"{found[1]} {found[2]} +0000", "%Y-%m-%d %H:%M:%S %z")
        ),
        text,
    )


def zoned_time(value: datetime | None) -> str:
    """Date and time in the user's time zone, which is named."""
    return NOTHING if value is None else f"{full_time(value)} {timezone.localtime(value):%Z}"


def clock(value: datetime, now: datetime, seconds: bool = False) -> str:
    """The time of day, with the date unless it is today's."""
    local = timezone.localtime(value)
    time = local.strftime("%H:%M:%S" if seconds else "%H:%M")
    if local.date() == timezone.localtime(now).date():
        return time
    return f"{local:%Y-%m-%d} {time}"


def when(value: datetime | None, now: datetime, seconds: bool = False) -> SafeString | str:
    """A time as an element that tells all of it when pointed at."""
    if value is None:
        return NOTHING
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        value.isoformat(),
        zoned_time(value),
        clock(value, now, seconds),
    )


def abbreviate(names: Iterable[str], between: str = ", ") -> str:
    """Some names, and how many more there are."""
    every = list(names)
    shown = between.join(every[:NAMES_SHOWN])
    more = len(every) - NAMES_SHOWN
    if more <= 0:
        return shown
    return ngettext("%(names)s and %(n)s more", "%(names)s and %(n)s more", more) % {
        "names": shown,
        "n": number(more),
    }


def between(least: str, most: str) -> str:
    """About how much, or about when."""
    if least == most:
        return _("about %(time)s") % {"time": least}
    return _("about %(least)s to %(most)s") % {"least": least, "most": most}


def at_a_time(n: int) -> str:
    """How many hosts at a time; 0: all."""
    if n < 2:
        return _("one after another") if n else _("all at once")
    return ngettext("%(n)s at a time", "%(n)s at a time", n) % {"n": number(n)}


def cut(text: str, most: int) -> str:
    """What is too long, up to a word's end."""
    if len(text) <= most:
        return text
    return text[:most].rsplit(" ", 1)[0].rstrip(".,:;") + "\N{HORIZONTAL ELLIPSIS}"


def labelled_ticks(
    begin: datetime, end: datetime, now: datetime, most: int = 8
) -> list[tuple[datetime, str]]:
    """Round moments from begin to end in the reader's zone, with what an axis says of each: its
    time, and its date where that is another one than the one before it, the first time today's.

    :param most: how many there may be
    """
    found = ticks(begin, end, timezone.get_current_timezone(), most)
    labelled = []
    day = timezone.localtime(now).date()
    for at in found.at:
        local = timezone.localtime(at)
        date = f"{local:%Y-%m-%d}"
        if found.step >= 86400:
            text = date
        else:
            text = local.strftime("%H:%M:%S" if found.step < 60 else "%H:%M")
            if local.date() != day:
                text = date if text == "00:00" else f"{date} {text}"
            day = local.date()
        labelled.append((at, text))
    return labelled

"""Windows by weekday and time in a named zone, in which a run may begin hosts.

    Mon-Fri 22:00-04:00 Europe/London
    Sat,Sun 00:00-24:00 UTC
    daily 01:00-05:00 Europe/London

A day is that of the beginning: Friday's 22:00-04:00 ends on Saturday. A window is closed at the
moment at which it ends, so one that begins then joins it.

**Changes of summer time.** A window begins, and ends, at the first moment at which the clocks of
its zone show that time or a later one. So 22:00-04:00 lasts five or seven hours in such a night; a
time that does not exist counts as the moment of the change; of a time that exists twice the first
one counts. A window that lies wholly in an hour that is left out is not open in that night.

**Bounds.** Nothing looks further ahead than `AHEAD`. Where it is open that long without a gap, it
counts as open without an end, and what asks for a moment gets one that is `FAR` ahead.

All moments that are taken or given are aware; those given are in UTC. Lengths are in seconds.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from math import isfinite
from zoneinfo import ZoneInfo

from ..backports import UTC
from ..message import MessageError, message

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAILY = "daily"
#: The minutes of a day by its clock.
DAY = 24 * 60
#: How far ahead windows are looked for. In two weeks each opens once at least, also where the
#: change of summer time leaves one of them out.
AHEAD = timedelta(days=15)
#: What is given where it is open without an end, from the moment asked about.
FAR = timedelta(days=8)
#: The longest that one host can take, in seconds; a forecast of more is a mistake.
LONGEST = 366 * 24 * 3600.0
#: Characters that a window may have.
LENGTH = 200

_NAMES = {
    name[:length].lower(): day
    for day, name in enumerate(
        ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    )
    for length in (3, len(name))
}
_SHAPE = re.compile(
    r"(?P<days>[^0-9:]*[^0-9:\s])\s+"
    r"(?P<begin>[0-9]+:[0-9]+)\s*-\s*(?P<end>[0-9]+:[0-9]+)"
    r"(?:\s+(?P<zone>\S+))?"
)
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})")
_ZONE = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")
#: Names that mean something else on each machine, or count leap seconds.
_NO_ZONES = re.compile(r"(posix|right)/.*|localtime|posixrules|Factory", re.IGNORECASE)
#: A zone that every time zone database has.
_COMMON_ZONE = "Europe/London"

#: (when it opens, when it closes), both in UTC.
Opening = tuple[datetime, datetime]


class WindowError(MessageError, ValueError):
    """A text that is no window; `said` has what is wrong with it, and how it is written."""


# -- one window ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Window:
    """One window; :func:`parse` makes it, and its text is parsed to the same window.

    :param days: those on which it begins, 0 is Monday
    :param begin: minutes after midnight by the clock, 0 to 1439
    :param end: the same, 1 to 1440; where it is less than `begin`, of the next day
    :param zone: name of the time zone, e.g. ``Europe/London``
    """

    days: frozenset[int]
    begin: int
    end: int
    zone: str

    def __str__(self) -> str:
        hours = "-".join((_clock(self.begin), _clock(self.end)))
        return " ".join((_days_text(self.days), hours, self.zone))

    def between(self, start: datetime, until: datetime) -> Iterator[Opening]:
        """The times at which it is open and that overlap the time between two moments, whole."""
        zone = find_zone(self.zone)
        day = start.astimezone(zone).date() - timedelta(days=2)
        last = until.astimezone(zone).date() + timedelta(days=1)
        length = self.end - self.begin + (DAY if self.end <= self.begin else 0)
        while day <= last:
            if day.weekday() in self.days:
                midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - by its clocks
                begin = midnight + timedelta(minutes=self.begin)
                opens = _first_moment(begin, zone)
                closes = _first_moment(begin + timedelta(minutes=length), zone)
                if opens < closes and opens < until and closes > start:
                    yield opens, closes
            day += timedelta(days=1)


def parse(text: str) -> Window:
    """A window as people write it: days, hours, zone.

    Days are English names, whole or of three letters, in any case, in ranges and lists with
    commas (``Fri-Mon`` goes over the end of the week; ``Mon-Mon`` is Monday alone), or ``daily``.
    A hyphen may be an en dash.

    :raises WindowError: it is none; `said` has the cause and the remedy
    """
    found = _SHAPE.fullmatch(text.replace("\N{EN DASH}", "-").strip()[: LENGTH + 1])
    if found is None or len(text) > LENGTH:
        raise WindowError(message("window_unreadable", text=text[:LENGTH]))
    days = _days_of(found["days"])
    begin, end = _minutes(found["begin"]), _minutes(found["end"])
    if begin == DAY:
        raise WindowError(message("window_begins_at_24", text=text))
    if begin == end:
        raise WindowError(message("window_has_no_length", time=_clock(begin)))
    if found["zone"] is None:
        raise WindowError(message("window_lacks_zone", text=text))
    find_zone(found["zone"])
    return Window(days, begin, end or DAY, found["zone"])


def find_zone(name: str) -> tzinfo:
    """The time zone of a name; UTC needs no time zone database.

    :raises WindowError: there is none, or no database
    """
    if name == "UTC":
        return UTC
    if _ZONE.fullmatch(name) and not _NO_ZONES.fullmatch(name):
        zone = _zone_or_none(name)
        if zone is not None:
            return zone
        if _zone_or_none(_COMMON_ZONE) is None:
            raise WindowError(message("window_no_time_zones", zone=name))
    raise WindowError(message("window_unknown_zone", zone=name))


def _zone_or_none(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # OSError: a folder, such as Europe
        return None


def _days_of(text: str) -> frozenset[int]:
    days: set[int] = set()
    for part in text.split(","):
        if part.strip().lower() == DAILY:
            days.update(range(7))
            continue
        first, _hyphen, last = part.partition("-")
        begin = _day(first)
        end = _day(last) if _hyphen else begin
        days.update((begin + after) % 7 for after in range((end - begin) % 7 + 1))
    return frozenset(days)


def _day(name: str) -> int:
    found = _NAMES.get(name.strip().lower())
    if found is None:
        raise WindowError(message("window_unknown_day", day=name.strip()))
    return found


def _minutes(time: str) -> int:
    found = _TIME.fullmatch(time)
    hours, minutes = (int(found[1]), int(found[2])) if found else (DAY, DAY)
    if minutes > 59 or hours * 60 + minutes > DAY:
        raise WindowError(message("window_bad_time", time=time))
    return hours * 60 + minutes


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _days_text(days: frozenset[int]) -> str:
    """Runs of three days and more as ranges, also over the end of the week."""
    if len(days) == 7:
        return DAILY
    parts: list[str] = []
    for first in sorted(day for day in days if (day - 1) % 7 not in days):
        run = [first]
        while (run[-1] + 1) % 7 in days:
            run.append((run[-1] + 1) % 7)
        names = [DAYS[day] for day in run]
        parts += ["-".join((names[0], names[-1]))] if len(run) > 2 else names
    return ",".join(parts)


def _first_moment(local: datetime, zone: tzinfo) -> datetime:
    """The first moment at which the clocks of a zone show this time or a later one, in UTC."""

    def shown(at: datetime) -> datetime:
        return at.astimezone(zone).replace(tzinfo=None)

    # of a time that exists twice, `fold=0` is the first one
    late = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if shown(late) == local:
        return late
    # It does not exist: the change lies between the moments that the two offsets give.
    early = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    while late - early > timedelta(seconds=1):
        middle = early + timedelta(seconds=(late - early) // timedelta(seconds=2))
        early, late = (early, middle) if shown(middle) >= local else (middle, late)
    return late


# -- several ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Windows:
    """Several windows, open where one of them is; with none it is always open."""

    windows: tuple[Window, ...] = ()

    def __str__(self) -> str:
        return "; ".join(map(str, self.windows))

    def open_until(self, now: datetime) -> datetime | None:
        """Until when it is open without a gap; None where it is closed.

        At most `FAR` ahead: where it is open without an end, or longer than that, it is `now` and
        `FAR`, however often it is asked.
        """
        found = self._opening_at(now)
        if found is None:
            return None
        latest = in_utc(now) + FAR
        return min(found[1] or latest, latest)

    def next_opening(self, now: datetime) -> Opening | None:
        """The next that begins after this moment, also where it is open now; at most `FAR` long.
        None where it is open without an end."""
        now = in_utc(now)
        if not self.windows:
            return None
        opens = next((o for o, _c in self._merged(now, now + AHEAD) if o > now), None)
        closes = self.open_until(opens) if opens else None
        return (opens, closes) if opens and closes else None

    def openings(self, now: datetime, until: datetime) -> tuple[Opening, ...]:
        """All between two moments, in order, joined where they touch, and cut at the two."""
        now, until = in_utc(now), in_utc(until)
        if now >= until:
            return ()
        if not self.windows:
            return ((now, until),)
        return tuple((max(o, now), min(c, until)) for o, c in self._merged(now, until))

    def fits(self, now: datetime, seconds: float) -> bool:
        """Whether what begins now and takes so long ends within what is open now, at the latest
        at the moment at which that closes."""
        length = length_of(seconds)
        found = self._opening_at(now)
        return found is not None and (found[1] is None or now + length <= found[1])

    def never_fits(self, now: datetime, seconds: float) -> bool:
        """Whether it is longer than each opening of the time `AHEAD`."""
        return self.begin(in_utc(now), length_of(seconds)) is None

    def _opening_at(self, now: datetime) -> tuple[datetime, datetime | None] | None:
        """(since when, until when it is open); None where it is closed, and for an end that is
        `AHEAD` or more ahead."""
        now = in_utc(now)
        if not self.windows:
            return now, None
        for opens, closes in self._merged(now, now + AHEAD):
            if opens <= now:  # it overlaps what was asked for, so it is not over
                return opens, closes if closes < now + AHEAD else None
        return None

    def begin(self, at: datetime, length: timedelta) -> tuple[datetime, datetime | None] | None:
        """The first moment, not before this one, at which something of this length can begin, and
        when it closes then; None where none comes."""
        found = self._opening_at(at)
        if found and (found[1] is None or at + length <= found[1]):
            return at, found[1]
        for opens, closes in self._merged(at, at + AHEAD):
            if opens > at:
                # the last of them may go on beyond where it was looked for
                whole = self._opening_at(opens) or (opens, closes)
                if whole[1] is None or opens + length <= whole[1]:
                    return opens, whole[1]
        return None

    def _merged(self, start: datetime, until: datetime) -> list[Opening]:
        """What overlaps the time between two moments, joined; the first and last may be cut."""
        found: list[Opening] = []
        for opens, closes in sorted(o for w in self.windows for o in w.between(start, until)):
            if found and opens <= found[-1][1]:
                found[-1] = (found[-1][0], max(found[-1][1], closes))
            else:
                found.append((opens, closes))
        return found


def parse_all(texts: Iterable[str]) -> Windows:
    """Several windows, each once, in the order given.

    :raises WindowError: for the first that is none
    """
    return Windows(tuple(dict.fromkeys(parse(text) for text in texts)))


def length_of(seconds: float) -> timedelta:
    """:raises ValueError: a length that makes no sense"""
    if not isfinite(seconds) or not 0 <= seconds <= LONGEST:
        raise ValueError(f"{seconds=}")
    return timedelta(seconds=seconds)


def in_utc(at: datetime) -> datetime:
    """:raises ValueError: a moment without its zone"""
    if at.tzinfo is None:
        raise ValueError(f"{at=}")
    return at.astimezone(UTC)

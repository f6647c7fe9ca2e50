"""Windows by weekday and time: how they are written, and when they are open, minute by minute."""

import subprocess
import sys
import zoneinfo
from contextlib import suppress
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import ukcloud_maintenance
from tests.examples import some
from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.run import windows as w
from ukcloud_maintenance.core.run.windows import Window, WindowError, Windows, parse, parse_all

MON, TUE, WED, THU, FRI, SAT, SUN = range(7)
EVERY_DAY = frozenset(range(7))
WORKDAYS = frozenset({MON, TUE, WED, THU, FRI})
MINUTE = timedelta(minutes=1)
LONDON = "Europe/London"
#: Half an hour of summer time, changes at midnight, none, a change of two hours, a day left out.
ZONES = (
    *(LONDON, "UTC", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kathmandu"),
    *("Antarctica/Troll", "America/New_York", "Asia/Beirut", "Pacific/Apia"),
)


def utc(*numbers: int) -> datetime:
    return datetime(*numbers, tzinfo=UTC)


#: Moments near changes in these zones.
CHANGES = (
    *(utc(2026, 3, 29, 1), utc(2026, 10, 25, 1), utc(2026, 4, 4, 15)),
    *(utc(2026, 10, 3, 15, 30), utc(2018, 11, 4, 3), utc(2018, 2, 18, 2)),
    *(utc(2026, 3, 8, 7), utc(2026, 11, 1, 6), utc(2011, 12, 30, 10)),
    *(utc(2026, 3, 28, 22), utc(2026, 10, 24, 21), utc(2026, 7, 1, 12)),
)


def one(text: str) -> Windows:
    return Windows((parse(text),))


# -- how they are written ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "days", "begin", "end", "zone"),
    [
        ("Mon-Fri 22:00-04:00 Europe/London", WORKDAYS, 22 * 60, 4 * 60, LONDON),
        ("Mon\N{EN DASH}Fri 22:00\N{EN DASH}04:00 Europe/London", WORKDAYS, 1320, 240, LONDON),
        ("Sat,Sun 00:00-24:00 UTC", {SAT, SUN}, 0, 1440, "UTC"),
        ("daily 01:00-05:00 Europe/London", EVERY_DAY, 60, 300, LONDON),
        ("Daily 1:00-5:00 Europe/London", EVERY_DAY, 60, 300, LONDON),
        ("fri-MON 10:00-11:30 UTC", {FRI, SAT, SUN, MON}, 600, 690, "UTC"),
        ("monday - wednesday , Sunday 10:00 - 11:00 UTC", {MON, TUE, WED, SUN}, 600, 660, "UTC"),
        ("Tue 22:00-00:00 UTC", {TUE}, 1320, 1440, "UTC"),
        ("Tue-Tue 22:00-24:00 UTC", {TUE}, 1320, 1440, "UTC"),
        ("Thu 1:00-2:00 America/Port-au-Prince", {THU}, 60, 120, "America/Port-au-Prince"),
        ("  Wed\t01:00-02:00   Etc/GMT+1 ", {WED}, 60, 120, "Etc/GMT+1"),
    ],
)
def test_is_read(text, days, begin, end, zone):
    assert parse(text) == Window(frozenset(days), begin, end, zone)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", message("window_unreadable", text="")),
        ("Mon-Fri", message("window_unreadable", text="Mon-Fri")),
        ("22:00-04:00 UTC", message("window_unreadable", text="22:00-04:00 UTC")),
        ("Mon 22:00 UTC", message("window_unreadable", text="Mon 22:00 UTC")),
        ("Mon 22-04 UTC", message("window_unreadable", text="Mon 22-04 UTC")),
        ("Mon 1:00-2:00 UTC !", message("window_unreadable", text="Mon 1:00-2:00 UTC !")),
        ("x" * 9999, message("window_unreadable", text="x" * 200)),
        ("Mo-Fr 22:00-04:00 UTC", message("window_unknown_day", day="Mo")),
        ("Mon-Blue 22:00-04:00 UTC", message("window_unknown_day", day="Blue")),
        ("Mon-Wed-Fri 22:00-04:00 UTC", message("window_unknown_day", day="Wed-Fri")),
        ("Mon, 22:00-04:00 UTC", message("window_unknown_day", day="")),
        ("Mon 25:00-04:00 UTC", message("window_bad_time", time="25:00")),
        ("Mon 22:00-24:01 UTC", message("window_bad_time", time="24:01")),
        ("Mon 22:60-04:00 UTC", message("window_bad_time", time="22:60")),
        ("Mon 22:0-04:00 UTC", message("window_bad_time", time="22:0")),
        ("Mon 24:00-04:00 UTC", message("window_begins_at_24", text="Mon 24:00-04:00 UTC")),
        ("Mon 04:00-04:00 UTC", message("window_has_no_length", time="04:00")),
        ("Mon 00:00-00:00 UTC", message("window_has_no_length", time="00:00")),
        ("Mon 22:00-04:00", message("window_lacks_zone", text="Mon 22:00-04:00")),
        ("Mon 22:00-04:00 Europe/Londn", message("window_unknown_zone", zone="Europe/Londn")),
        ("Mon 22:00-04:00 Europe", message("window_unknown_zone", zone="Europe")),
        ("Mon 22:00-04:00 ../etc/passwd", message("window_unknown_zone", zone="../etc/passwd")),
        ("Mon 22:00-04:00 /etc/passwd", message("window_unknown_zone", zone="/etc/passwd")),
        ("Mon 22:00-04:00 right/UTC", message("window_unknown_zone", zone="right/UTC")),
        ("Mon 22:00-04:00 localtime", message("window_unknown_zone", zone="localtime")),
        ("Mon 22:00-04:00 Köln", message("window_unknown_zone", zone="Köln")),
    ],
)
def test_what_cannot_be_read_is_refused(text, said):
    with pytest.raises(WindowError) as refused:
        parse(text)
    assert refused.value.said == said
    assert str(refused.value) == str(said)


WITHOUT_ZONES = """
import sys
from datetime import datetime

sys.modules["tzdata"] = None  # it may be beside the plugin
from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.core.run.windows import Windows, WindowError, parse

opening = Windows((parse("Mon 22:00-04:00 UTC"),)).next_opening(datetime(2026, 3, 2, tzinfo=UTC))
assert opening == (datetime(2026, 3, 2, 22, tzinfo=UTC), datetime(2026, 3, 3, 4, tzinfo=UTC))
try:
    parse("Mon 22:00-04:00 Europe/London")
except WindowError as refused:
    print(refused.said)
"""


def test_without_a_time_zone_database_this_is_said():
    """A Python that sees neither that of the system nor the package tzdata."""
    ours = Path(ukcloud_maintenance.__file__).parents[1]
    env = {"PYTHONTZPATH": "", "PYTHONPATH": str(ours)}
    command = [sys.executable, "-S", "-B", "-c", WITHOUT_ZONES]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    said = str(message("window_no_time_zones", zone=LONDON))
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, said, "")


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("monday-friday 22:00-4:00 Europe/London", "Mon-Fri 22:00-04:00 Europe/London"),
        ("Sun,Sat 0:00-24:00 UTC", "Sat,Sun 00:00-24:00 UTC"),
        ("Sat,Sun,Mon,Fri,Wed 01:00-0:00 UTC", "Wed,Fri-Mon 01:00-24:00 UTC"),
        ("Mon,Sun 01:00-02:00 UTC", "Sun,Mon 01:00-02:00 UTC"),
        ("Mon-Sun 01:00-02:00 UTC", "daily 01:00-02:00 UTC"),
    ],
)
def test_one_way_to_write_it(text, canonical):
    assert str(parse(text)) == canonical


windows = st.builds(
    Window,
    st.frozensets(st.sampled_from(range(7)), min_size=1),
    st.integers(0, 1439),
    st.integers(1, 1440),
    st.sampled_from(ZONES),
).filter(lambda window: window.begin != window.end)


@given(st.lists(windows, max_size=4))
def test_its_text_is_the_same_window(several):
    assert [parse(str(window)) for window in several] == several
    assert parse_all(map(str, several)).windows == tuple(dict.fromkeys(several))


def test_of_several_each_counts_once():
    several = ["Mon 01:00-02:00 UTC", "Tue 01:00-02:00 UTC", "Mon 01:00-02:00 UTC"]
    assert str(parse_all(several)) == "Mon 01:00-02:00 UTC; Tue 01:00-02:00 UTC"
    assert parse_all([]) == Windows()


@given(st.text(max_size=60))
def test_no_text_does_anything_but_be_refused(text):
    with suppress(WindowError):
        parse(text)


# -- when they are open ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "until"),
    [
        # a night of seven hours, one of five, an ordinary one
        (utc(2026, 10, 24, 21), utc(2026, 10, 25, 4)),
        (utc(2026, 3, 28, 22), utc(2026, 3, 29, 3)),
        (utc(2026, 1, 10, 22), utc(2026, 1, 11, 4)),
        (utc(2026, 1, 11, 3, 59), utc(2026, 1, 11, 4)),
        (utc(2026, 1, 11, 4), None),
        (utc(2026, 1, 10, 21, 59), None),
        # Sunday evening is none of its days
        (utc(2026, 1, 11, 23), None),
    ],
)
def test_a_night_in_which_the_clocks_change(now, until):
    assert one("Sat 22:00-04:00 Europe/London").open_until(now) == until


def test_a_window_in_the_hour_that_is_left_out_is_not_open_that_night():
    windows = one("Sun 01:10-01:50 Europe/London")
    opens, closes = windows.next_opening(utc(2026, 3, 23))
    assert (opens, closes) == (utc(2026, 4, 5, 0, 10), utc(2026, 4, 5, 0, 50))


def test_of_an_hour_that_comes_twice_the_first_counts():
    windows = one("Sun 01:10-01:50 Europe/London")
    assert windows.openings(utc(2026, 10, 24), utc(2026, 10, 26)) == (
        (utc(2026, 10, 25, 0, 10), utc(2026, 10, 25, 0, 50)),
    )


def test_windows_that_touch_or_overlap_are_one_opening():
    windows = parse_all(["Mon 20:00-22:00 UTC", " Mon 22:00-24:00 UTC", " Mon 23:00-01:00 UTC"])
    assert windows.open_until(utc(2026, 3, 2, 21)) == utc(2026, 3, 3, 1)
    assert windows.next_opening(utc(2026, 3, 2)) == (utc(2026, 3, 2, 20), utc(2026, 3, 3, 1))
    assert windows.next_opening(utc(2026, 3, 2, 20))[0] == utc(2026, 3, 9, 20)


def test_openings_are_cut_at_what_was_asked_about():
    windows = one("daily 22:00-04:00 UTC")
    assert windows.openings(utc(2026, 3, 2, 1), utc(2026, 3, 2, 23)) == (
        (utc(2026, 3, 2, 1), utc(2026, 3, 2, 4)),
        (utc(2026, 3, 2, 22), utc(2026, 3, 2, 23)),
    )
    assert windows.openings(utc(2026, 3, 2), utc(2026, 3, 2)) == ()
    assert Windows().openings(utc(2026, 3, 2), utc(2026, 3, 3)) == (
        (utc(2026, 3, 2), utc(2026, 3, 3)),
    )


@pytest.mark.parametrize(
    "texts",
    [
        [],
        ["daily 00:00-24:00 Europe/London"],
        ["daily 22:00-21:00 UTC", "daily 20:00-23:00 UTC"],
    ],
)
def test_where_it_is_always_open_the_end_is_far_ahead(texts):
    windows, now = parse_all(texts), utc(2026, 3, 27, 12)
    assert windows.open_until(now) == now + w.FAR
    assert windows.next_opening(now) is None
    assert windows.fits(now, w.LONGEST)
    assert not windows.never_fits(now, w.LONGEST)


def test_what_fits_ends_at_the_latest_when_it_closes():
    windows, now = one("Sat 22:00-04:00 Europe/London"), utc(2026, 1, 10, 23)
    assert windows.fits(now, 5 * 3600)
    assert not windows.fits(now, 5 * 3600 + 1)
    assert not windows.fits(utc(2026, 1, 10, 21), 60)
    assert not windows.never_fits(now, 6 * 3600)
    assert windows.never_fits(now, 6 * 3600 + 1)
    # the long night is near
    assert not windows.never_fits(utc(2026, 10, 20), 7 * 3600)


def test_the_last_opening_that_is_looked_at_counts_whole():
    """It begins before `AHEAD` is over, and its second window after it."""
    windows = parse_all(["Sat 22:00-02:00 Europe/London", " Sun 02:00-04:00 Europe/London"])
    now = utc(2026, 10, 9, 23)
    assert not windows.never_fits(now, 7 * 3600)
    assert windows.never_fits(now, 7 * 3600 + 1)


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), w.LONGEST + 1])
def test_a_length_that_makes_no_sense_is_refused(seconds):
    with pytest.raises(ValueError, match="seconds"):
        Windows().fits(utc(2026, 3, 2), seconds)


@pytest.mark.parametrize("ask", ["open_until", "next_opening"])
def test_a_moment_without_its_zone_is_refused(ask):
    with pytest.raises(ValueError, match="at="):
        getattr(Windows(), ask)(datetime(2026, 3, 2))  # noqa: DTZ001


def test_a_moment_in_another_zone_is_the_same_moment():
    windows, here = one("daily 22:00-04:00 UTC"), zoneinfo.ZoneInfo("Asia/Kathmandu")
    now = utc(2026, 3, 2, 23)
    assert windows.open_until(now.astimezone(here)) == utc(2026, 3, 3, 4)
    assert windows.next_opening(now.astimezone(here))[0].utcoffset() == timedelta(0)


# -- against the clock of the wall, minute by minute --------------------------------------------


def shows(window: Window, wall: datetime) -> bool:
    """Whether a window is open by what a clock on the wall shows."""

    def begins_on(day: date) -> bool:
        return day.weekday() in window.days

    minute, today = wall.hour * 60 + wall.minute, wall.date()
    if window.begin < window.end:
        return begins_on(today) and window.begin <= minute < window.end
    evening = begins_on(today) and minute >= window.begin
    return evening or (begins_on(today - timedelta(days=1)) and minute < window.end)


def open_minutes(several: list[Window], start: datetime, minutes: int) -> list[bool]:
    """Whether one of them is open, minute by minute, for clocks that are never turned back: in an
    hour that comes twice they stand still."""
    found = [False] * minutes
    for window in several:
        zone = zoneinfo.ZoneInfo(window.zone)
        highest = datetime.min  # noqa: DTZ901 - by the clock on the wall
        for minute in range(-180, minutes):
            shown = (start + minute * MINUTE).astimezone(zone).replace(tzinfo=None)
            highest = max(highest, shown)
            if minute >= 0 and shows(window, highest):
                found[minute] = True
    return found


starts = st.builds(
    lambda change, before: change - before * MINUTE,
    st.sampled_from(CHANGES),
    st.integers(0, 3 * 1440),
)
DAYS_SEEN = 8


@hypothesis_settings(max_examples=some(80), deadline=None)
@given(st.lists(windows, min_size=1, max_size=3), starts)
@example([Window(EVERY_DAY, 90, 150, LONDON)], utc(2026, 10, 24, 12))
@example([Window(EVERY_DAY, 70, 110, LONDON)], utc(2026, 3, 28, 12))
@example([Window(EVERY_DAY, 30, 90, LONDON)], utc(2026, 3, 28, 12))
@example([Window(frozenset({FRI}), 1320, 240, "Pacific/Apia")], utc(2011, 12, 29, 12))
@example([Window(frozenset({FRI}), 0, 1440, "Pacific/Apia")], utc(2011, 12, 29, 12))
@example([Window(EVERY_DAY, 0, 60, "America/Sao_Paulo")], utc(2018, 11, 3, 12))
@example([Window(EVERY_DAY, 105, 135, "Australia/Lord_Howe")], utc(2026, 4, 3, 12))
@example([Window(EVERY_DAY, 0, 1440, "Asia/Beirut")], utc(2026, 3, 27, 12))
def test_it_is_open_as_the_clock_on_the_wall_says(several, start):
    minutes = DAYS_SEEN * 1440
    open_at = open_minutes(several, start, minutes)
    mine, end = Windows(tuple(several)), start + minutes * MINUTE

    found = mine.openings(start, end)
    assert all(one_closes < next_opens for (_, one_closes), (next_opens, _) in pairwise(found))
    by_openings = [False] * minutes
    for opens, closes in found:
        assert opens < closes
        for minute in range((opens - start) // MINUTE, (closes - start) // MINUTE):
            by_openings[minute] = True
    assert by_openings == open_at

    changes = [m for m in range(1, minutes) if open_at[m] != open_at[m - 1]]
    for minute in {0, *changes, *(c - 1 for c in changes), minutes // 3}:
        now = start + minute * MINUTE
        until = mine.open_until(now)
        assert (until is not None) == open_at[minute]
        closes = next((m for m in changes if m > minute and not open_at[m]), None)
        if until is not None:
            if closes is not None:
                assert until == start + closes * MINUTE
                assert mine.fits(now, (closes - minute) * 60)
                assert not mine.fits(now, (closes - minute) * 60 + 1)
            else:
                assert end <= until <= now + w.FAR or until == now + w.FAR
        opens = next((m for m in changes if m > minute and open_at[m]), None)
        following = mine.next_opening(now)
        if opens is not None:
            assert following is not None
            assert following[0] == start + opens * MINUTE
        else:
            assert following is None or following[0] >= end

"""Is it going to end? Made-up courses, courses recorded from the demo cloud, and any course."""

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ukcloud_maintenance.core.copying import convergence
from ukcloud_maintenance.core.copying.convergence import ADVICE, Point, Verdict, course, keep
from ukcloud_maintenance.core.facts import Progress
from ukcloud_maintenance.messages import english_remedy

MIB = 1024**2
FLAVOR = 512 * MIB
#: Recorded from the demo cloud at 0.2 s, 512 MiB each: seconds (ten times as long), and disk and
#: memory as total, processed and remaining.
RECORDED = json.loads(Path(__file__).with_name("recorded_courses.json").read_text())

#: Recorded from a real libvirt and QEMU 7.2: seconds; memory in total, processed and remaining, and
#: disk remaining, in MiB, as Nova told them.
REAL = json.loads(Path(__file__).with_name("real_courses.json").read_text())["courses"]


def judge(points, **more):
    arguments = {
        "memory_total": FLAVOR,
        "disk_total": 0,
        "flavor_memory": FLAVOR,
        "patience_seconds": 600,
    }
    return course(points, **{**arguments, **more})


def memory(*remaining, rate=10 * MIB, every=5):
    """A memory copy of a steady rate; what remains in MiB."""
    return [Point(i * every, 0, int(r * MIB), i * every * rate) for i, r in enumerate(remaining)]


def verdicts(name):
    """What is said of a recorded migration each time that something new was seen of it."""
    seen, said = [], []
    for at, shown in recorded(name):
        new = convergence.point(shown, at)
        seen += [new] if new else []
        totals = {"memory_total": shown.memory_total_bytes, "disk_total": shown.disk_total_bytes}
        said.append(judge(seen, **totals))
    return said


def recorded(name):
    """(seconds, what Nova showed)."""
    for at, disk_total, disk_sent, disk_left, total, sent, left in RECORDED[name]:
        yield at, Progress(1, "running", total, sent, left, disk_total, disk_sent, disk_left)


def in_turn(courses):
    return [verdict for verdict, _ in itertools.groupby(found.verdict for found in courses)]


# -- recorded --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECORDED)
def test_the_recordings_are_long_enough_to_mean_something(name):
    assert len(RECORDED[name]) >= 20


@pytest.mark.parametrize("name", ["plain", "bouncing", "disk-first"])
def test_recorded_copies_that_end_are_never_said_not_to(name):
    said = in_turn(verdicts(name))
    assert set(said) == {"unknown", "converging"}
    assert said[-1] == "converging"


@pytest.mark.parametrize("name", ["plain", "disk-first"])
def test_the_time_left_of_a_steady_copy_is_what_it_takes(name):
    end = RECORDED[name][-1][0]
    for row, found in zip(RECORDED[name], verdicts(name), strict=True):
        if found.seconds_left is not None:
            really = end - row[0]
            assert really * 0.5 - 3 <= found.seconds_left <= really * 1.5 + 3


def test_a_recorded_writer_that_is_never_done():
    said = verdicts("never-converges")
    assert in_turn(said) == ["unknown", "converging", "unknown", "not_converging"]
    last = said[-1]
    assert last.seconds_left is None
    assert last.dirty_rate == pytest.approx(last.rate, rel=0.1)


def test_a_recorded_stall():
    said = verdicts("stall")
    assert in_turn(said) == ["unknown", "converging", "stalled"]
    assert (said[-1].rate, said[-1].seconds_left) == (0.0, None)
    assert said[-1].remaining == FLAVOR // 2


# -- real ------------------------------------------------------------------------------------


def replayed(course):
    """What is said at each sample of a real libvirt and QEMU, of what is stored until then."""
    stored = []
    for at, total, sent, left, disk in course["samples"]:
        new = Point(at, int(disk * MIB), int(left * MIB), int(sent * MIB))
        stored = keep(stored, new)
        total_bytes = int(total * MIB)
        yield judge(stored, memory_total=total_bytes, flavor_memory=128 * MIB)


def real(*guests):
    """The real courses of these guests, but for one that ended by luck in its fourth pass."""
    ended = [one for one in REAL if "dirties" in one["guest"] and len(one["samples"]) < 10]
    assert len(ended) == 1
    found = [one for one in REAL if one["guest"] in guests and one not in ended]
    assert found
    return pytest.mark.parametrize("course", found)


@real("writes nothing", "60 % filled, writes nothing", "fa")
def test_a_real_guest_that_writes_nothing_has_the_right_time_left(course):
    end = course["samples"][-1][0]
    for (at, *_), found in zip(course["samples"], replayed(course), strict=True):
        assert found.verdict in (Verdict.UNKNOWN, Verdict.CONVERGING)
        if found.seconds_left is not None:  # the last sample is up to 5 s before the end
            assert end - at - 5 <= found.seconds_left <= 2 * (end - at) + 8


@real("dirties 20 MB/s", "dirties 400 MB/s")
def test_a_real_guest_that_writes_as_fast_as_it_is_copied_is_never_promised_an_end(course):
    said = list(replayed(course))
    after_first_pass = [found for found in said if found.pass_size is not None]
    assert {found.seconds_left for found in after_first_pass} == {None}
    # once it is said, it is said to the end
    verdicts = [found.verdict for found in said]
    shown = verdicts.index(Verdict.NOT_CONVERGING)
    assert set(verdicts[shown:]) == {Verdict.NOT_CONVERGING}
    # by then the memory was sent once, what was written during that, and most of what was since
    (total, sent) = course["samples"][shown][1:3]
    assert sent <= total + 3 * 36.7 + (sent - course["samples"][shown - 1][2])


# -- made up ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "points",
    [
        [],
        memory(512),
        memory(512, 460),
        [Point(0, 0, 0, 0)] * 5,
        [Point(0, 0, 0, 0), Point(1, 0, 0, 0), *memory(400, 300)[1:]],
        [Point(t, 0, 400 * MIB, 100 * MIB) for t in (0, 5, 10, 15)],
    ],
    ids=["none", "one", "two", "zeros", "zeros and one", "one, seen four times"],
)
def test_two_points_are_no_trend(points):
    found = judge(points)
    assert found.verdict == Verdict.UNKNOWN
    assert found.seconds_left is None


def test_a_steady_copy():
    found = judge(memory(500, 450, 400, 350))
    assert found.verdict == Verdict.CONVERGING
    assert found.rate == pytest.approx(10 * MIB)
    assert found.progress == pytest.approx(10 * MIB)
    assert found.seconds_left == pytest.approx(35)
    assert found.remaining == 350 * MIB
    assert found.dirty_rate is None  # nothing shows it during the first pass


def test_a_steady_copy_that_takes_too_long_is_slow():
    points = memory(500, 450, 400, 350)
    assert judge(points, patience_seconds=34).verdict == Verdict.SLOW
    assert judge(points, patience_seconds=36).verdict == Verdict.CONVERGING


def test_the_rate_is_that_of_lately():
    """Fast for ten minutes, slow for the last one."""
    fast = [Point(t, 0, (60000 - 90 * t) * MIB, 90 * t * MIB) for t in range(0, 600, 10)]
    left, sent = fast[-1].memory_remaining, fast[-1].sent
    slow = [Point(590 + t, 0, left - t * MIB, sent + t * MIB) for t in range(5, 70, 5)]
    found = judge([*fast, *slow], memory_total=60000 * MIB)
    assert found.rate == pytest.approx(MIB)
    assert found.verdict == Verdict.SLOW


def test_one_leap_carries_no_forecast():
    """28.5, 0.8, 16.9 MiB, as measured on QEMU: it ended, but others go on like this for ever."""
    found = judge(memory(128, 78.5, 28.5, 0.8, 16.9), memory_total=128 * MIB)
    assert (found.verdict, found.seconds_left) == (Verdict.UNKNOWN, None)
    assert found.pass_size == pytest.approx((16.9 + 50 - 0.8) * MIB, abs=2)


def test_leaps_that_get_smaller_end():
    seen = list(_passes(500 * MIB, 40 * MIB, 28 * MIB, 2, 18))
    found = judge(seen, memory_total=500 * MIB)
    assert found.verdict == Verdict.CONVERGING
    assert found.dirty_rate == pytest.approx(28 * MIB, rel=0.05)
    # all passes together take 500 / (40 - 28) s, and 34 of these are over
    assert found.seconds_left == pytest.approx(500 / 12 - 34, abs=2)


def test_leaps_that_get_smaller_by_little_are_slow():
    seen = list(_passes(500 * MIB, 40 * MIB, 33 * MIB, 1, 33))
    found = judge(seen, memory_total=500 * MIB, patience_seconds=20)
    assert found.verdict == Verdict.SLOW
    assert found.seconds_left == pytest.approx(500 / 7 - 32, abs=3)


@pytest.mark.parametrize("growth", [1.0, 1.1, 0.99])
def test_leaps_that_do_not_get_smaller_do_not_end(growth):
    leaps = [value for n in range(4) for value in (200 * growth**n, 50)]
    found = judge(memory(500, *leaps, every=20, rate=7 * MIB))
    assert found.verdict == Verdict.NOT_CONVERGING
    assert found.seconds_left is None


def test_a_guest_that_writes_just_as_fast_as_it_is_copied():
    """No leap to be seen: what remains hardly moves while all of it was sent and more."""
    found = judge(memory(100, 100.5, 99.8, 100.2, 99.9, every=5, rate=10 * MIB))
    assert found.verdict == Verdict.NOT_CONVERGING
    found = judge(memory(100, 100.5, 99.8, 100.2, 99.9, every=1, rate=10 * MIB))
    assert found.verdict != Verdict.NOT_CONVERGING  # not a whole pass was seen


def test_a_disk_comes_before_the_memory():
    disk = [Point(t, (1000 - 10 * t) * MIB, 0, 10 * t * MIB) for t in range(10, 101, 10)]
    found = judge(disk, memory_total=0, disk_total=1000 * MIB)
    assert found.verdict == Verdict.CONVERGING
    assert found.remaining == FLAVOR
    assert found.seconds_left == pytest.approx(51.2)  # the memory's
    then = [Point(100 + t, 0, (512 - 10 * t) * MIB, (1000 + 10 * t) * MIB) for t in (1, 2, 3)]
    found = judge([*disk, *then], disk_total=1000 * MIB)
    assert found.verdict == Verdict.CONVERGING  # memory that starts is no leap
    assert found.dirty_rate is None
    assert found.seconds_left == pytest.approx(48.2)


def test_what_was_processed_may_pass_the_total():
    points = [Point(t, 0, max(512 - 16 * t, 0) * MIB, 40 * t * MIB) for t in range(1, 30)]
    found = judge(points)
    assert found.verdict == Verdict.CONVERGING
    assert found.progress == pytest.approx(16 * MIB)


def test_nothing_sent_for_long_is_stalled():
    points = [*memory(500, 400, 300), Point(20, 0, 300 * MIB, 100 * MIB)]
    assert judge(points).verdict != Verdict.STALLED
    later = Point(41, 0, 300 * MIB, 100 * MIB)
    assert judge([*points, later]).verdict == Verdict.STALLED
    assert judge([*points, later], stalled_seconds=60).verdict != Verdict.STALLED
    again = Point(46, 0, 250 * MIB, 150 * MIB)
    assert judge([*points, later, again]).verdict != Verdict.STALLED


def test_a_copy_that_never_began_is_stalled():
    assert judge([Point(0, 0, 0, 0), Point(31, 0, 0, 0)]).verdict == Verdict.STALLED


def test_pages_of_zeros_are_not_sent_and_no_stall():
    points = [Point(t, 0, (512 - t) * MIB, MIB) for t in range(0, 100, 5)]
    assert judge(points).verdict == Verdict.CONVERGING


# -- any -------------------------------------------------------------------------------------

sizes = st.one_of(st.integers(0, 2**40), st.sampled_from([0, 1, 512 * MIB]))
any_points = st.lists(st.builds(Point, st.floats(-1e9, 2e9), sizes, sizes, sizes), max_size=30)


@given(any_points, st.none() | sizes, st.none() | sizes, sizes, st.floats(0, 1e6))
def test_any_course_has_a_verdict(points, memory_total, disk_total, flavor, patience):
    found = judge(
        points,
        memory_total=memory_total,
        disk_total=disk_total,
        flavor_memory=flavor,
        patience_seconds=patience,
    )
    assert (found.seconds_left is not None) == (found.verdict in ("converging", "slow"))
    if found.seconds_left is not None:
        assert found.seconds_left >= 0
        assert found.progress > 0
        assert (found.seconds_left > patience) == (found.verdict == "slow")
    if found.verdict != Verdict.UNKNOWN:
        assert found.remaining >= 0
    assert found.dirty_rate is None or found.dirty_rate >= 0
    shuffled = sorted(points, key=lambda p: (p.at, p.sizes))
    if len({p.at for p in points}) == len(points):
        assert judge(shuffled[::-1], patience_seconds=patience, flavor_memory=flavor) == judge(
            shuffled, patience_seconds=patience, flavor_memory=flavor
        )


@given(
    total=st.integers(64, 10**6),
    rate=st.floats(1, 1e4),
    dirty=st.floats(0, 0.6),
    every=st.floats(1, 30),
)
@example(total=19752, rate=1057.0, dirty=0.5625, every=8.0)
def test_a_guest_that_writes_less_than_is_copied_is_never_said_not_to_end(
    total, rate, dirty, every
):
    """QEMU's passes: each copies what was written during the one before."""
    seen = list(_passes(total * MIB, rate * MIB, dirty * rate * MIB, every, 200))
    for n in range(len(seen) + 1):
        assert judge(seen[:n], memory_total=total * MIB).verdict != Verdict.NOT_CONVERGING


@given(
    total=st.integers(64, 10**5),
    rate=st.floats(10, 1e4),
    share=st.floats(0.2, 1),
    steps=st.floats(2.5, 9),
)
def test_a_guest_that_writes_the_same_again_in_every_pass_does_not_end(total, rate, share, steps):
    """… however the samples fall into the passes, a few passes after the first."""
    again = total * share * MIB
    every = max(again / (rate * MIB) / steps, 0.001)
    seen = []
    for n in range(int(steps * (1 / share + 7)) + 5):
        sent = n * every * rate * MIB
        first = sent < total * MIB
        left = total * MIB - sent if first else again - (sent - total * MIB) % again
        seen.append(Point(n * every, 0, int(left), int(sent)))
    assert judge(seen, memory_total=total * MIB).verdict == Verdict.NOT_CONVERGING


def _passes(total, rate, dirty_rate, every, limit):
    """Samples of a copy whose passes get smaller by the same factor."""
    at, sent, size = 0.0, 0.0, float(total)
    starts = []
    while size > MIB and len(starts) < 50:
        starts.append((at, size, sent))
        seconds = size / rate
        at, sent = at + seconds, sent + size
        size = dirty_rate * seconds
    for n in range(limit):
        now = n * every
        if now >= at:
            return
        begun, size, before = next(s for s in reversed(starts) if s[0] <= now)
        done = (now - begun) * rate
        yield Point(now, 0, int(max(size - done, 0)), int(before + done))


# -- what is stored --------------------------------------------------------------------------


def test_the_beginning_and_the_newest_are_kept():
    series = []
    for n in range(1000):
        series = keep(series, Point(n, 0, 1000 - n, n))
    assert len(series) == convergence.LIMIT
    assert (series[0].at, series[-1].at) == (0, 999)
    assert [p.at for p in series[-20:]] == list(range(980, 1000))  # lately nothing is thinned


def test_points_of_one_second_are_one():
    series = keep([Point(0, 0, 9, 1)], Point(0.5, 0, 8, 2))
    assert series == [Point(0, 0, 9, 1)]
    assert len(keep(series, Point(1.0, 0, 7, 3))) == 2
    assert keep(series, Point(-5, 0, 7, 3)) == series  # a clock that was set back


def test_a_stall_is_kept_by_its_ends_and_found():
    series = []
    for n in range(500):
        series = keep(series, Point(n, 0, max(500 - n, 300) * MIB, min(n, 200) * MIB))
    assert (series[-2].at, series[-1].at) == (200, 499)
    assert judge(series).verdict == Verdict.STALLED


@pytest.mark.parametrize("name", RECORDED)
def test_what_is_kept_says_the_same_as_all_that_was_seen(name):
    series, everything = [], []
    for at, shown in recorded(name):
        if seen := convergence.point(shown, at):
            everything.append(seen)
            series = keep(series, seen, limit=30)
    arguments = {"memory_total": FLAVOR, "disk_total": shown.disk_total_bytes}
    assert judge(series, **arguments).verdict == judge(everything, **arguments).verdict


@given(any_points, st.integers(0, 20))
def test_what_is_stored_is_bounded_and_in_order(points, limit):
    series = []
    for one in points:
        before = series
        series = keep(before, one, limit)
        assert len(series) <= max(limit, 4)
        assert all(b.at - a.at >= 1 for a, b in itertools.pairwise(series))
        assert series[0] == (before or [one])[0]
        assert series[-1] in (one, *before[-1:])


@given(st.lists(st.builds(Point, st.integers(0, 2**31).map(float), sizes, sizes, sizes)))
def test_points_are_stored_and_read_again(points):
    assert convergence.from_json(json.loads(json.dumps(convergence.to_json(points)))) == points


def test_nothing_stored_is_no_points():
    assert convergence.from_json(None) == convergence.from_json([]) == []


@pytest.mark.parametrize("stored", ["x", [1], [[1, 2, 3]], [[None, 1, 2, 3]], {"a": 1}])
def test_what_is_no_stored_course_is_not_read_as_one(stored):
    with pytest.raises(ValueError, match="not a stored course"):
        convergence.from_json(stored)


def test_points_of_what_nova_shows():
    assert convergence.point(Progress(1, "preparing"), 5) is None
    full = Progress(1, "running", 512, 100, 412, 1000, 900, 100)
    assert convergence.point(full, 5) == Point(5, 100, 412, 1000)
    assert convergence.point(Progress(1, "running", 512, 100, 412), 5) == Point(5, 0, 412, 100)


# -- what can be done ------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_has_its_ways_out_with_their_cost(verdict):
    codes = [way.code for way in ADVICE[verdict]]
    assert len(codes) == len(set(codes))
    assert set(codes) <= {"wait", "abort", "force_complete"}
    assert {"wait", "abort"} <= set(codes)
    assert all(english_remedy(way.said) for way in ADVICE[verdict])


def test_what_does_not_end_is_not_to_be_waited_for():
    assert ADVICE[Verdict.NOT_CONVERGING][0].code == "force_complete"
    assert ADVICE[Verdict.CONVERGING][0].code == "wait"


def test_how_long_a_guest_is_paused():
    assert convergence.pause_seconds(96 * MIB, 4 * MIB) == 24
    assert convergence.pause_seconds(0, 4 * MIB) == 0
    for remaining, rate in ((None, 1.0), (1, None), (1, 0.0), (1, -1.0)):
        assert convergence.pause_seconds(remaining, rate) is None

"""The stages that hosts of a run went through, from its record."""

from datetime import datetime, timedelta

from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.core.run.course import Happened, HostNow, Stretch, courses
from ukcloud_maintenance.core.run.states import Stage

START = datetime(2026, 3, 1, 22, tzinfo=UTC)


def at(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)


def happened(minutes: int, kind: str, host: str = "cmp1") -> Happened:
    return Happened(at(minutes), f"run_host_{kind}", host)


def course(stage: Stage, since: int, *events: Happened) -> list[tuple[Stage, int, int | None]]:
    found = courses([HostNow("cmp1", stage, at(since))], events)["cmp1"]

    def minutes(moment: datetime | None) -> int | None:
        return None if moment is None else int((moment - START).total_seconds() // 60)

    return [(one.stage, minutes(one.start), minutes(one.end)) for one in found]


def test_each_stage_ends_where_the_next_one_begins():
    found = course(
        Stage.ACTING, 9, happened(2, "draining"), happened(7, "ready"), happened(9, "acting")
    )
    assert found == [(Stage.DRAINING, 2, 7), (Stage.READY, 7, 9), (Stage.ACTING, 9, None)]


def test_what_is_of_other_hosts_or_says_nothing_of_a_stage_is_left_out():
    events = (
        *(happened(1, "draining", "cmp2"), happened(2, "draining"), happened(3, "approved")),
        *(Happened(at(4), "run_paused", "cmp1"), happened(5, "skip_requested")),
    )
    assert course(Stage.DRAINING, 2, *events) == [(Stage.DRAINING, 2, None)]


def test_a_retry_waits_until_it_goes_on():
    events = (
        *(happened(2, "draining"), happened(5, "failed"), happened(8, "retry_requested")),
        happened(9, "draining"),
    )
    assert course(Stage.DRAINING, 9, *events) == [
        (Stage.DRAINING, 2, 5),
        (Stage.FAILED, 5, 8),
        (Stage.WAITING, 8, 9),
        (Stage.DRAINING, 9, None),
    ]


def test_a_person_who_says_that_a_failed_host_is_done_does_not_end_it():
    events = (
        *(happened(2, "acting"), happened(5, "failed")),
        *(happened(8, "said_done"), happened(9, "done")),
    )
    assert course(Stage.DONE, 9, *events) == [
        (Stage.ACTING, 2, 5),
        (Stage.FAILED, 5, 8),
        (Stage.SETTLING, 8, 9),
        (Stage.DONE, 9, None),
    ]


def test_the_row_goes_before_the_record():
    assert course(Stage.WAITING, 0) == [(Stage.WAITING, 0, None)]
    # an event that is later than what the row says was read after it
    assert course(Stage.DRAINING, 2, happened(2, "draining"), happened(5, "failed")) == [
        (Stage.DRAINING, 2, None)
    ]
    # one that is missing
    assert course(Stage.READY, 4, happened(2, "draining"))[-1] == (Stage.READY, 4, None)


def test_no_host_is_forgotten():
    hosts = [HostNow(name, Stage.WAITING, START) for name in ("cmp1", "cmp2")]
    assert courses(hosts, []) == {
        name: (Stretch(Stage.WAITING, START, None),) for name in ("cmp1", "cmp2")
    }

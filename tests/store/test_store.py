"""The queue and the record, on SQLite, PostgreSQL and MariaDB."""

import io
import threading
from collections import Counter
from datetime import datetime, timedelta
from functools import partial

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import F
from django.utils import timezone

from tests.fakes import FakeCloud, server, service
from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.actor import Actor
from ukcloud_maintenance.core.attempt import RequestView
from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.core.message import text
from ukcloud_maintenance.core.preflight.judge import judge
from ukcloud_maintenance.core.states import (
    DRAIN_TERMINAL,
    DrainResult,
    DrainState,
    MigrationState,
    RequestKind,
)
from ukcloud_maintenance.exceptions import Refused, StaleState
from ukcloud_maintenance.models import Drain, Event, HostMaintenance, InstanceMigration

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
ROUNDS = 12
ADMINS = 6


def create(host="cmp1", servers=("a", "b"), region="RegionOne", now=NOW, **more) -> Drain:
    found = [server(s, host) if isinstance(s, str) else s for s in servers]
    values = {
        "service_id": "service-1",
        "reason": "kernel update",
        "max_concurrent": 2,
        "destination": "",
        "actor_id": "u1",
        "actor": "admin",
        "planned": [(s, judge(s)) for s in found],
        "project_names": {"p1": "customer"},
        **more,
    }
    return store.create_drain(region=region, host=host, now=now, **values)


def begin(drain: Drain) -> Drain:
    store.change_drain(drain, NOW, state=DrainState.RUNNING, started_at=NOW)
    return drain


def end(drain: Drain, state=DrainState.SUCCEEDED, result=DrainResult.EMPTY) -> None:
    store.finish_drain(drain, state, result, "Over.", "worker", NOW)


def read(drain: Drain) -> Drain:
    return store.drain(drain.pk)


def row(drain: Drain, name: str = "a") -> InstanceMigration:
    return drain.migrations.get(server_name=name)


# -- tables ----------------------------------------------------------------------------------


def test_all_migrations_are_applied_and_none_is_missing():
    executor = MigrationExecutor(connection)
    targets = [n for n in executor.loader.graph.leaf_nodes() if n[0] == "ukcloud_maintenance"]
    assert targets
    assert executor.migration_plan(targets) == []
    call_command(
        "makemigrations", "ukcloud_maintenance", check=True, dry_run=True, stdout=io.StringIO()
    )


def test_migrations_can_be_undone_and_done_again():
    call_command("migrate", "ukcloud_maintenance", "zero", verbosity=0)
    assert "ukcloud_maintenance_drain" not in connection.introspection.table_names()
    call_command("migrate", "ukcloud_maintenance", verbosity=0)
    create()


def test_what_is_written_is_what_is_read():
    text = "Wechsel der Lüfter 🔧 in 機架 7"
    large = server("große-1", memory_bytes=2**52, disk_bytes=2**60)
    drain = read(create(reason=text, servers=[large]))
    assert drain.reason == text
    assert drain.created_at == NOW
    found = row(drain, "große-1")
    assert (found.memory_bytes, found.disk_bytes) == (2**52, 2**60)
    assert found.created_at == NOW
    assert found.project_name == "customer"


def test_names_as_long_as_nova_allows():
    drain = create(host="h" * 255, reason="r" * 255, servers=[server("s" * 255, "h" * 255)])
    assert read(drain).host == "h" * 255
    assert row(drain, "s" * 255).source_compute == "h" * 255


# -- one drain a host ------------------------------------------------------------------------


def admin(number: int) -> Actor:
    return Actor(id=f"u{number}", name=f"admin-{number}", may=lambda rule: True)


@pytest.mark.parametrize("admins", [2, ADMINS])
def test_admins_who_ask_at_the_same_moment_get_one_drain(at_once, admins):
    for number in range(ROUNDS):
        host = f"cmp{number}"
        cloud = FakeCloud([service(host)], [server(f"{host}-{i}", host) for i in range(3)])
        request = services.DrainRequest(host, "kernel update")
        asked = at_once(
            [partial(services.request_drain, admin(i), cloud, request) for i in range(admins)]
        )
        [drain] = [a for a in asked if isinstance(a, Drain)]
        refusals = [a for a in asked if a is not drain]
        assert [(type(r), r.code, r.drain_id) for r in refusals] == [
            (Refused, "drain_open", drain.pk)
        ] * (admins - 1)
        assert list(store.drains_of("RegionOne", host)) == [drain]
        assert drain.migrations.count() == 3
        assert Event.objects.filter(drain=drain, kind="drain_requested").count() == 1
    assert InstanceMigration.objects.count() == 3 * ROUNDS


def test_drains_of_different_hosts_do_not_get_in_each_others_way(at_once):
    asked = at_once([partial(create, f"cmp{i}", servers=[f"s{i}"]) for i in range(ADMINS)])
    assert sorted(d.host for d in asked) == [f"cmp{i}" for i in range(ADMINS)]


SPELLINGS = ["cmp1", "CMP1", "Cmp1", "cmp1 ", " cmp1", "cmp\uff11", "cmp1\u200b", "cmpé", "cmpe"]


def test_hosts_of_another_spelling_are_other_hosts():
    """MariaDB's collation takes some of these for the same, and PAD SPACE for the rest."""
    drains = {host: create(host, servers=[f"on {host}"]) for host in SPELLINGS}
    for host, drain in drains.items():
        assert store.open_drain_of("RegionOne", host) == drain
        assert list(store.drains_of("RegionOne", host)) == [drain]
    records = store.host_records("RegionOne")
    assert {host: record.drain for host, record in records.items()} == drains
    alone = store.host_records("RegionOne", hosts=["cmp1"])
    assert {host: record.drain for host, record in alone.items()} == {"cmp1": drains["cmp1"]}
    assert store.host_records("RegionOne", hosts=[]) == {}
    end(begin(drains["cmp1"]))
    assert store.open_drain_of("RegionOne", "cmp1") is None
    assert store.open_drain_of("RegionOne", "CMP1") == drains["CMP1"]


def test_the_same_host_of_another_region_is_another_host():
    one, two = create(region="RegionOne"), create(region="regionone")
    assert store.open_drain_of("RegionOne", "cmp1") == one
    assert store.open_drain_of("regionone", "cmp1") == two
    assert store.host_records("regionone")["cmp1"].drain == two


def test_a_second_drain_of_a_host_is_refused_and_the_first_one_named():
    first = create()
    with pytest.raises(store.DrainExists) as caught:
        create(servers=["c"])
    assert caught.value.drain == first
    assert Drain.objects.count() == 1
    assert InstanceMigration.objects.filter(server_name="c").count() == 0


@pytest.mark.parametrize("state", sorted(DRAIN_TERMINAL))
def test_the_end_of_a_drain_gives_its_host_free(state):
    for _ in range(3):
        drain = begin(create())
        if state == DrainState.CANCELLED:
            store.change_drain(drain, NOW, state=DrainState.CANCELLING)
        end(drain, state)
    assert Drain.objects.filter(state=state, open_key=None).count() == 3


def test_a_failure_in_the_middle_leaves_nothing(monkeypatch):
    def planned():
        yield server("a"), judge(server("a"))
        raise RuntimeError("cut off")

    with pytest.raises(RuntimeError, match="cut off"):
        create(planned=planned())
    assert not Drain.objects.exists()

    def fail(*args, **kwargs):
        raise RuntimeError("no record")

    monkeypatch.setattr("ukcloud_maintenance.store.requests.add_event", fail)
    with pytest.raises(RuntimeError, match="no record"):
        create()
    assert not Drain.objects.exists()
    assert not InstanceMigration.objects.exists()


# -- compare and set -------------------------------------------------------------------------


def test_one_of_many_changes_a_drain(at_once):
    for number in range(ROUNDS):
        drain = create(f"cmp{number}", servers=[])
        changes = [
            partial(store.change_drain, read(drain), NOW, state=DrainState.RUNNING)
            for _ in range(ADMINS)
        ]
        outcomes = Counter(type(o) for o in at_once(changes))
        assert outcomes == {type(None): 1, StaleState: ADMINS - 1}
        assert read(drain).revision == drain.revision + 1


def test_one_of_many_submits_an_instance(at_once):
    """Two workers on one drain, against all odds: the server is asked for once."""
    for number in range(ROUNDS):
        drain = begin(create(f"cmp{number}", servers=["a"]))
        intents = [
            partial(
                store.change_migration,
                row(drain),
                NOW,
                state=MigrationState.SUBMITTED,
                attempts=1,
                request_id=f"worker-{i}",
                event=("submitted", f"worker-{i}", "", ""),
            )
            for i in range(ADMINS)
        ]
        outcomes = Counter(type(o) for o in at_once(intents))
        assert outcomes == {type(None): 1, StaleState: ADMINS - 1}
        winner = row(drain).attempt.request_id
        assert [e.actor for e in Event.objects.filter(drain=drain, kind="submitted")] == [winner]


def test_a_cancel_and_a_begin_at_the_same_moment(at_once):
    for number in range(ROUNDS):
        drain = create(f"cmp{number}")
        outcomes = at_once(
            [
                partial(store.cancel_drain, read(drain), "admin", NOW),
                partial(store.change_drain, read(drain), NOW, state=DrainState.RUNNING),
            ]
        )
        assert [isinstance(o, StaleState) for o in outcomes].count(True) == 1
        states = set(drain.migrations.values_list("state", flat=True))
        if read(drain).state == DrainState.CANCELLED:
            assert states == {MigrationState.CANCELLED}
        else:
            assert read(drain).state == DrainState.RUNNING
            assert states == {MigrationState.PENDING}


def test_a_change_of_what_was_read_before_another_attempt_is_stale():
    drain = begin(create())
    early = row(drain)
    late = row(drain)
    store.change_migration(late, NOW, state=MigrationState.SUBMITTED, attempts=1)
    store.change_migration(late, NOW, state=MigrationState.PENDING)
    assert early.state == late.state
    with pytest.raises(StaleState):
        store.change_migration(early, NOW, state=MigrationState.SUBMITTED, attempts=1)
    assert row(drain).attempts == 1


def test_one_of_two_ends_an_instance(at_once):
    """Of the same attempt: what keeps them apart is the state alone."""
    for number in range(ROUNDS):
        drain = begin(create(f"cmp{number}", servers=["a"]))
        store.change_migration(row(drain), NOW, state=MigrationState.SUBMITTED, attempts=1)
        ends = [MigrationState.SUCCEEDED, MigrationState.FAILED]
        outcomes = at_once(
            [partial(store.change_migration, row(drain), NOW, state=e) for e in ends]
        )
        assert [isinstance(o, StaleState) for o in outcomes].count(True) == 1
        assert row(drain).state == ends[outcomes.index(None)]


def test_a_stale_change_changes_and_records_nothing():
    drain = create()
    old = read(drain)
    begin(drain)
    before = (read(drain).revision, Event.objects.count())
    with pytest.raises(StaleState):
        store.change_drain(old, NOW, message=text("late"), event=("late", "me", text("late")))
    assert (read(drain).revision, Event.objects.count()) == before
    assert read(drain).message is None


@pytest.mark.parametrize("state", [DrainState.SUCCEEDED, DrainState.FAILED])
def test_a_way_that_is_not_allowed_is_not_gone(state):
    drain = create()
    with pytest.raises(ValueError, match="cannot go from pending"):
        store.change_drain(drain, NOW, state=state)
    assert read(drain).state == DrainState.PENDING


def test_nothing_follows_the_end():
    drain = begin(create())
    end(drain)
    for state in DrainState:
        if state != drain.state:
            with pytest.raises(ValueError, match="cannot go from succeeded"):
                store.change_drain(read(drain), NOW, state=state)


def test_an_instance_cannot_arrive_unasked():
    drain = begin(create())
    with pytest.raises(ValueError, match="cannot go from pending to succeeded"):
        store.change_migration(row(drain), NOW, state=MigrationState.SUCCEEDED)
    assert row(drain).state == MigrationState.PENDING


def test_an_end_that_is_none():
    with pytest.raises(ValueError, match="not an end"):
        store.finish_drain(create(), DrainState.RUNNING, DrainResult.EMPTY, "", "me", NOW)


def test_the_end_of_an_instance_has_its_time():
    drain = begin(create())
    found = row(drain)
    store.change_migration(found, NOW, state=MigrationState.SUBMITTED)
    assert row(drain).finished_at is None
    store.change_migration(found, NOW, state=MigrationState.SUCCEEDED)
    assert row(drain).finished_at == NOW
    store.change_migration(found, NOW, state=MigrationState.PENDING)  # it came back
    assert row(drain).finished_at is None


# -- revision --------------------------------------------------------------------------------


def test_every_change_raises_the_revision():
    drain = create()
    seen = [store.revision(drain.pk)]

    def raised():
        seen.append(store.revision(drain.pk))
        return seen[-1] == seen[-2] + 1

    begin(drain)
    assert raised()
    store.change_drain(drain, NOW, message="half way")
    assert raised()
    store.change_migration(row(drain), NOW, state=MigrationState.SUBMITTED)
    assert raised()
    store.change_migration(row(drain), NOW, fraction=0.5)
    assert raised()
    store.record(drain, None, NOW, "note", "me", "something")
    assert raised()
    store.add_server(drain, server("late"), judge(server("late")), "worker", NOW)
    assert raised()
    assert store.revision(drain.pk + 1) is None


def test_a_row_that_changed_is_marked_with_the_revision_that_it_changed_at():
    """A page that has seen a revision is sent the rows of later ones, on every database."""
    drain = begin(create(servers=["a", "b", "c"]))
    moved, other, _last = store.migrations(drain)

    def changed() -> set[str]:
        """The rows of the newest revision; that is the drain's."""
        newest = store.revision(drain.pk)
        assert store.migrations(drain).filter(revision__gt=newest).count() == 0
        return {found.server_name for found in store.migrations(drain).filter(revision=newest)}

    store.change_migration(moved, NOW, state=MigrationState.SUBMITTED)
    assert changed() == {"a"}
    store.change_migration(moved, NOW, nova_status="running")
    assert changed() == {"a"}
    store.add_request(other, RequestView(RequestKind.ABORT), NOW)
    assert changed() == {"b"}
    store.change_migration(other, NOW, request={"tries": 1})
    assert changed() == {"b"}
    store.record(drain, other, NOW, "note", "me", "something")
    assert changed() == set()
    store.add_server(drain, server("late"), judge(server("late")), "worker", NOW)
    assert changed() == {"late"}
    seen = store.revision(drain.pk)
    store.put_first(drain, other, "me", NOW)
    news = [found.server_name for found in store.migrations_since(drain, seen)]
    assert news == ["b", "a", "c", "late"]
    outlines = [bool(f.get_deferred_fields()) for f in store.migrations_since(drain, seen)]
    assert outlines == [False, False, True, True]  # b changed, and a is in progress


def test_a_cancel_before_it_began_marks_the_rows():
    drain = create(servers=["a", "b"])
    before = store.revision(drain.pk)
    store.cancel_drain(drain, "me", NOW)
    assert store.migrations(drain).filter(revision__gt=before).count() == 2


def test_no_raise_is_lost(at_once):
    drain = begin(create())
    before = store.revision(drain.pk)
    assert (
        at_once([partial(store.record, drain, None, NOW, "note", "me", "x") for _ in range(ADMINS)])
        == [None] * ADMINS
    )
    assert store.revision(drain.pk) == before + ADMINS


def test_what_a_page_does_not_show_does_not_raise_it():
    drain = create()
    before = store.revision(drain.pk)
    taken = store.claim("w1", NOW, 60)
    store.renew(taken, "w1", NOW + timedelta(seconds=60))
    store.release(taken, "w1", NOW)
    assert store.revision(drain.pk) == before


# -- claims ----------------------------------------------------------------------------------


def test_two_workers_never_hold_the_same_drain(at_once):
    drains = [create(f"cmp{i}", servers=[]) for i in range(4)]
    held: dict[int, str] = {}
    lock = threading.Lock()
    clashes = []
    turns: Counter[int] = Counter()

    def work(name: str) -> int:
        taken_by_me = 0
        for _ in range(ROUNDS):
            drain = store.claim(name, timezone.now(), 600)
            if drain is None:
                continue
            with lock:
                if drain.pk in held:
                    clashes.append((drain.pk, name, held[drain.pk]))
                held[drain.pk] = name
                turns[drain.pk] += 1
            taken_by_me += 1
            with lock:
                del held[drain.pk]
            store.release(drain, name, timezone.now())
        return taken_by_me

    outcomes = at_once([partial(work, f"w{i}") for i in range(ADMINS)])
    assert clashes == []
    assert all(isinstance(number, int) for number in outcomes), outcomes
    assert sum(outcomes) == turns.total() > 0
    assert set(turns) == {d.pk for d in drains}  # none is left out


def test_one_drain_and_many_workers_at_the_same_moment(at_once):
    for number in range(ROUNDS):
        drain = create(f"cmp{number}", servers=[])
        outcomes = at_once([partial(store.claim, f"w{i}", NOW, 60) for i in range(ADMINS)])
        assert [o for o in outcomes if o is not None] == [drain]
        end(begin(drain))


def test_a_claim_ends_with_its_lease_and_not_before():
    drain = create()
    assert store.claim("w1", NOW, 60) == drain
    assert store.claim("w2", NOW + timedelta(seconds=59), 60) is None
    taken = store.claim("w2", NOW + timedelta(seconds=61), 60)
    assert (taken, taken.claimed_by) == (drain, "w2")
    # the one that came back late gives back nothing that is not its own
    store.release(drain, "w1", None)
    store.renew(drain, "w1", NOW + timedelta(days=1))
    assert store.claim("w3", NOW + timedelta(seconds=62), 60) is None


def test_a_drain_is_taken_when_it_is_due_and_the_longest_due_first():
    early, late = create("cmp1"), create("cmp2")
    for drain, seconds in ((early, 10), (late, 5)):
        store.release(store.claim("w", NOW, 60), "w", None)
        Drain.objects.filter(pk=drain.pk).update(next_pass_at=NOW + timedelta(seconds=seconds))
    assert store.claim("w", NOW, 60) is None
    assert store.claim("w", NOW + timedelta(seconds=20), 60) == late
    assert store.claim("w", NOW + timedelta(seconds=20), 60) == early
    new = create("cmp3")
    assert store.claim("w", NOW + timedelta(seconds=20), 60) == new


@pytest.mark.parametrize("asked", ["change", "cancel", "pause", "skip", "first", "wish"])
def test_what_is_asked_for_during_a_pass_is_due_when_it_ends(asked):
    drain = begin(create())
    for _ in range(2):
        store.release(store.claim("w1", NOW, 60), "w1", NOW)
    held = store.claim("w1", NOW, 60)
    known = read(drain)
    match asked:
        case "change":
            store.adjust_drain(known, "ann", NOW, "", max_concurrent=5)
        case "cancel":
            store.cancel_drain(known, "ann", NOW)
        case "pause":
            store.pause_drain(known, "ann", NOW)
        case "skip":
            store.skip_instance(known, row(drain), "ann", NOW)
        case "first":
            store.put_first(known, row(drain), "ann", NOW)
        case "wish":
            store.make_request(known, row(drain), RequestKind.ABORT, "ann", NOW)
    later = NOW + timedelta(seconds=10)
    store.release(held, "w1", later)
    again = store.claim("w2", NOW, 60)
    assert again == drain
    store.release(again, "w2", later)
    assert store.claim("w3", NOW, 60) is None, "nothing was asked for since"
    assert store.claim("w3", later, 60) == drain


def test_the_first_pass_over_a_drain_is_not_the_only_one_that_can_be_called_for():
    drain = create()
    held = store.claim("w1", NOW, 60)
    store.pause_drain(read(drain), "ann", NOW)
    store.release(held, "w1", NOW + timedelta(seconds=10))
    assert store.claim("w2", NOW, 60) == drain


def test_drains_that_are_over_and_regions_of_others_are_left_alone():
    end(begin(create("cmp1")))
    create("cmp2", region="elsewhere")
    assert store.claim("w", NOW, 60, ["RegionOne"]) is None
    assert store.claim("w", NOW, 60, ["elsewhere"]).host == "cmp2"


def test_a_worker_that_stops_gives_back_what_it_holds():
    drain = create()
    store.sign_of_life("w1", "ctl1", 1, NOW)
    store.claim("w1", NOW, 600)
    store.worker_stopped("w1", NOW)
    assert store.claim("w2", NOW, 600) == drain
    assert not store.worker_status(NOW, 60).alive


def test_many_signs_of_life_of_one_worker_at_the_same_moment(at_once):
    assert (
        at_once([partial(store.sign_of_life, "w1", "ctl1", 1, NOW) for _ in range(ADMINS)])
        == [None] * ADMINS
    )
    status = store.worker_status(NOW + timedelta(seconds=59), 60)
    assert (status.alive, status.names, status.seen_at) == (True, ("w1",), NOW)
    assert not store.worker_status(NOW + timedelta(seconds=61), 60).alive


def test_everything_at_the_same_moment_is_no_deadlock(at_once):
    """Workers, admins and pages on one drain: each gets its change or a StaleState."""

    def fly(drain, name):
        found = row(drain, name)
        store.change_migration(found, NOW, state=MigrationState.SUBMITTED, attempts=1)
        for share in range(5):
            store.change_migration(found, NOW, fraction=share / 5, event=("sample", "w", "", ""))
        store.change_migration(found, NOW, state=MigrationState.SUCCEEDED)

    def join_late(drain, name):
        store.add_server(drain, server(name), judge(server(name)), "w", NOW)
        store.record(drain, row(drain, name), NOW, "note", "w", "x")

    for number in range(3):
        drain = begin(create(f"cmp{number}", servers=["a", "b", "c"]))
        outcomes = at_once(
            [
                *(partial(fly, drain, name) for name in "abc"),
                *(partial(join_late, drain, name) for name in ("d", "e")),
                partial(store.cancel_drain, read(drain), "admin", NOW),
                partial(store.host_records, "RegionOne"),
                partial(join, read(drain), "enabled"),
            ]
        )
        errors = [o for o in outcomes if isinstance(o, Exception)]
        assert all(isinstance(error, StaleState) for error in errors), errors
        assert store.counts([drain.pk])[drain.pk].by_state == {"succeeded": 3, "pending": 2}


# -- servers that join, and cancelling -------------------------------------------------------


def test_a_server_joins_a_drain_once(at_once):
    drain = begin(create())
    late = server("late")
    joined = at_once(
        [partial(store.add_server, drain, late, judge(late), f"w{i}", NOW) for i in range(ADMINS)]
    )
    assert [type(j) for j in joined if j is not None] == [InstanceMigration]
    assert list(drain.migrations.values_list("server_name", flat=True)) == ["a", "b", "late"]
    assert Event.objects.filter(drain=drain, kind="joined").count() == 1


def test_a_drain_that_nobody_took_is_cancelled_at_once():
    stopped = server("off", status="SUSPENDED")
    drain = create(servers=["a", stopped])
    assert store.cancel_drain(drain, "admin", NOW) == DrainState.CANCELLED
    assert (row(drain).state, row(drain, "off").state) == (
        MigrationState.CANCELLED,
        MigrationState.STAYS,
    )
    assert read(drain).open_key is None
    assert read(drain).cancelled_by == "admin"


def test_a_drain_that_runs_waits_for_what_flies():
    drain = begin(create())
    store.change_migration(row(drain), NOW, state=MigrationState.SUBMITTED)
    assert store.cancel_drain(drain, "admin", NOW) == DrainState.CANCELLING
    assert row(drain).state == MigrationState.SUBMITTED
    assert read(drain).open_key


# -- counts, records and the maintenance of a host -------------------------------------------


def test_counts_by_state():
    drain = begin(create(servers=["a", "b", server("off", status="SUSPENDED")]))
    first = row(drain)
    store.change_migration(first, NOW, state=MigrationState.SUBMITTED)
    store.change_migration(first, NOW, state=MigrationState.SUCCEEDED)
    empty = create("cmp2", servers=[])
    counts = store.counts([drain.pk, empty.pk])
    assert counts[drain.pk].by_state == {"succeeded": 1, "pending": 1, "stays": 1}
    assert (counts[drain.pk].total, counts[drain.pk].left) == (3, 1)
    assert counts[empty.pk].total == 0


def test_the_record_of_a_host_is_its_newest_drain():
    end(begin(create(servers=["a"])))
    newest = create(servers=["b"])
    [record] = store.host_records("RegionOne").values()
    assert record.drain == newest
    assert record.counts.total == 1


def test_the_records_of_the_hosts_of_which_something_changed_lately():
    drains = {host: begin(create(host)) for host in ("old", "kept", "ended", "again", "open")}
    join(drains["kept"], "enabled")
    for host in ("old", "kept", "again", "ended"):
        end(drains[host])
    long_ago = NOW - timedelta(hours=2)
    Drain.objects.exclude(host="ended").filter(finished_at__isnull=False).update(
        finished_at=long_ago
    )
    drains["again"] = create("again")
    lately = NOW - timedelta(hours=1)
    every = store.host_records("RegionOne")
    found = store.host_records("RegionOne", finished_after=lately)
    assert set(every) - set(found) == {"old"}
    assert all(found[host] == every[host] for host in found)
    assert {host: record.drain for host, record in found.items()} == {
        host: drain for host, drain in drains.items() if host != "old"
    }
    alone = store.host_records("RegionOne", hosts=["old", "open"], finished_after=lately)
    assert set(alone) == {"open"}


def join(drain: Drain, status: str, reason: str = "") -> HostMaintenance:
    return store.join_maintenance(
        drain, found_status=status, found_reason=reason, service_id="service-1", now=NOW
    )


def test_a_second_drain_joins_the_maintenance_of_the_first():
    first = begin(create())
    opened = join(first, "enabled")
    store.intend_to_disable(opened, "kernel update")
    store.disabled(opened, NOW)
    end(first)
    second = begin(create())
    joined = join(second, "disabled", "kernel update")
    assert joined == opened
    assert (joined.found_status, joined.our_reason) == ("enabled", "kernel update")
    assert read(second).maintenance == opened


def test_two_workers_open_one_maintenance(at_once):
    for number in range(ROUNDS):
        drain = begin(create(f"cmp{number}", servers=[]))
        joined = at_once([partial(join, read(drain), "enabled") for _ in range(2)])
        assert [j.pk for j in joined] == [read(drain).maintenance_id] * 2


def test_a_host_that_was_enabled_by_hand_is_in_a_new_maintenance():
    first = begin(create())
    opened = join(first, "enabled")
    store.intend_to_disable(opened, "kernel update")
    store.disabled(opened, NOW)
    end(first)
    second = join(begin(create()), "enabled")
    assert second != opened
    assert HostMaintenance.objects.filter(closed_at=None).count() == 1
    assert store.open_maintenance("RegionOne", "cmp1") == second
    assert store.open_maintenance("RegionOne", "CMP1") is None


def test_maintenances_that_are_over_leave_room_for_the_next():
    for _ in range(3):
        drain = begin(create())
        store.close_maintenance(join(drain, "enabled"), NOW)
        end(drain)
    assert HostMaintenance.objects.filter(open_key=None).count() == 3


def test_nothing_is_opened_in_a_drain_that_another_worker_has_ended():
    """Nobody would work it off."""
    drain = begin(create(servers=["a"]))
    back = row(drain)
    store.change_migration(back, NOW, state=MigrationState.GONE)
    end(read(drain))
    with pytest.raises(StaleState):
        store.add_server(drain, server("late"), judge(server("late")), "worker", NOW)
    with pytest.raises(StaleState):
        store.change_migration(back, NOW, state=MigrationState.PENDING)
    assert [one.state for one in store.migrations(drain)] == [MigrationState.GONE]


def test_what_came_back_is_counted_to_the_letter():
    drain = create(servers=SPELLINGS)
    Drain.objects.filter(pk=drain.pk).update(direction="back")
    drain.migrations.update(state="gone", dest_compute=F("server_name"))
    drain = read(drain)
    counts = store.counts([drain.pk])[drain.pk]
    assert counts == store.counts_of(drain, store.migrations(drain))
    assert counts.left == 1


@pytest.mark.parametrize("direction", ["away", "back"])
def test_a_run_back_counts_who_came_back(direction):
    drain = create()
    Drain.objects.filter(pk=drain.pk).update(direction=direction)
    ends = {
        "a": ("gone", "cmp1", "", ""),
        "b": ("gone", "cmp3", "", ""),
        "c": ("gone", "cmp1", "DELETED", ""),
        "d": ("gone", "cmp1", "SHELVED_OFFLOADED", "no_host"),
        "e": ("failed", "cmp3", "ERROR", "arrived_error"),
    }
    for name, (state, dest, status, code) in ends.items():
        store.add_server(drain, server(name), judge(server(name)), "w", NOW)
        InstanceMigration.objects.filter(drain=drain, server_name=name).update(
            state=state, dest_compute=dest, server_status=status, code=code
        )
    drain = store.drain(drain.pk)
    rows = [r for r in store.migrations(drain) if r.server_name in ends]
    InstanceMigration.objects.filter(drain=drain).exclude(pk__in=[r.pk for r in rows]).delete()
    wanted = 5 if direction == "away" else 1
    assert store.counts([drain.pk])[drain.pk].left == wanted
    assert store.counts_of(drain, rows).left == wanted


class TestRequested:
    """Whether somebody waits for a worker, by one small look."""

    LEASE = 60

    def is_requested(self, regions=None):
        return store.is_requested(store.now(), self.LEASE, regions)

    def test_a_new_drain_until_a_worker_has_it(self, db):
        drain = create()
        assert self.is_requested()
        assert not self.is_requested(["elsewhere"])
        taken = store.claim("one", store.now(), self.LEASE)
        assert not self.is_requested()
        store.release(taken, "one", store.now())
        assert not self.is_requested()
        begin(drain)
        actor = Actor("u1", "admin", may=lambda rule: True)
        store.pause_drain(store.drain(drain.pk), actor, store.now())
        assert self.is_requested()

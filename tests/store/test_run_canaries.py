"""What is kept of canaries, under two hands at once, on SQLite, PostgreSQL and MariaDB."""

from dataclasses import replace
from functools import partial

from tests.store.test_run_record import new_run
from tests.store.test_store import NOW, ROUNDS
from ukcloud_maintenance import store
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.run.canary import Canary, failed, restored, stored
from ukcloud_maintenance.exceptions import StaleState
from ukcloud_maintenance.models import Event


def canary(token: str) -> Canary:
    return Canary(token, NOW.isoformat(), "rp", NOW)


def test_what_is_kept_is_read_as_it_was_and_told_in_the_record():
    run = new_run("cmp1")
    verdict = failed("cmp1", message("canary_elsewhere", host="cmp2"))
    one = replace(canary("a"), verdict=verdict, judged_at=NOW)
    [row] = store.run_hosts(run)
    store.keep_canary(run, row, NOW, stored(one), ("run_canary", "worker", verdict))
    [row] = store.run_hosts(run)
    assert restored(row.before["canary"]) == one
    assert Event.objects.get(kind="run_canary").message == verdict
    store.keep_canary(run, row, NOW, stored(replace(one, is_gone=True)))
    assert restored(store.run_hosts(run)[0].before["canary"]).is_gone
    assert store.canary_names("RegionOne") == {"maintenance-canary-a"}
    assert store.canary_names("RegionTwo") == set()


def test_of_two_workers_one_builds_a_canary(at_once):
    for _ in range(ROUNDS):
        run = new_run("cmp1")
        rows = [store.run_hosts(run)[0] for _ in range(2)]
        calls = [
            partial(store.keep_canary, run, row, NOW, stored(canary(f"of-{number}")))
            for number, row in enumerate(rows)
        ]
        results = at_once(calls)
        [winner] = [f"of-{number}" for number, found in enumerate(results) if found is None]
        assert [type(found) for found in results if found is not None] == [StaleState]
        assert store.run_hosts(run)[0].before["canary"]["token"] == winner
        run.hosts.update(open_key=None)

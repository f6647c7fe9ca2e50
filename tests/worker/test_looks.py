"""What a pass reads, and when one is followed by the next at once: by the model of a Nova."""

from types import SimpleNamespace

import pytest

from tests.worker.fake_nova import FakeNova
from tests.worker.test_any_history import QUICK, ask
from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.actor import Actor
from ukcloud_maintenance.core.drain import LATEST_LOOK, objections
from ukcloud_maintenance.core.facts import Action
from ukcloud_maintenance.worker import looks
from ukcloud_maintenance.worker.drain import Reconciler

pytestmark = pytest.mark.django_db
IDLE = 5.0
ADMIN = Actor("u1", "admin", may=lambda rule: True)
READS = ("service", "servers_on", "newest_migrations_from", "server", "progress", "migrations_of")
CHANGES = ("disable_service", "live_migrate")


class Watched(FakeNova):
    """Remembers what it was asked, in order."""

    def __post_init__(self):
        super().__post_init__()
        self.asked: list[str] = []
        for name in READS + CHANGES:
            setattr(self, name, self.remembering(name))

    def remembering(self, name):
        real = getattr(self, name)

        def call(*args):
            self.asked.append(name)
            return real(*args)

        return call


class Worker:
    """Passes of one process, by the clock of its Nova."""

    def __init__(self, nova, monkeypatch):
        self.nova = nova
        clock = SimpleNamespace(monotonic=lambda: nova.now.timestamp())
        monkeypatch.setattr(looks, "time", clock)
        self.looks = looks.Looks()

    def look(self, drain, seconds=1.0):
        """One pass after so many seconds; what it asked."""
        for _ in range(round(seconds)):
            self.nova.tick()
        before = len(self.nova.asked)
        by = Reconciler(self.nova, "worker", lambda: self.nova.now, looks=self.looks)
        by.run_on(store.drain(drain.pk))
        return self.nova.asked[before:]


@pytest.fixture
def nova(settings):
    settings.UKCLOUD_MAINTENANCE = QUICK | {"IDLE_SECONDS": IDLE}
    found = Watched()
    for name in "abc":
        found.add(name)
    return found


@pytest.fixture
def worker(nova, monkeypatch):
    return Worker(nova, monkeypatch)


def test_a_drain_is_begun_disabled_listed_again_and_submitted_at_once(nova, worker):
    asked = worker.look(ask(nova, 1))
    changes = [one for one in asked if one in CHANGES]
    assert changes == ["disable_service", "live_migrate"]
    between = asked[asked.index("disable_service") : asked.index("live_migrate")]
    assert between.index("service") < between.index("servers_on")


@pytest.fixture
def full(nova, worker):
    """A drain of which one runs, one is queued, and that limit is known."""
    drain = ask(nova, 1)
    worker.look(drain)
    type(drain).objects.filter(pk=drain.pk).update(learned_limit=1)
    for _ in range(4):
        worker.look(drain)
    statuses = [r.attempt.nova_status for r in store.migrations(drain)]
    assert statuses[:2] == ["running", "queued"]
    return drain


def test_while_nothing_happens_a_pass_is_one_request(worker, full):
    assert worker.look(full, 0) == ["newest_migrations_from"]


def test_everything_is_read_again_after_a_while(worker, full):
    worker.looks = looks.Looks()
    assert "servers_on" in worker.look(full, 0), "what this process did not look at itself"
    worker.nova.flights[0].ends_at = worker.nova.now.replace(year=2027)
    assert worker.look(full, LATEST_LOOK * IDLE - 2) == ["newest_migrations_from"]
    assert "servers_on" in worker.look(full, 3)


def test_everything_is_read_when_one_has_ended_and_the_next_is_submitted(worker, full):
    asked: list[str] = []
    for _ in range(20):
        asked = worker.look(full)
        if asked != ["newest_migrations_from"]:
            break
    assert asked.index("service") < asked.index("servers_on") < asked.index("server")
    assert asked.count("newest_migrations_from") == 1, "those of the glance are not read twice"
    assert "live_migrate" in asked


def test_everything_is_read_when_an_admin_decides_otherwise(worker, full):
    services.pause_drain(ADMIN, full.pk)
    assert "servers_on" in worker.look(full, 0)


def test_only_what_never_moved_has_no_records_to_be_read():
    def actions(*names):
        return [Action(f"req-{n}", name, "owner", None) for n, name in enumerate(names)]

    assert objections.was_never_moved(actions("reboot", "attach_volume", "create"))
    assert not objections.was_never_moved(actions("reboot")), "not back to its creation"
    assert not objections.was_never_moved([])
    for name in ("live-migration", "migrate", "resize", "evacuate", "unshelve", "of tomorrow"):
        assert not objections.was_never_moved(actions("start", name, "create"))

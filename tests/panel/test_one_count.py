"""How many have left is one number, wherever it is read: pages, shell, JSON, export, and what is
recorded when a drain ends."""

import json

import pytest
from django.urls import reverse

from tests.commands.helpers import run
from tests.fakes import server
from tests.panel.test_drain_page import text, updates
from tests.panel.test_plans import updates as plan_updates
from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.actor import shell_actor
from ukcloud_maintenance.core.drain.context import Pass
from ukcloud_maintenance.core.drain.counting import has_left
from ukcloud_maintenance.core.drain.ending import how_many
from ukcloud_maintenance.core.drain.inputs import Limits, Observation
from ukcloud_maintenance.messages import english
from ukcloud_maintenance.models import Drain, InstanceMigration
from ukcloud_maintenance.observe.views import drain_view, row_view
from ukcloud_maintenance.store import Counts

PANEL = "horizon:admin:maintenance"
#: state, code, Nova's status, and where it is; and whether it has left cmp4, or is back there
ROWS = {
    "well": ("succeeded", "", "ACTIVE", "cmp9", True, True),
    "deleted": ("gone", "gone", "DELETED", "", True, False),
    "shelved": ("gone", "no_host", "SHELVED_OFFLOADED", "", True, False),
    "by-others": ("gone", "gone", "ACTIVE", "cmp4", True, True),
    "elsewhere": ("gone", "gone", "ACTIVE", "cmp9", True, False),
    "nobody-knows-where": ("gone", "gone", "ACTIVE", "", True, False),
    "in-error": ("failed", "arrived_error", "ERROR", "cmp9", True, False),
    "in-error-here": ("failed", "arrived_error", "ERROR", "cmp4", True, True),
    "failed": ("failed", "no_host_takes_it", "ACTIVE", "", False, False),
    "unknown": ("unknown", "record_gone", "ACTIVE", "cmp9", False, False),
    "blocked": ("blocked", "task_under_way", "ACTIVE", "", False, False),
    "pending": ("pending", "", "ACTIVE", "", False, False),
    "skipped": ("skipped", "skipped", "ACTIVE", "", False, False),
    "stays": ("stays", "status_paused", "PAUSED", "", False, False),
    "stays-too": ("stays", "chosen", "ACTIVE", "", False, False),
}
AWAY = {"left": 8, "to_leave": 12, "stay": 3, "unknown": 1, "total": 15}
BACK = AWAY | {"left": 3}


@pytest.fixture
def mixed(make_drain, monkeypatch):
    """Writes a drain of cmp4 with an instance in each of the ways in which one can be.

    :param only: the names of these alone
    """
    monkeypatch.setattr(services, "connect_shell", lambda region: None)

    def make(direction: str, only=tuple(ROWS), **more) -> Drain:
        drain = make_drain("cmp4", *(server(name, host="cmp4") for name in only), **more)
        now = store.now()
        Drain.objects.filter(pk=drain.pk).update(
            direction=direction, state="running", started_at=now
        )
        for name in only:
            state, code, status, dest, *_ = ROWS[name]
            InstanceMigration.objects.filter(drain=drain, server_name=name).update(
                state=state, code=code, server_status=status, dest_compute=dest
            )
        return store.drain(drain.pk)

    return make


def recorded(drain: Drain) -> str:
    """What would be recorded of them if the drain ended now."""
    rows = [row_view(row) for row in store.migrations(drain)]
    now = store.now()
    return english(how_many(Pass(drain_view(drain), rows, Observation(None), Limits(), now)))


def as_dict(counts: Counts) -> dict[str, int]:
    return {name: getattr(counts, name) for name in AWAY}


@pytest.mark.parametrize(("direction", "wanted"), [("away", AWAY), ("back", BACK)])
def test_where_each_one_is_is_told_by_rows_and_by_queries_alike(mixed, direction, wanted):
    drain = mixed(direction)
    rows = list(store.migrations(drain))
    place = 4 if direction == "away" else 5
    assert {row.server_name: has_left(row, drain) for row in rows} == {
        name: told[place] for name, told in ROWS.items()
    }
    assert {row.server_name: has_left(row_view(row), drain_view(drain)) for row in rows} == {
        name: told[place] for name, told in ROWS.items()
    }
    assert as_dict(store.counts_of(drain, rows)) == wanted
    assert store.counts([drain.pk])[drain.pk] == store.counts_of(drain, rows)


def test_a_drain_says_one_number_everywhere(admin, mixed):
    drain = mixed("away")
    page = updates(admin, drain).json()
    assert "8 of 12 instances have left." in text(page["parts"]["headline"])
    assert "8 of 12" in page["parts"]["bar"]
    for address in (reverse(f"{PANEL}:drains"), reverse(f"{PANEL}:host", args=["cmp4"])):
        shown = text(admin.get(address).content.decode())
        assert "8 of 12" in shown
    assert "8 of 12 left the host, 3 stay" in text(
        admin.get(reverse(f"{PANEL}:drains")).content.decode()
    )
    assert "8 of 12" in admin.get(reverse(f"{PANEL}:host_updates")).json()["cells"]["cmp4"]
    shell = run("drain_status", str(drain.pk)).stdout
    assert "running, 8 of 12 left the host, 3 stay" in shell
    head, line = [one.split() for one in run("drain_status").stdout.splitlines()][-2:]
    begin = head.index("LEFT")
    assert head[begin : begin + 3] == ["LEFT", "OF", "STAY"]
    assert line[begin : begin + 3] == ["8", "12", "3"]
    assert run("drain_status", str(drain.pk), "--json").json["counts"] == AWAY
    exported = services.export_drain(shell_actor(), drain.pk)
    assert json.loads(json.dumps(exported))["drain"]["counts"] == AWAY
    assert recorded(drain) == "8 of 12 left the host. 3 instances stay where they are."


def test_so_does_a_run_back(admin, mixed):
    drain = mixed("back")
    page = updates(admin, drain).json()
    assert "3 of 12 instances are back on cmp4." in text(page["parts"]["headline"])
    assert "running, 3 of 12 came back, 3 stay" in run("drain_status", str(drain.pk)).stdout
    assert run("drain_status", str(drain.pk), "--json").json["counts"] == BACK
    assert recorded(drain) == "3 of 12 are back on cmp4. 3 instances stay where they are."


def test_a_plan_adds_them_up(admin, mixed, make_drain):
    plan = store.create_plan(
        region="RegionOne",
        reason="new firmware",
        hosts_at_once=0,
        actor_id="id-of-alice",
        actor="alice",
        now=store.now(),
    )
    mixed("away", plan=plan)
    make_drain("cmp5", server("a", host="cmp5"), server("b", host="cmp5"), plan=plan, plan_order=1)
    page = plan_updates(admin, plan).json()
    assert "8 of 14 instances have left." in text(page["parts"]["headline"])
    assert "8 of 14" in page["parts"]["bar"]
    shown = text(admin.get(reverse(f"{PANEL}:plans")).content.decode())
    assert "8 of 14 have left their host" in shown
    shell = run("drain_status", "--plan", str(plan.pk)).stdout
    assert "8 of 14 left their hosts, 3 stay" in shell
    document = run("drain_status", "--plan", str(plan.pk), "--json").json
    wanted = AWAY | {"to_leave": 14, "total": 17}
    assert {name: document[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("names", "shell", "record"),
    [
        (("well", "stays"), "1 of 1 left the host, 1 stays", "1 of 1 left the host. 1 instance"),
        (("skipped",), "0 of 0 left the host, 1 stays", "1 instance stays where it is."),
        (("well",), "1 of 1 left the host", "1 of 1 left the host."),
        ((), "0 of 0 left the host", "0 of 0 left the host."),
    ],
)
def test_what_stays_is_told_beside_them(mixed, names, shell, record):
    drain = mixed("away", names)
    assert run("drain_status", str(drain.pk)).stdout.splitlines()[0].endswith(shell)
    assert recorded(drain).startswith(record)
    assert ("stay" in recorded(drain)) == ("stay" in shell)

"""`host_status` and `host_return`: by who may read clouds.yaml, with exit codes for scripts."""

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from tests.commands.helpers import begin, finish, move, run
from tests.fakes import server
from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.facts import Allocation, Consumer, Hypervisor, Migration
from ukcloud_maintenance.core.host.certificate import CODES
from ukcloud_maintenance.core.message import text
from ukcloud_maintenance.core.states import DrainResult, DrainState, MigrationState, ReturnResult
from ukcloud_maintenance.exceptions import CloudUnreachable, ConfigurationError
from ukcloud_maintenance.management.commands import _waiting
from ukcloud_maintenance.models import Drain, Event, HostMaintenance

pytestmark = pytest.mark.django_db


@pytest.fixture
def maintenance(cloud) -> HostMaintenance:
    """cmp1 is drained, and its service carries our reason; web-1 is on cmp10, db-1 is gone."""
    assert run("drain_host", "cmp1", "--reason", "kernel update").exit_code == 0
    drain = Drain.objects.get()
    begin(drain)
    found = store.join_maintenance(
        drain, found_status="enabled", found_reason="", service_id="s1", now=timezone.now()
    )
    store.intend_to_disable(found, "kernel update")
    store.disabled(found, timezone.now())
    move(drain, "web-1", MigrationState.SUCCEEDED)
    move(drain, "db-1", MigrationState.SUCCEEDED)
    finish(drain, DrainState.SUCCEEDED, DrainResult.EMPTY, "The host is empty.")
    cloud.all_services[0] = replace(
        cloud.all_services[0], status="disabled", disabled_reason="kernel update"
    )
    cloud.all_servers = [server("web-1", "cmp10")]
    return HostMaintenance.objects.get()


def verify(maintenance: HostMaintenance, *, safe: bool = True, **more) -> None:
    checks = [
        {"code": code, "passed": safe, "text": f"About {code}.", "details": []} for code in CODES
    ]
    if not safe:
        checks[3]["details"] = ["late (1234), ACTIVE"]
    now = more.get("at") or timezone.now()
    store.verified(
        store.maintenance(maintenance.pk),
        checks=checks,
        safe=safe,
        why=None if safe else text("Something arrived."),
        looked_at=now,
        actor="worker",
        now=now,
    )


def ended(maintenance: HostMaintenance, result: ReturnResult, message: str = "Done.") -> None:
    current = store.maintenance(maintenance.pk)
    store.finish_return(current, result, text(message), "worker", timezone.now())


# -- host_status -----------------------------------------------------------------------------


def test_0_only_where_the_host_is_safe_to_power_off(maintenance):
    outcome = run("host_status", "cmp1")
    assert outcome.exit_code == 1
    assert "NOT safe to power off. The host was not verified yet." in outcome.stdout
    verify(maintenance)
    outcome = run("host_status", "cmp1")
    assert outcome.exit_code == 0
    assert "cmp1 is SAFE TO POWER OFF" in outcome.stdout
    for code in CODES:
        assert f"  yes  About {code}." in outcome.stdout
    assert "requested by" in outcome.stdout
    assert "kernel update" in outcome.stdout


def test_what_stands_against_it_is_named(maintenance):
    verify(maintenance)
    verify(maintenance, safe=False)
    outcome = run("host_status", "cmp1")
    assert outcome.exit_code == 1
    assert "  NO   About no_servers." in outcome.stdout
    assert "late (1234), ACTIVE" in outcome.stdout
    assert "Something arrived." in outcome.stdout


def test_what_was_verified_too_long_ago_is_not_safe(maintenance, settings):
    settings.UKCLOUD_MAINTENANCE = {**settings.UKCLOUD_MAINTENANCE, "VERIFY_SECONDS": 5}
    verify(maintenance, at=timezone.now() - timedelta(seconds=16))
    outcome = run("host_status", "cmp1", "--json")
    assert outcome.exit_code == 1
    assert outcome.json["safe_to_power_off"] is False
    assert "too long" in outcome.json["why_not"]


@pytest.mark.parametrize("ahead", [timedelta(minutes=5), timedelta(days=400)])
def test_what_was_verified_in_the_future_is_not_safe(maintenance, ahead):
    """As a worker wrote it whose clock was ahead, or before the database's was set back."""
    verify(maintenance)
    future = timezone.now() + ahead
    HostMaintenance.objects.update(verified_at=future, safe_since=future, next_pass_at=future)
    outcome = run("host_status", "cmp1", "--json")
    assert outcome.exit_code == 1
    assert outcome.json["safe_to_power_off"] is False
    assert outcome.json["safe_since"] is None
    assert "in the future: the database clock was set back" in outcome.json["why_not"]
    verify(maintenance)  # the next look
    assert run("host_status", "cmp1").exit_code == 0


def test_a_verification_by_a_clock_that_is_ahead_does_not_count(maintenance):
    verify(maintenance, at=timezone.now() + timedelta(minutes=5))
    assert run("host_status", "cmp1").exit_code == 1


def test_the_certificate_as_json(maintenance):
    verify(maintenance)
    outcome = run("host_status", "cmp1", "--json")
    assert outcome.exit_code == 0
    document = outcome.json
    assert (document["host"], document["region"]) == ("cmp1", "RegionOne")
    kind = (document["schema"], document["schema_version"])
    assert kind == ("ukcloud_maintenance.certificate", 1)
    assert document["safe_to_power_off"] is True
    assert [c["code"] for c in document["checks"]] == list(CODES)
    assert all(c["passed"] for c in document["checks"])
    assert (document["why_not"], document["why_not_code"]) == (None, None)
    assert document["scope_code"] == "certificate_scope"
    check = document["checks"][0]
    assert (check["text"], check["text_code"]) == ("About service_disabled.", "text")
    assert (check["details"], check["details_code"], check["details_values"]) == ([], [], [])
    assert document["verified_at"].endswith("Z")
    assert document["verified_at"] < document["valid_until"]


def test_a_host_that_is_not_in_maintenance_is_not_safe(cloud):
    outcome = run("host_status", "cmp10", "--json")
    assert outcome.exit_code == 1
    assert outcome.json["why_not"] == "The host is not in maintenance."
    assert outcome.json["why_not_code"] == "not_in_maintenance"
    assert outcome.json["why_not_values"] == {}


def test_how_the_last_maintenance_ended_is_told(maintenance):
    assert run("host_return", "cmp1").exit_code == 0
    ended(maintenance, ReturnResult.IN_SERVICE, "The service is enabled, and up.")
    outcome = run("host_status", "cmp1")
    assert outcome.exit_code == 1
    assert "(in_service): The service is enabled, and up." in outcome.stdout


@pytest.mark.parametrize("name", ["cmp99", "CMP1", "cmp1 ", "cmp"])
@pytest.mark.parametrize("command", ["host_status", "host_return"])
def test_a_host_that_nobody_knows_is_bad_input(maintenance, command, name):
    outcome = run(command, name, "--json")
    assert outcome.exit_code == 2
    assert outcome.json["error"]["code"] == "unknown_host"


def test_a_host_that_nova_lists_no_longer_is_shown_from_the_record(maintenance, cloud):
    assert run("host_return", "cmp1").exit_code == 0
    ended(maintenance, ReturnResult.IN_SERVICE)
    cloud.all_services = cloud.all_services[1:]
    outcome = run("host_status", "cmp1")
    assert outcome.exit_code == 1
    assert "Nova lists no compute service of host cmp1." in outcome.stdout
    assert "Its last maintenance ended" in outcome.stdout


def test_whether_nova_knows_a_host_is_not_guessed(cloud):
    cloud.failure = CloudUnreachable("list the compute services", "connection refused")
    assert run("host_status", "cmp10").exit_code == 4


def test_a_host_in_maintenance_needs_no_nova(maintenance, cloud):
    verify(maintenance)
    cloud.failure = CloudUnreachable("list the compute services", "connection refused")
    assert run("host_status", "cmp1").exit_code == 0


def test_what_a_certificate_is_not_about_is_said(maintenance):
    verify(maintenance)
    for words in ("Neutron", "Cinder", "Ceph", "Masakari", "IPMI", "outside Nova"):
        assert words in run("host_status", "cmp1").stdout
        assert words in run("host_status", "cmp1", "--json").json["scope"]


class TestWait:
    @pytest.fixture
    def steps(self, monkeypatch):
        """What happens in each pause of the command, which takes a minute."""
        steps, clock = [], itertools.count(0, 60)

        def pause(seconds):
            assert steps, "the command waits, but nothing is to wait for"
            steps.pop(0)()

        monkeypatch.setattr(_waiting.time, "sleep", pause)
        monkeypatch.setattr(_waiting.time, "monotonic", lambda: float(next(clock)))
        return steps

    def test_it_is_safe_after_a_while(self, maintenance, steps):
        steps += [lambda: None, lambda: verify(maintenance)]
        assert run("host_status", "cmp1", "--wait").exit_code == 0
        assert not steps

    def test_it_does_not_become_so(self, maintenance, steps):
        steps += [lambda: verify(maintenance, safe=False)] * 2
        outcome = run("host_status", "cmp1", "--wait", "--json")
        assert outcome.exit_code == 1
        assert "About no_servers." in outcome.json["why_not"]

    def test_a_drain_is_waited_for_as_long_as_it_takes(self, maintenance, steps):
        assert run("drain_host", "cmp1", "--reason", "again").exit_code == 0
        drain = Drain.objects.get(reason="again")
        steps += [lambda: None] * 9
        steps += [lambda: begin(drain)]
        steps += [
            lambda: finish(drain, DrainState.SUCCEEDED, DrainResult.EMPTY, "Empty."),
            lambda: verify(maintenance),
        ]
        outcome = run("host_status", "cmp1", "--wait")
        assert outcome.exit_code == 0
        assert f"The host is being drained (drain {drain.pk})." in outcome.stderr

    def test_nothing_is_waited_for_that_nobody_works_on(self, cloud, steps):
        assert run("host_status", "cmp10", "--wait").exit_code == 1

    def test_an_interrupt(self, maintenance, steps):
        def interrupt():
            raise KeyboardInterrupt

        steps += [interrupt]
        outcome = run("host_status", "cmp1", "--wait", "--json")
        assert outcome.exit_code == 130
        assert outcome.json["safe_to_power_off"] is False


@pytest.mark.parametrize("command", ["host_status", "host_return"])
def test_who_may_not_read_clouds_yaml_learns_and_changes_nothing(maintenance, monkeypatch, command):
    def unreadable(region):
        raise ConfigurationError(text("clouds.yaml cannot be used"))

    monkeypatch.setattr(services, "connect_shell", unreadable)
    outcome = run(command, "cmp1", "--json")
    assert outcome.exit_code == 2
    assert set(outcome.json) == {"error"}
    assert store.maintenance(maintenance.pk).returning_since is None


@pytest.mark.parametrize("command", ["host_status", "host_return"])
def test_the_help_has_the_exit_codes_of_its_own(command):
    outcome = run(command, "--help")
    assert outcome.exit_code == 0
    module = __import__(f"ukcloud_maintenance.management.commands.{command}", fromlist=["Command"])
    assert "exit codes:" in module.Command.exit_codes
    text = module.Command().create_parser("django-admin", command).format_help()
    assert module.Command.exit_codes in text
    assert "drained" not in module.Command.exit_codes


# -- host_return -----------------------------------------------------------------------------


def test_asks_for_the_return_of_what_we_disabled(maintenance):
    outcome = run("host_return", "cmp1")
    assert outcome.exit_code == 0
    assert "to service requested" in outcome.stdout
    assert "maintenance_worker" in outcome.stderr, "no worker runs"
    now = store.maintenance(maintenance.pk)
    assert (now.return_choice, now.returned_by) == ("ours", now.returned_by)
    assert now.returned_by.endswith("(shell)")
    assert now.returning_since is not None


@pytest.mark.parametrize(("option", "choice"), [("--enable", "enable"), ("--leave", "leave")])
def test_the_choice_is_the_admins(maintenance, option, choice):
    outcome = run("host_return", "cmp1", option, "--json")
    assert outcome.exit_code == 0
    assert outcome.json["choice"] == choice
    assert outcome.json["result"] is None
    assert outcome.json["bring_back_drain_id"] is None


def test_both_choices_are_none(maintenance):
    assert run("host_return", "cmp1", "--enable", "--leave").exit_code == 2


def test_a_service_that_somebody_else_disabled_is_refused_with_what_is_there(maintenance, cloud):
    cloud.all_services[0] = replace(cloud.all_services[0], disabled_reason="bad DIMM")
    outcome = run("host_return", "cmp1", "--json")
    assert outcome.exit_code == 3
    assert outcome.json["error"]["code"] == "not_ours"
    assert "bad DIMM" in outcome.stderr
    assert store.maintenance(maintenance.pk).returning_since is None


def test_what_left_is_brought_back(maintenance):
    outcome = run("host_return", "cmp1", "--bring-back", "--max-concurrent", "3", "--json")
    assert outcome.exit_code == 0
    made = Drain.objects.get(direction="back")
    assert outcome.json["bring_back_drain_id"] == made.pk
    assert f"Drain {made.pk}" in outcome.stderr
    assert made.max_concurrent == 3
    assert [r.server_name for r in made.migrations.all()] == ["web-1"]


@pytest.mark.parametrize(
    ("arguments", "exit_code", "code"),
    [
        (["cmp"], 2, "unknown_host"),
        (["cmp10"], 3, "no_maintenance"),
        (["cmp1", "--max-concurrent", "0"], 2, "max_concurrent_out_of_range"),
        (["cmp1", "--leave", "--bring-back"], 3, "bring_back_needs_service"),
        (["cmp1", "--max-concurrent", "x"], 2, "bad_arguments"),
        ([], 2, "bad_arguments"),
    ],
)
def test_what_cannot_be_is_refused(maintenance, arguments, exit_code, code):
    outcome = run("host_return", *arguments, "--json")
    assert outcome.exit_code == exit_code
    assert outcome.json["error"]["code"] == code
    assert store.maintenance(maintenance.pk).returning_since is None


def test_a_nova_that_does_not_answer(maintenance, cloud):
    cloud.failure = CloudUnreachable("read the compute service", "timed out")
    assert run("host_return", "cmp1").exit_code == 4


@pytest.mark.parametrize(
    ("result", "exit_code"),
    [(ReturnResult.IN_SERVICE, 0), (ReturnResult.LEFT, 0), (ReturnResult.NOT_UP, 1)],
)
def test_waits_for_the_end_and_says_which(maintenance, monkeypatch, result, exit_code):
    pauses = []

    def worker_meanwhile(seconds):
        pauses.append(seconds)
        if len(pauses) == 2:
            ended(maintenance, result, "What became of it.")

    monkeypatch.setattr(_waiting.time, "sleep", worker_meanwhile)
    outcome = run("host_return", "cmp1", "--wait", "--json")
    assert outcome.exit_code == exit_code
    assert outcome.json["result"] == result
    assert outcome.json["closed_at"]
    assert "What became of it." in outcome.stderr


def test_waiting_ends_where_the_return_is_refused(maintenance, monkeypatch):
    def refuse(seconds):
        current = store.maintenance(maintenance.pk)
        store.give_up_return(current, text("It is not ours."), "worker", timezone.now())

    monkeypatch.setattr(_waiting.time, "sleep", refuse)
    outcome = run("host_return", "cmp1", "--wait")
    assert outcome.exit_code == 1
    assert "refused. It is not ours." in outcome.stdout


def test_interrupted_while_waiting_the_return_goes_on(maintenance, monkeypatch):
    def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(_waiting.time, "sleep", interrupt)
    outcome = run("host_return", "cmp1", "--wait")
    assert outcome.exit_code == 130
    assert "continues" in outcome.stderr
    assert store.maintenance(maintenance.pk).returning_since is not None


@pytest.mark.parametrize(
    ("end", "result", "exit_code"),
    [
        (DrainState.SUCCEEDED, DrainResult.BROUGHT_BACK, 0),
        (DrainState.FAILED, DrainResult.INSTANCES_FAILED, 1),
    ],
)
def test_waits_for_what_is_brought_back_and_names_the_run(
    maintenance, monkeypatch, end, result, exit_code
):
    pauses = []

    def worker_meanwhile(seconds):
        pauses.append(seconds)
        made = Drain.objects.get(direction="back")
        if len(pauses) == 1:
            ended(maintenance, ReturnResult.IN_SERVICE)
        elif len(pauses) == 2:
            begin(made)
        elif len(pauses) == 3:
            finish(made, end, result, "What became of the run.")

    monkeypatch.setattr(_waiting.time, "sleep", worker_meanwhile)
    outcome = run("host_return", "cmp1", "--bring-back", "--wait", "--json")
    made = Drain.objects.get(direction="back")
    assert outcome.exit_code == exit_code
    assert f"Drain {made.pk}" in outcome.stderr
    assert "What became of the run." in outcome.stderr
    assert outcome.json["bring_back_drain_id"] == made.pk
    assert outcome.json["bring_back"]["state"] == end
    assert len(pauses) == 3


def test_a_return_without_instances_to_bring_back_ends_with_the_return(
    maintenance, cloud, monkeypatch
):
    cloud.all_servers = []
    monkeypatch.setattr(
        _waiting.time, "sleep", lambda s: ended(maintenance, ReturnResult.IN_SERVICE)
    )
    outcome = run("host_return", "cmp1", "--bring-back", "--wait")
    assert outcome.exit_code == 0
    assert "There are no instances to bring back." in outcome.stdout


# -- host_allocations --------------------------------------------------------------------------


@pytest.fixture
def left_behind(maintenance, cloud, monkeypatch):
    """A migration of web-1, which is on cmp10, still holds something of cmp1."""
    web = cloud.all_servers[0]
    record = Migration(7, "u7", web.id, "error", "live-migration", "cmp1", "cmp10")
    held = {
        "u7": Consumer("u7", "p", "u", 3, (Allocation("u7", "n-cmp1", {"VCPU": 1}),)),
        web.id: Consumer(web.id, "p", "u", 1, (Allocation(web.id, "n-cmp10", {"VCPU": 1}),)),
    }
    known = {
        "hypervisors_of": lambda host: [Hypervisor(f"n-{host}", host, host)],
        "providers_of": lambda host: frozenset({f"n-{host}"}),
        "allocations_on": lambda ids: [
            a for c in held.values() for a in c.allocations if a.provider_id in set(ids)
        ],
        "allocations_of": lambda consumer: held.get(consumer, Consumer(consumer)),
        "migrations_touching": lambda host: [record],
        "migrations_of": lambda server_id: [record],
        "set_allocations": lambda left: held.update({left.consumer_id: left}) or "req-7",
    }
    for name, value in known.items():
        monkeypatch.setattr(cloud, name, value)
    return held


def test_what_is_left_behind_is_shown_with_its_proof_and_the_commands(left_behind):
    outcome = run("host_allocations", "cmp1")
    assert outcome.exit_code == 0
    assert "u7: leftover, can be removed" in outcome.stdout
    assert "According to Nova, web-1" in outcome.stdout
    assert "host_allocations cmp1 --remove u7" in outcome.stdout
    assert "openstack resource provider allocation delete u7" in outcome.stdout
    [one] = run("host_allocations", "cmp1", "--json").json
    assert (one["consumer_id"], one["removable"], one["server_host"]) == ("u7", True, "cmp10")
    assert left_behind["u7"].allocations


def test_it_is_removed_on_a_yes_alone_and_recorded(left_behind, maintenance):
    outcome = run("host_allocations", "cmp1", "--remove", "u7", "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (2, "confirmation_missing")
    assert left_behind["u7"].allocations
    outcome = run("host_allocations", "cmp1", "--remove", "u7", "--yes")
    assert outcome.exit_code == 0, outcome.stderr
    assert left_behind["u7"].allocations == ()
    events = Event.objects.filter(maintenance=maintenance, kind__startswith="allocation")
    assert [(e.kind, e.request_id) for e in events] == [
        ("allocation_remove_asked", ""),
        ("allocation_removed", "req-7"),
    ]
    assert events[0].actor
    assert store.maintenance(maintenance.pk).next_pass_at is None


def test_what_may_hold_a_guest_is_not_removed(left_behind, cloud):
    cloud.all_servers = [server("web-1", "cmp1")]  # it never left
    outcome = run("host_allocations", "cmp1", "--remove", "u7", "--yes", "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (3, "allocation_in_use")
    assert left_behind["u7"].allocations
    assert not Event.objects.filter(kind__startswith="allocation").exists()


def test_a_removal_of_which_placement_does_not_tell_is_recorded_too(
    left_behind, cloud, monkeypatch
):
    def lost(left):
        raise CloudUnreachable("change the allocations", "timed out")

    monkeypatch.setattr(cloud, "set_allocations", lost)
    outcome = run("host_allocations", "cmp1", "--remove", "u7", "--yes")
    assert outcome.exit_code == 4
    kinds = Event.objects.filter(kind__startswith="allocation").values_list("kind", flat=True)
    assert list(kinds) == ["allocation_remove_asked", "allocation_not_removed"]


def test_nothing_is_removed_of_a_host_that_is_not_in_maintenance(cloud):
    outcome = run("host_allocations", "cmp10", "--remove", "u7", "--yes", "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (3, "no_maintenance")

"""Who is affected: the page of a drain, of a plan and of a run, and their files."""

import csv
import io

import pytest
from django.urls import reverse
from django.utils import timezone

from tests.fakes import FakeCloud, server
from tests.panel import test_german, test_runs
from tests.panel.test_runs import host_of, stage
from ukcloud_maintenance import store
from ukcloud_maintenance.content.maintenance.affected import views
from ukcloud_maintenance.core.facts import Contacts
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.run.states import Stage
from ukcloud_maintenance.core.states import DrainState, MigrationState
from ukcloud_maintenance.exceptions import CloudForbidden
from ukcloud_maintenance.models import RunHost

PANEL = "horizon:admin:maintenance"
FORMS = ("csv", "json", "text")

german, make_run = test_german.german, test_runs.make_run


@pytest.fixture
def plan(db):
    return store.create_plan(
        region="RegionOne",
        reason="new kernel",
        hosts_at_once=1,
        actor_id="id-of-alice",
        actor="alice",
        now=timezone.now(),
    )


@pytest.fixture
def drain(make_drain, plan, make_run):
    """Of a plan, and of a run, which are of nothing else."""
    drain = make_drain("cmp1", server("web-1"), server("db-1", project_id="p2"), plan=plan)
    stage(make_run("cmp1", bring_back=True), "cmp1", Stage.DRAINING, drain=drain)
    return drain


def urls(drain, *forms: str) -> list[str]:
    """Of the drain, of its plan, and of its run."""
    suffixes = [f"_{form}" for form in forms] or [""]
    run = RunHost.objects.get(drain=drain).run
    return [
        reverse(f"{PANEL}:affected_{of}{suffix}", args=[id])
        for suffix in suffixes
        for of, id in (("drain", drain.pk), ("plan", drain.plan_id), ("run", run.pk))
    ]


def text(answer) -> str:
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


def test_each_project_with_its_instances_and_whom_to_tell(admin, drain):
    for url in urls(drain):
        page = text(admin.get(url))
        assert "2 instances of 2 projects." in page
        assert page.index("customer") < page.index("p2@example.org")
        assert "p1@example.org" in page
        assert "may run slower while it is migrated" in page
        assert "Expected between" in page


def test_the_files(admin, drain):
    for url in urls(drain, *FORMS):
        answer = admin.get(url)
        assert "web-1" in text(answer)
        assert answer["Content-Disposition"].startswith('attachment; filename="affected-')
        assert answer["Cache-Control"] == "no-store"
    rows = list(csv.DictReader(io.StringIO(text(admin.get(urls(drain, "csv")[0])))))
    assert {row["server_name"]: row["emails"] for row in rows} == {
        "web-1": "p1@example.org",
        "db-1": "p2@example.org",
    }


def test_the_pages_of_a_drain_a_plan_and_a_run_lead_there_for_who_may_see_it(admin, drain, log_in):
    pages = {
        reverse(f"{PANEL}:drain", args=[drain.pk]): urls(drain)[0],
        reverse(f"{PANEL}:plan", args=[drain.plan_id]): urls(drain)[1],
        reverse(f"{PANEL}:run", args=[RunHost.objects.get().run_id]): urls(drain)[2],
    }
    for page, url in pages.items():
        assert f'href="{url}"' in text(admin.get(page))
    log_in("maintenance_viewer")
    for page, url in pages.items():
        assert f'href="{url}"' not in text(admin.get(page))
        assert admin.get(url).status_code == 403


def test_addresses_are_not_shown_to_who_may_only_look(admin, drain, log_in):
    log_in("member", "maintenance_viewer")
    for url in [*urls(drain), *urls(drain, *FORMS)]:
        answer = admin.get(url)
        assert answer.status_code == 403
        assert b"example.org" not in answer.content


def test_a_keystone_that_does_not_tell_is_said(admin, drain, monkeypatch):
    def refused(self, project_ids):
        raise CloudForbidden(message("to_read_user", user="u1"), "no", status=403)

    monkeypatch.setattr(FakeCloud, "contacts_of", refused)
    page = text(admin.get(urls(drain)[0]))
    assert "E-mail addresses could not be read of 2 projects" in page
    assert "identity:list_role_assignments" in page
    assert page.count("E-mail addresses: unknown") == 2
    assert "web-1" in page


def test_a_project_without_addresses_is_no_unknown_one(admin, drain, monkeypatch):
    monkeypatch.setattr(FakeCloud, "contacts_of", lambda self, ids: Contacts({i: () for i in ids}))
    page = text(admin.get(urls(drain)[0]))
    assert page.count("E-mail addresses: none") == 2
    assert "could not be read" not in page


def test_of_another_region_or_of_nothing(admin, make_drain, make_run):
    other = make_drain("cmp1", server("a"), region="RegionTwo")
    their_run = make_run("cmp2", region="RegionTwo")
    for url in (
        reverse(f"{PANEL}:affected_drain", args=[other.pk]),
        reverse(f"{PANEL}:affected_run", args=[their_run.pk]),
        reverse(f"{PANEL}:affected_run_text", args=[9999]),
        reverse(f"{PANEL}:affected_drain_json", args=[9999]),
        reverse(f"{PANEL}:affected_plan_csv", args=[9999]),
    ):
        assert admin.get(url).status_code == 404


def test_a_run_is_told_with_what_waits_and_what_moves_twice(admin, cloud, make_drain, make_run):
    run = make_run("cmp1", "cmp10")
    drain = make_drain("cmp1", server("web-1"), server("db-1"))
    stage(run, "cmp1", Stage.DRAINING, drain=drain)
    store.change_drain(drain, timezone.now(), state=DrainState.RUNNING)
    for row in store.migrations(drain):
        for state in (MigrationState.SUBMITTED, MigrationState.MIGRATING, MigrationState.SUCCEEDED):
            store.change_migration(row, timezone.now(), state=state, dest_compute="cmp10")
    cloud.all_servers = [server("web-1", host="cmp10"), server("app-1", host="cmp10")]
    url = reverse(f"{PANEL}:affected_run", args=[run.pk])
    page = text(admin.get(url))
    assert "3 instances of 1 project. 1 of them with more than one move." in page
    assert "Move 1 of 2." in page
    assert "Move 2 of 2." in page
    assert "Moved by" in page
    assert "Expected between" in page
    assert "holds them back" in page
    assert f'href="{reverse(f"{PANEL}:run", args=[run.pk])}"' in page
    assert cloud.asked.count("servers_on cmp10") == 1
    assert "servers_on cmp1" not in cloud.asked
    stage(run, "cmp10", Stage.SKIPPED)
    page = text(admin.get(url))
    assert "2 instances of 1 project." in page
    assert "holds them back" not in page
    assert host_of(run, "cmp1").stage == Stage.DRAINING


def test_more_projects_than_a_page_takes_are_in_the_files(admin, make_drain, monkeypatch):
    monkeypatch.setattr(views, "SHOWN", 1)
    drain = make_drain("cmp1", *(server(f"s{n}", project_id=f"p{n}") for n in range(3)))
    page = text(admin.get(reverse(f"{PANEL}:affected_drain", args=[drain.pk])))
    assert "2 more projects are in the files." in page
    assert "p2@example.org" not in page
    found = text(admin.get(reverse(f"{PANEL}:affected_drain_csv", args=[drain.pk])))
    assert "p2@example.org" in found


def test_hostile_addresses_and_names_are_text(admin, make_drain, monkeypatch):
    evil = '<img src=x onerror="alert(1)">'
    found = Contacts({"p1": ("<script>@x",)})
    monkeypatch.setattr(FakeCloud, "contacts_of", lambda self, ids: found)
    drain = make_drain("cmp1", server(evil))
    page = text(admin.get(reverse(f"{PANEL}:affected_drain", args=[drain.pk])))
    assert "<img src=x" not in page
    assert "<script>@x" not in page


def test_in_german(german, drain, monkeypatch):
    page = german("affected_drain", drain.pk)
    assert test_german.english(page) == []
    assert "Wer betroffen ist" in page
    letter = german("affected_plan_text", drain.plan_id)
    assert "langsamer laufen" in letter
    assert test_german.english(letter) == []
    monkeypatch.setattr(FakeCloud, "contacts_of", lambda self, ids: Contacts({}, frozenset(ids)))
    assert test_german.english(german("affected_plan", drain.plan_id)) == []


def test_a_run_in_german(german, cloud, make_run):
    run = make_run("cmp1", "cmp10", bring_back=True)
    cloud.all_servers.append(server("web-1", host="cmp10"))
    page = german("affected_run", run.pk)
    assert test_german.english(page) == []
    assert "Verschiebung 2 von 2" in page
    letter = german("affected_run_text", run.pk)
    assert "mehr als einmal" in letter
    assert test_german.english(letter) == []

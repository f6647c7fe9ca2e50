"""What a notice says, in the language of the settings, with a link to the page."""

import pytest
from django.urls import reverse
from django.utils import timezone

from ukcloud_maintenance import notify
from ukcloud_maintenance.core.message import message, text
from ukcloud_maintenance.core.notices import TOLD, TOPICS
from ukcloud_maintenance.messages import TEMPLATES
from ukcloud_maintenance.models import Drain, Event, HostMaintenance

HORIZON = "https://cloud.example.com/horizon/"
HERE = {"region": "RegionOne", "host": "cmp1"}
DRAIN = Drain(pk=5, **HERE, reason="new kernel", requested_by="alice")


def event(kind: str, said=None, **about) -> Event:
    return Event(pk=7, kind=kind, at=timezone.now(), actor="worker", message=said, **about)


def letter(of: Event, language: str = "en", horizon: str = HORIZON) -> notify.Letter:
    return notify.letter_of(of, "0f4b", language, horizon)


@pytest.mark.parametrize("kind", TOLD)
def test_each_kind_has_its_sentences(kind):
    assert TOLD[kind].title in TEMPLATES
    assert not TOLD[kind].title_back or TOLD[kind].title_back in TEMPLATES
    of = letter(event(kind, text("Why."), drain=DRAIN))
    assert of.topic in TOPICS
    assert of.title.startswith("cmp1: ")
    assert of.document["type"] == of.topic


def test_what_people_and_programs_read():
    said = message("needs_you", count=2, names=["web-1", "db-1"])
    of = letter(event("needs_you", said, drain=DRAIN))
    link = "https://cloud.example.com/horizon/admin/maintenance/drains/5/"
    assert (of.title, of.tone) == ("cmp1: the drain needs you", "warning")
    assert of.body.split("\n") == [
        "2 instances need you: web-1, db-1.",
        "Drain 5 in region RegionOne, requested by alice. Reason: new kernel",
        link,
    ]
    data = of.document["data"]
    assert (data["drain_id"], data["host"], data["url"]) == (5, "cmp1", link)
    assert data["message_code"] == "needs_you"
    assert data["message_values"]["count"] == 2


def test_in_another_language_but_for_programs():
    said = message("needs_you", count=2, names=["web-1", "db-1"])
    of = letter(event("needs_you", said, drain=DRAIN), "de")
    assert of.title == "cmp1: die Leerung braucht Sie"
    assert of.body.startswith("2 Instanzen brauchen Sie: web-1, db-1.\nLeerung 5 in Region")
    assert of.document["data"]["title"] == "cmp1: the drain needs you"


def test_a_run_that_brings_instances_back_has_words_of_its_own():
    back = Drain(pk=6, **HERE, direction="back", reason="r", requested_by="alice")
    assert letter(event("drain_failed", drain=back)).title == "cmp1: not all instances came back"


def test_the_links_lead_to_pages():
    """The paths are Horizon's: the worker does not know its URLs."""

    def path(of: Event) -> str:
        return (
            letter(of, horizon="https://cloud")
            .document["data"]["url"]
            .removeprefix("https://cloud")
        )

    maintenance = HostMaintenance(pk=3, region="RegionOne", host="cmp 1")
    page = "horizon:admin:maintenance"
    assert path(event("drain_started", drain=DRAIN)) == reverse(f"{page}:drain", args=[5])
    found = path(event("safe_to_power_off", maintenance=maintenance))
    assert found == reverse(f"{page}:host", args=["cmp 1"])
    silent = message("worker_silent", worker="w", host="ctl1", since=timezone.now())
    assert path(event("worker_silent", silent)) == reverse(f"{page}:index")
    assert letter(event("drain_started", drain=DRAIN), horizon="").document["data"]["url"] is None


def test_a_silent_worker_is_named_by_its_machine():
    silent = message("worker_silent", worker="w", host="ctl1", since=timezone.now())
    of = letter(event("worker_silent", silent))
    assert of.title == "ctl1: the maintenance worker is silent"
    assert of.body.startswith("Worker w on ctl1 has not reported since 20")


def test_what_others_wrote_is_made_printable_and_cut_off():
    named = Drain(pk=5, **HERE, reason="a\x1b[2Jb", requested_by="alice")
    of = letter(event("drain_failed", text("x" * 9000), drain=named))
    assert len(of.body) < 3200
    assert of.body.endswith("/drains/5/")
    of = letter(event("drain_failed", drain=named))
    assert "\\x1b" in of.body
    assert "\x1b" not in of.body

"""Who is told, and whether it arrives, from a shell; the receivers are real."""

import pytest
from django.utils import timezone

from tests.commands.helpers import run
from tests.notify.conftest import a_drain, happen
from tests.notify.receivers import PASSWORD, SECRET, TOKEN, receiver
from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.message import text
from ukcloud_maintenance.core.notices import TOPICS

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _authority(monkeypatch):
    monkeypatch.setattr(services, "connect_shell", lambda region: None)


def use(settings, *webhooks: dict, **more) -> None:
    settings.UKCLOUD_MAINTENANCE = {"CLOUD": "demo", "WEBHOOKS": list(webhooks), **more}


def notify(*arguments: str):
    done = run("maintenance_notify", *arguments)
    said = done.stdout + done.stderr
    assert not any(secret in said for secret in (PASSWORD, TOKEN, SECRET))
    return done


def test_a_test_says_of_each_receiver_whether_it_arrived(settings):
    with receiver(500) as wrong, receiver() as fine:
        use(settings, wrong.webhook(name="wrong"), fine.webhook(name="fine", on=["safe"]))
        done = notify("--test")
        assert done.exit_code == 1
        assert done.stdout.splitlines() == [
            "wrong: The web server answered with status 500.",
            "fine: arrived",
        ]
        assert fine.topics == ["test"]
        done = notify("--test", "--json")
        assert (done.exit_code, done.json["receivers"][0]["arrived"]) == (0, True)


def test_a_test_needs_somebody(settings):
    use(settings)
    done = notify("--test")
    assert done.exit_code == 2
    assert "Add one to NOTIFY or WEBHOOKS." in done.stderr
    done = notify("--test", "--json")
    assert (done.exit_code, done.json["error"]["code"]) == (2, "no_receivers")
    assert "Nobody is told" in notify().stdout


def test_what_is_queued_was_sent_and_was_given_up(settings):
    with receiver() as hook:
        use(settings, hook.webhook(), hook.webhook(name="new"))
    happen(a_drain(), "drain_started", "drain_succeeded", "safe_to_power_off", "submitted")
    store.hand_out({"hook": TOPICS, "gone": ["safe"]})
    for why in (None, text("It fell on the floor.")):
        notice = store.claim_notice("hook", "w", store.now(), 60)
        if why is None:
            store.delivered(notice, timezone.now())
        else:
            store.not_delivered(notice, "w", timezone.now(), why, None)
    found = {one["name"]: one for one in notify("--json").json["receivers"]}
    assert list(found) == ["hook", "new", "gone"]
    hook = found["hook"]
    assert (hook["queued"], hook["sent"], hook["failed"]) == (1, 1, 1)
    assert (hook["kind"], hook["problem"]) == ("webhook", "It fell on the floor.")
    assert hook["queued_since"]
    assert hook["last_sent_at"]
    assert (found["new"]["sent"], found["gone"]["kind"]) == (0, "removed")
    lines = notify().stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["RECEIVER", "hook", "new", "gone"]


def test_wrong_settings_are_named(settings):
    use(settings, {"url": f"ftp://{SECRET}"})
    done = notify()
    assert done.exit_code == 2
    assert "WEBHOOKS" in done.stderr

"""Workers in processes of their own, killed while they tell somebody."""

import json
import signal
import threading
from types import SimpleNamespace

import pytest

from tests.databases import as_default, from_url
from tests.notify.conftest import a_drain, happen
from tests.notify.receivers import PASSWORD, SECRET, TOKEN
from tests.worker.driving import Installation
from ukcloud_maintenance.models import Notice, Worker

#: Of a cloud that nobody can log in to: what is told needs none.
CLOUDS = """
clouds:
  worker:
    region_name: RegionOne
    auth: {auth_url: "http://127.0.0.1:9/v3", username: u, password: p, project_name: p,
           user_domain_name: Default, project_domain_name: Default}
"""


@pytest.fixture
def installed(tmp_path, hook, django_db_blocker):
    clouds = tmp_path / "clouds.yaml"
    clouds.write_text(CLOUDS)
    settings = {"CLOUD": "worker", "WEBHOOKS": [hook.webhook()], "NOTIFY": []}
    installation = Installation(
        SimpleNamespace(clouds_yaml=clouds), tmp_path, TEST_MAINTENANCE=json.dumps(settings)
    )
    with django_db_blocker.unblock(), as_default(from_url(f"sqlite:///{installation.file}")):
        yield installation
    installation.close()


def kill(worker) -> None:
    worker.send_signal(signal.SIGKILL)
    worker.wait()


def all_sent() -> bool:
    return not Notice.objects.exclude(state=Notice.SENT).exists()


def test_killed_between_sending_and_recording_it_is_told_again_with_the_same_number(
    installed, hook
):
    let_go = threading.Event()
    hook.answers = [lambda _: let_go.wait(60) and 200]
    drain = a_drain()
    drain.__class__.objects.filter(pk=drain.pk).update(state="cancelled", open_key=None)
    happen(drain, "drain_started", "drain_succeeded")
    worker = installed.start_worker()
    hook.wait()
    kill(worker)
    let_go.set()
    assert not all_sent()
    happen(drain, "safe_to_power_off")
    installed.start_worker()
    installed.wait(all_sent, "all was told")
    assert hook.topics == ["drain_started", "drain_started", "drained", "safe"]
    assert hook.requests[0].delivery == hook.requests[1].delivery
    assert hook.requests[0].content == hook.requests[1].content


def test_two_workers_that_are_told_to_stop_leave_nothing_untold(installed, hook):
    drain = a_drain()
    drain.__class__.objects.filter(pk=drain.pk).update(state="cancelled", open_key=None)
    workers = [installed.start_worker(), installed.start_worker()]
    installed.wait(lambda: Worker.objects.count() == 2, "both obey signals")
    happen(drain, *("drain_started", "drain_succeeded") * 4)
    hook.wait(3)
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
    assert [worker.wait(60) for worker in workers] == [0, 0]
    installed.start_worker()
    installed.wait(all_sent, "all was told")
    first = {one.delivery: one.topic for one in reversed(hook.requests)}
    assert list(reversed(first.values())) == ["drain_started", "drained"] * 4
    said = installed.log.read_text()
    assert "told receiver=hook" in said
    assert not any(secret in said for secret in (PASSWORD, TOKEN, SECRET))

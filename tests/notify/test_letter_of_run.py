"""What is told of a rolling run."""

import pytest

from ukcloud_maintenance import notify, store
from ukcloud_maintenance.core.actor import shell_actor
from ukcloud_maintenance.core.message import message, text
from ukcloud_maintenance.models import Event, Notice

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("kind", "said", "topic", "title"),
    [
        (
            "run_host_yours",
            message("run_host_is_yours", host="cmp1"),
            "needs_you",
            "cmp1: yours to maintain",
        ),
        (
            "run_host_failed",
            message("run_of_host", host="cmp1", said=message("run_no_reason")),
            "action_failed",
            "cmp1: failed in its run",
        ),
        ("run_succeeded", message("run_succeeded", count=1), "run_finished", "run {run}: finished"),
    ],
)
def test_it_names_the_host_or_the_run_and_links_its_page(kind, said, topic, title):
    run = store.create_run(
        hosts=[store.NewHost("cmp1")],
        actor=shell_actor(),
        said=text("new kernel"),
        now=store.now(),
        region="RegionOne",
        reason="new kernel",
        max_concurrent=1,
    )
    store.record_of_run(run, store.now(), (kind, "worker", said))
    event = Event.objects.get(kind=kind)
    assert Notice.objects.filter(event=event).exists()
    letter = notify.letter_of(event, "1", "en", "https://cloud/horizon")
    assert (letter.topic, letter.title) == (topic, title.format(run=run.pk))
    assert "new kernel" in letter.body
    assert letter.document["data"]["run_id"] == run.pk
    page = f"https://cloud/horizon/admin/maintenance/runs/{run.pk}/"
    assert letter.document["data"]["url"] == page

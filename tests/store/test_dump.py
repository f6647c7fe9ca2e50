"""What is dumped of the record can be loaded again, to the letter."""

from datetime import datetime

from django.core.management import call_command

from tests.asking import request
from tests.store.test_store import NOW, begin, create, row
from ukcloud_maintenance import store
from ukcloud_maintenance.core.message import message, several, text
from ukcloud_maintenance.core.states import MigrationState
from ukcloud_maintenance.models import Attempt, Drain, Event, InstanceMigration, Request

MODELS = (Drain, InstanceMigration, Attempt, Request, Event)


def everything() -> list:
    return [list(model.objects.order_by("pk").values()) for model in MODELS]


def test_a_dump_can_be_loaded_again(tmp_path):
    drain = begin(create("cmp1", servers=["a"]))
    said = several(message("host_down", host="cmp1"), text("Schläft 🔧"))
    store.change_drain(drain, NOW, message=said)
    one = row(drain)
    sent = {"attempts": 1, "request_id": "req-1", "points": [[1.0, 2, 3, 4]]}
    store.change_migration(one, NOW, state=MigrationState.SUBMITTED, **sent)
    request(one, "abort", "ann", NOW, answer=message("abort_refused", words="no"))
    before = everything()
    file = tmp_path / "dump.json"
    call_command("dumpdata", "ukcloud_maintenance", output=str(file), verbosity=0)
    Drain.objects.all().delete()
    assert not any(everything())
    call_command("loaddata", str(file), verbosity=0)
    for old, new in zip(before, everything(), strict=True):
        assert [_changed(a, b) for a, b in zip(old, new, strict=True)] == [{}] * len(old)
    assert Drain.objects.get().message == said


def _changed(old: dict, new: dict) -> dict:
    """What is not the same; Django's JSON has times to the millisecond."""
    return {n: (old[n], new[n]) for n in old if _short(old[n]) != _short(new[n])}


def _short(value):
    if isinstance(value, datetime):
        return value.replace(microsecond=value.microsecond // 1000 * 1000)
    return value

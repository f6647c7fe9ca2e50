"""A database in a file, which threads and processes share; and what is told."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import timezone

from tests.databases import as_default, from_url
from tests.notify.receivers import Receiver, receiver
from ukcloud_maintenance import store
from ukcloud_maintenance.core.message import text
from ukcloud_maintenance.models import Drain


@pytest.fixture(scope="session")
def tables(tmp_path_factory, django_db_blocker) -> bytes:
    """A database file as `migrate` makes it."""
    file = tmp_path_factory.mktemp("notify") / "tables.sqlite3"
    with django_db_blocker.unblock(), as_default(from_url(f"sqlite:///{file}")):
        call_command("migrate", verbosity=0)
    return file.read_bytes()


@pytest.fixture
def database(tables, tmp_path, django_db_blocker) -> Iterator[Path]:
    """The file of the default database."""
    file = tmp_path / "queue.sqlite3"
    file.write_bytes(tables)
    with django_db_blocker.unblock(), as_default(from_url(f"sqlite:///{file}")):
        yield file


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


_numbers = count(1)


def a_drain(host: str = "", **more) -> Drain:
    now = timezone.now()
    return store.create_drain(
        **{
            "region": "RegionOne",
            "host": host or f"cmp{next(_numbers)}",
            "service_id": "s1",
            "reason": "new kernel",
            "max_concurrent": 2,
            "destination": "",
            "actor_id": "u",
            "actor": "alice",
            "planned": [],
            "project_names": {},
            "now": now,
            **more,
        }
    )


def happen(drain: Drain, *kinds: str) -> None:
    """Events of a drain, one after the other."""
    for kind in kinds:
        store.record(drain, None, timezone.now(), kind, "worker", text(f"This is {kind}."))

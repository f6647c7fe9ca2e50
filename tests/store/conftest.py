"""Every test of this folder runs on SQLite, PostgreSQL and MariaDB: real servers, real commits."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, connections, transaction

from tests.databases import as_default, from_url, mariadb, postgresql
from ukcloud_maintenance.models import (
    Drain,
    Event,
    HostMaintenance,
    InstanceMigration,
    Plan,
    Run,
    Turn,
    Worker,
)

SERVERS = {"postgresql": postgresql, "mariadb": mariadb}


@pytest.fixture(scope="session", params=["sqlite", *SERVERS])
def engine(request, tmp_path_factory, django_db_blocker) -> Iterator[dict[str, Any]]:
    """The settings of a database with the tables of the plugin in it."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite:///{tmp_path_factory.mktemp('store') / 'store.sqlite3'}"
        else:
            url = stack.enter_context(SERVERS[request.param]())
        settings = from_url(url)
        with django_db_blocker.unblock(), as_default(settings):
            call_command("migrate", verbosity=0)
        yield settings


@pytest.fixture(scope="session")
def empty_database(engine, django_db_blocker) -> Callable[[], dict[str, Any]]:
    """Makes a database beside that one, with nothing in it: for a schema that is not today's. To
    migrate takes long, so tests that only read what comes of it share one."""
    numbers = count(1)

    def make() -> dict[str, Any]:
        if engine["ENGINE"].endswith("sqlite3"):
            return engine | {"NAME": f"{engine['NAME']}-{next(numbers)}"}
        name = f"beside_{next(numbers)}"
        with django_db_blocker.unblock(), as_default(engine), connection.cursor() as cursor:
            characters = " CHARACTER SET utf8mb4" if connection.vendor == "mysql" else ""
            cursor.execute(f"CREATE DATABASE {name}{characters}")
        return engine | {"NAME": name}

    return make


@pytest.fixture(autouse=True)
def database(engine, django_db_blocker) -> Iterator[None]:
    """That database as the default one, empty at the start, and no transaction around the test."""
    with django_db_blocker.unblock(), as_default(engine):
        with transaction.atomic():
            for model in (
                Event,
                Run,
                InstanceMigration,
                Drain,
                Plan,
                HostMaintenance,
                Turn,
                Worker,
            ):
                model.objects.all().delete()
        yield


@pytest.fixture
def at_once() -> Callable[[list[Callable[[], Any]]], list[Any]]:
    """Calls functions at the same moment, each in a thread with a connection of its own; their
    results, or the exceptions that they raised, in the same order."""

    def call(functions: list[Callable[[], Any]]) -> list[Any]:
        barrier = threading.Barrier(len(functions))
        results: list[Any] = [None] * len(functions)

        def run(number: int, function: Callable[[], Any]) -> None:
            try:
                connections["default"].ensure_connection()
                barrier.wait(60)
                results[number] = function()
            except Exception as error:
                results[number] = error
            finally:
                connections["default"].close()

        threads = [threading.Thread(target=run, args=each) for each in enumerate(functions)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results

    return call

"""Databases for the tests: settings from a URL, and real servers on loopback.

The servers are Debian's (postgresql, mariadb-server). Each gets a folder of its own and a free
port, and is gone at the end. Neither runs as root: where the tests do, they run it as the user
that its package made.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pymysql
from django.db import connections
from django.db.utils import ConnectionHandler

from ukcloud_maintenance.demo.ports import free_port

START_SECONDS = 60

_ENGINES = {
    "sqlite": "django.db.backends.sqlite3",
    "postgresql": "django.db.backends.postgresql",
    "mysql": "django.db.backends.mysql",
}


def from_url(url: str) -> dict[str, Any]:
    """An entry of Django's DATABASES, e.g. for ``postgresql://user:password@127.0.0.1:5433/name``.

    ``sqlite://`` alone is a database in memory, ``sqlite:////absolute/file`` a file.
    """
    parts = urlsplit(url)
    settings: dict[str, Any] = {"ENGINE": _ENGINES[parts.scheme]}
    if parts.scheme == "sqlite":
        return settings | {"NAME": parts.path[1:] or ":memory:", "OPTIONS": {"timeout": 60}}
    if parts.scheme == "mysql":  # as the documentation says: Django 4.2 takes utf8 by default
        settings["OPTIONS"] = {"charset": "utf8mb4"}
    return settings | {
        "NAME": parts.path.lstrip("/"),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
    }


@contextmanager
def as_default(settings: dict[str, Any]) -> Iterator[None]:
    """Another database as Django's default one, for this thread and those that it starts."""
    before, connection = connections.settings["default"], connections["default"]
    connections.settings["default"] = ConnectionHandler({"default": settings}).settings["default"]
    connections["default"] = connections.create_connection("default")
    try:
        yield
    finally:
        connections["default"].close()
        connections.settings["default"] = before
        connections["default"] = connection


class Server:
    """A database server, which can be stopped and started again; it keeps what was committed.

    :param url: its one database, see :func:`from_url`
    """

    def __init__(self, url: str, start: Callable[[], None], stop: Callable[[], None]):
        self.url = url
        self.start = start
        self.stop = stop


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of an empty database of a PostgreSQL that runs as long as the context."""
    with postgresql_server() as server:
        yield server.url


@contextmanager
def postgresql_server() -> Iterator[Server]:
    """A PostgreSQL with an empty database, started; `stop` is its crash."""
    # Debian keeps the servers' programs out of the PATH: several versions may be installed.
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: float(p.parent.name))
    bin_folder = versions[-1] if versions else Path(_program("pg_ctl", "postgresql")).parent
    with _folder("postgres") as (folder, user):
        data, port = folder / "data", free_port()
        _run(user, bin_folder / "initdb", "-D", data, "-U", "test", "-A", "trust", "-E", "UTF8")
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        control = [bin_folder / "pg_ctl", "-D", data, "-l", folder / "log", "-w"]
        server = Server(
            f"postgresql://test@127.0.0.1:{port}/postgres",
            start=lambda: _run(user, *control, "-o", options, "start"),
            stop=lambda: _run(user, *control, "-m", "immediate", "stop"),
        )
        server.start()
        try:
            yield server
        finally:
            if (data / "postmaster.pid").exists():
                server.stop()


@contextmanager
def mariadb() -> Iterator[str]:
    """The URL of an empty database of a MariaDB that runs as long as the context."""
    with mariadb_server() as server:
        yield server.url


@contextmanager
def mariadb_server() -> Iterator[Server]:
    """A MariaDB with an empty database, started."""
    program = _program("mariadbd", "mariadb-server")
    install = _program("mariadb-install-db", "mariadb-server")
    with _folder("mysql") as (folder, user):
        data, port = folder / "data", free_port()
        _run(user, install, "--no-defaults", f"--datadir={data}", "--skip-test-db")
        command = [
            program,
            "--no-defaults",
            f"--datadir={data}",
            f"--socket={folder / 'socket'}",
            f"--pid-file={folder / 'pid'}",
            "--bind-address=127.0.0.1",
            f"--port={port}",
            "--skip-grant-tables",
            # what was committed outlives the process, but not the machine
            "--innodb-flush-log-at-trx-commit=2",
        ]
        running: list[subprocess.Popen[bytes]] = []

        def start() -> None:
            with (folder / "log").open("ab") as log:
                process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **_as(user)
                )
            running.append(process)
            _mariadb_connection(port, process, folder / "log").close()

        def stop() -> None:
            process = running.pop()
            process.terminate()
            try:
                process.wait(START_SECONDS)
            except subprocess.TimeoutExpired:  # it was still starting
                process.kill()
                process.wait()

        try:
            start()
            with _mariadb_connection(port, running[-1], folder / "log") as connection:
                # the collation that a fresh server has: it takes CMP1 for cmp1
                connection.query("CREATE DATABASE test CHARACTER SET utf8mb4")
            yield Server(f"mysql://test@127.0.0.1:{port}/test", start, stop)
        finally:
            while running:
                stop()


def _mariadb_connection(
    port: int, process: subprocess.Popen[bytes], log: Path
) -> "pymysql.connections.Connection[Any]":
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            return pymysql.connect(host="127.0.0.1", port=port, user="test")
        except pymysql.OperationalError:  # not `err.…`, which Horizon's settings load anew
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"MariaDB did not start:\n{log.read_text()}") from None
            time.sleep(0.1)


def _program(name: str, package: str) -> str:
    path = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
    found = shutil.which(name, path=path)
    if not found:
        raise RuntimeError(f"{name} is missing: install Debian's package {package}")
    return found


@contextmanager
def _folder(package_user: str) -> Iterator[tuple[Path, str | None]]:
    """A folder for a server, and the user to run it as, or None for the one we are."""
    user = package_user if os.getuid() == 0 else None
    # Not pytest's own: that one is closed to other users. A short path, because a socket is in it.
    folder = Path(tempfile.mkdtemp(prefix=f"{package_user}-"))
    try:
        if user:
            shutil.chown(folder, user, user)
        yield folder, user
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _as(user: str | None) -> dict[str, Any]:
    return {"user": user, "group": user, "extra_groups": []} if user else {}


def _run(user: str | None, *command: str | Path) -> None:
    # To a file and not to a pipe, which the server would inherit and keep open.
    with tempfile.TemporaryFile("w+") as output:
        ended = subprocess.run(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            check=False,
            **_as(user),
        )
        if ended.returncode:
            output.seek(0)
            raise RuntimeError(f"{command[0]} failed:\n{output.read()}")

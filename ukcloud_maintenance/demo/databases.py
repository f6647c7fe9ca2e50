"""SQLite under a control plane with many threads, and schemas in seconds instead of half a minute.

Three things make it work:

* Every database is in WAL mode, and oslo.db's *writers* begin with ``BEGIN IMMEDIATE``. oslo.db
  emits a deferred ``BEGIN``; a transaction that reads first and writes later then fails with
  "database is locked" at once, whatever the timeout, as soon as somebody else wrote in between.
* Connections are pooled. oslo.db opens and closes one for each transaction, and reading the schema
  of a hundred tables each time takes longer than most queries do.
* Schemas are made from the services' own models and stamped with their newest migration. What
  that yields is copied into a cache, from which later clouds start.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sqlite3
import sys
import tempfile
import types
from importlib import metadata
from pathlib import Path

from . import cache

CELL0_UUID = "00000000-0000-0000-0000-000000000000"
CELL1_UUID = "5a9d9d6e-5f5c-4d8e-9d0a-0c7d1b6d2c11"
TRANSPORT_URL = "fake://"

ENDPOINTS = {
    "identity": "/identity/v3",
    "placement": "/placement",
    "compute": "/compute/v2.1",
    "image": "/image",
    "network": "/network",
}
"""The catalog: service type and path below the one port."""

NAMES = ("keystone", "placement", "nova_api", "nova_cell0", "nova_cell1")


def path_of(state: Path, name: str) -> Path:
    return state / "db" / f"{name}.sqlite"


def url_of(state: Path, name: str) -> str:
    """The SQLAlchemy URL; the timeout is how long a writer waits for another one."""
    return f"sqlite:///{path_of(state, name)}?timeout=60"


def create_empty(state: Path) -> None:
    """Make the empty files; WAL mode is a property of the file and stays."""
    (state / "db").mkdir(exist_ok=True)
    for name in NAMES:
        with contextlib.closing(sqlite3.connect(path_of(state, name))) as connection:
            connection.execute("PRAGMA journal_mode=WAL")


def tune_oslo_db() -> None:
    """Patch oslo.db, before any of its engines is made: pool connections, begin immediately.

    The reader's and the writer's engine of each facade become two views of one engine that
    differ in an execution option, and a listener of ours, which SQLAlchemy calls before the
    engine's own, emits the fitting BEGIN and leaves the mark by which oslo.db's listener knows
    that there is nothing left to do.
    """
    import sqlalchemy
    from oslo_db.sqlalchemy import enginefacade, engines, orm

    class Pool(sqlalchemy.pool.QueuePool):
        def __init__(self, *args, **kwargs):
            # No ping: a file doesn't go away.
            wanted = {"pool_size": 10, "max_overflow": 90, "pre_ping": False}
            super().__init__(*args, **kwargs | wanted)

    @sqlalchemy.event.listens_for(Pool, "checkin")
    def forget_transaction(connection, record):
        record.info.pop("in_transaction", None)

    # Its module names the pool for SQLite files as `pool.NullPool`.
    engines.pool = types.SimpleNamespace(**vars(engines.pool) | {"NullPool": Pool})

    @sqlalchemy.event.listens_for(sqlalchemy.engine.Engine, "begin")
    def begin(connection):
        if connection.dialect.name != "sqlite" or "in_transaction" in connection.info:
            return
        mode = connection.get_execution_options().get("demo_sqlite_begin", "")
        connection.info["in_transaction"] = True
        connection.exec_driver_sql(f"BEGIN {mode}".strip())

    factory = enginefacade._TransactionFactory
    setup = factory._setup_for_connection

    def setup_for_connection(self, sql_connection, engine_kwargs, maker_kwargs):
        # thread_checkin is a courtesy to green threads.
        engine_kwargs = engine_kwargs | {"thread_checkin": False}
        engine, _maker = setup(self, sql_connection, engine_kwargs, maker_kwargs)
        engine = engine.execution_options(demo_sqlite_begin="IMMEDIATE")
        return engine, orm.get_maker(engine=engine, **maker_kwargs)

    start = factory._start

    def start_with_two_views(self, *args, **kwargs):
        fresh = not self._started
        start(self, *args, **kwargs)
        if fresh and self._reader_engine is self._writer_engine:
            engine = self._writer_engine.execution_options(demo_sqlite_begin="")
            self._reader_maker = orm.get_maker(engine=engine, **self._maker_args_for_conf(None))
            self._reader_engine = engine
            self.synchronous_reader = False

    factory._setup_for_connection = setup_for_connection
    factory._start = start_with_two_views


def create_schemas(state: Path) -> None:
    """Create every table from the services' own models.

    The databases live as long as the installed versions (``template_key``) and are never
    upgraded in place, so that no migration is stamped.
    """
    import sqlalchemy
    from keystone.common import sql as keystone_sql
    from keystone.resource.backends.base import NULL_DOMAIN_ID
    from nova.db.api import models as nova_api_models
    from nova.db.main import models as nova_main_models
    from placement.db.sqlalchemy import models as placement_models

    schemas = {
        "keystone": keystone_sql.ModelBase.metadata,
        "placement": placement_models.BASE.metadata,
        "nova_api": nova_api_models.BASE.metadata,
        "nova_cell0": nova_main_models.BASE.metadata,
        "nova_cell1": nova_main_models.BASE.metadata,
    }
    for name, schema in schemas.items():
        engine = sqlalchemy.create_engine(url_of(state, name))
        schema.create_all(engine)
        engine.dispose()

    # Rows that the first migrations of Keystone and `nova-manage cell_v2` would write. The
    # domain of all domains is what the foreign keys of Keystone's projects refer to.
    with contextlib.closing(sqlite3.connect(path_of(state, "keystone"))) as connection:
        connection.execute(
            "INSERT INTO project (id, name, enabled, domain_id, is_domain, description, extra)"
            " VALUES (:id, :id, 0, :id, 1, '', '{}')",
            {"id": NULL_DOMAIN_ID},
        )
        connection.commit()
    with contextlib.closing(sqlite3.connect(path_of(state, "nova_api"))) as connection:
        connection.executemany(
            "INSERT INTO cell_mappings (uuid, name, transport_url, database_connection, disabled)"
            " VALUES (?, ?, ?, '', 0)",
            [(CELL0_UUID, "cell0", "none:///"), (CELL1_UUID, "cell1", TRANSPORT_URL)],
        )
        connection.commit()


def relocate(state: Path, base_url: str, transport_url: str) -> None:
    """Write what depends on the directory, the port and the message bus into databases that may
    come from a template or from an earlier start on another port."""
    with contextlib.closing(sqlite3.connect(path_of(state, "nova_api"))) as connection:
        for uuid, name in ((CELL0_UUID, "nova_cell0"), (CELL1_UUID, "nova_cell1")):
            connection.execute(
                "UPDATE cell_mappings SET database_connection = ? WHERE uuid = ?",
                (url_of(state, name), uuid),
            )
        connection.execute(
            "UPDATE cell_mappings SET transport_url = ? WHERE uuid = ?", (transport_url, CELL1_UUID)
        )
        connection.commit()
    with contextlib.closing(sqlite3.connect(path_of(state, "keystone"))) as connection:
        for service_type, path in ENDPOINTS.items():
            connection.execute(
                "UPDATE endpoint SET url = ? WHERE service_id IN"
                " (SELECT id FROM service WHERE type = ?)",
                (base_url + path, service_type),
            )
        connection.commit()


# --- the cached template ----------------------------------------------------------------------


def _template() -> Path:
    return cache.directory() / "templates" / template_key()


def service_versions() -> str:
    """What a directory's databases belong to; they are never upgraded."""
    names = ("keystone", "nova", "openstack-placement")
    return " ".join(f"{name}={metadata.version(name)}" for name in names)


def template_key() -> str:
    """Changes with everything that the template's content depends on."""
    digest = hashlib.sha256(service_versions().encode())
    digest.update(metadata.version("SQLAlchemy").encode() + sys.version.encode())
    for module in ("databases.py", "identity.py"):
        digest.update(Path(__file__).with_name(module).read_bytes())
    return digest.hexdigest()[:20]


def copy_from_template(state: Path) -> bool:
    """Fill an empty state directory from the cache; False where the cache has nothing."""
    template = _template()
    try:
        held = cache.hold(template)
    except FileNotFoundError:
        return False
    try:
        if not (template / "complete").exists():  # half removed
            return False
        for part in ("db", "keys"):
            shutil.copytree(template / part, state / part, dirs_exist_ok=True)
        shutil.copy2(template / "secrets.json", state / "secrets.json")
    finally:
        os.close(held)
    return True


def save_template(state: Path) -> None:
    """Keep a copy of a state directory that has no hosts and no servers yet.

    Failing to do so costs time, never correctness, so that an unwritable cache is no error.
    """
    template = _template()
    with contextlib.suppress(OSError), cache.one_at_a_time(template.parent):
        if not (template / "complete").exists():
            _save(state, template)
        cache.remove_others(template)


def _save(state: Path, template: Path) -> None:
    work = Path(tempfile.mkdtemp(dir=template.parent, prefix="new-"))
    try:
        (work / "db").mkdir()
        for name in NAMES:
            with (
                contextlib.closing(sqlite3.connect(path_of(state, name))) as source,
                contextlib.closing(sqlite3.connect(work / "db" / f"{name}.sqlite")) as target,
            ):
                source.backup(target)
                target.execute("PRAGMA journal_mode=WAL")
        shutil.copytree(state / "keys", work / "keys")
        shutil.copy2(state / "secrets.json", work / "secrets.json")
        (work / "complete").touch()
        shutil.rmtree(template, ignore_errors=True)  # half removed
        work.rename(template)
    finally:
        shutil.rmtree(work, ignore_errors=True)

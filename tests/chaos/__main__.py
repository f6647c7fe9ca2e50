"""Drains on a real Nova while everything around them fails: ``python -m tests.chaos --seed 7``.

It ends with the number of each fault and, where something did not hold, with what, and the course
of that server or host by Nova's record and by ours. Exit code 0: everything held.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import django

from tests.databases import Server, mariadb_server, postgresql_server
from ukcloud_maintenance.demo.harness import DemoCloud

DATABASES = ("sqlite", "postgresql", "mariadb")


def main() -> int:
    parser = argparse.ArgumentParser(prog="chaos", description=str(__doc__).split(":")[0])
    parser.add_argument("--seed", type=int, help="what everything follows from; random by default")
    parser.add_argument("--minutes", type=float, default=10, help="how long faults are made")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--database", choices=DATABASES, help="chosen by the seed by default")
    parser.add_argument("--report", type=Path, help="write what was found as JSON, too")
    parser.add_argument("--keep", type=Path, help="folder for the logs, which are kept")
    parser.add_argument(
        "--without", nargs="+", default=[], metavar="ACT", help="leave out, see faults.ACTS"
    )
    wanted = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if wanted.seed is None else wanted.seed
    kind = wanted.database or random.Random(seed).choice(DATABASES)
    print(f"chaos: SEED={seed}, {wanted.minutes:g} minutes, {wanted.workers} workers, {kind}")
    sys.stdout.flush()
    with contextlib.ExitStack() as stack:
        if wanted.keep:
            folder = wanted.keep.resolve()
            folder.mkdir(parents=True)
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
        server = stack.enter_context(_database(kind))
        url = server.url if server else f"sqlite:///{folder / 'queue.sqlite3'}"
        os.environ |= {"DJANGO_SETTINGS_MODULE": "tests.chaos.settings", "TEST_DATABASE_URL": url}
        django.setup()
        from tests.chaos import run  # which imports the models

        nova = stack.enter_context(DemoCloud(config=run.CLOUD))
        # Who asks for drains sees the cloud as it is: it is the workers that have to cope.
        os.environ["OS_CLIENT_CONFIG_FILE"] = str(nova.clouds_yaml)
        report = run.run(
            seed, wanted.minutes * 60, wanted.workers, folder, server, nova, wanted.without
        )
    report |= {"seed": seed, "database": kind, "minutes": wanted.minutes}
    if wanted.report:
        wanted.report.write_text(json.dumps(report, indent=2))
    print(f"chaos: SEED={seed}: {len(report['violations'])} violations")
    return 1 if report["violations"] else 0


@contextlib.contextmanager
def _database(kind: str) -> Iterator[Server | None]:
    """A database server; None for SQLite, which is none."""
    if kind == "sqlite":
        yield None
        return
    with {"postgresql": postgresql_server, "mariadb": mariadb_server}[kind]() as server:
        yield server


if __name__ == "__main__":
    sys.exit(main())

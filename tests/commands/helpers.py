"""Run a command as `django-admin` does, and move drains as a worker would."""

import io
import json
import os
import pwd
import sys
from dataclasses import dataclass
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from django.utils import timezone

from tests.shapes import Seen, printed_as
from ukcloud_maintenance import store
from ukcloud_maintenance.core.host.certificate import CODES
from ukcloud_maintenance.core.shape import Printed
from ukcloud_maintenance.core.states import DrainResult, DrainState, MigrationState
from ukcloud_maintenance.management.commands._base import ShellCommand
from ukcloud_maintenance.models import Drain


@dataclass
class Outcome:
    exit_code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


def run(name: str, *arguments: str, stderr: Any = None) -> Outcome:
    """A command with its arguments, exit code and output, in this process."""
    module = import_module(f"ukcloud_maintenance.management.commands.{name}")
    out, err = io.StringIO(), stderr or io.StringIO()
    command = module.Command(stdout=out, stderr=err, no_color=True)
    argparse_err, sys.stderr = sys.stderr, err
    try:
        command.run_from_argv(["django-admin", name, *arguments])
    except SystemExit as end:
        exit_code = int(end.code or 0)
    else:
        exit_code = 0
    finally:
        sys.stderr = argparse_err
    check_document(command, out.getvalue())
    return Outcome(exit_code, out.getvalue(), err.getvalue())


#: What the documents have had that were printed so far.
PRINTED = Seen()


def check_document(command: Any, stdout: str) -> None:
    """Whether what was printed, where it is JSON, is as the reference says."""
    if not stdout.startswith(("{", "[")) or not isinstance(command, ShellCommand):
        return
    prints = [*command.prints, Printed(command.prints_error)]
    assert printed_as(prints, json.loads(stdout), PRINTED) == []


def shell_user(monkeypatch: Any, uid: int, name: str, **environment: str) -> None:
    """The process is this user's, and has these variables in its environment."""
    monkeypatch.setattr(os, "getuid", lambda: uid)
    monkeypatch.setattr(pwd, "getpwuid", lambda asked: {uid: SimpleNamespace(pw_name=name)}[asked])
    for variable in ("SUDO_USER", "LOGNAME", "USER"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)


def begin(drain: Drain) -> None:
    """A worker took the drain."""
    store.change_drain(drain, timezone.now(), state=DrainState.RUNNING, started_at=timezone.now())


def move(drain: Drain, name: str, state: MigrationState, **fields: Any) -> None:
    """An instance of the drain comes into a state, by the way through `submitted`."""
    row = drain.migrations.get(server_name=name)
    for step in (MigrationState.SUBMITTED, MigrationState.MIGRATING, state):
        if row.state != step:
            store.change_migration(row, timezone.now(), state=step, **fields)


def verify(drain: Drain, *, safe: bool = True) -> None:
    """A worker looked at the drained host."""
    now = timezone.now()
    maintenance = store.open_maintenance(drain.region, drain.host)
    assert maintenance
    text = "Fine." if safe else "Placement has 1 allocation on this host."
    checks = [{"code": code, "passed": safe, "text": text, "details": []} for code in CODES]
    store.verified(
        maintenance, checks=checks, safe=safe, why=None, looked_at=now, actor="worker", now=now
    )


def enter_maintenance(drain: Drain) -> None:
    """A worker found the service enabled."""
    store.join_maintenance(
        drain, found_status="enabled", found_reason="", service_id="s1", now=timezone.now()
    )


def succeed(drain: Drain, *, safe: bool = True) -> None:
    """A drain, begun or not, ends with an empty host that is verified to be safe, or not to be."""
    if drain.state == DrainState.PENDING:
        begin(drain)
    enter_maintenance(drain)
    finish(drain, DrainState.SUCCEEDED, DrainResult.EMPTY, "Empty.")
    verify(drain, safe=safe)


def finish(drain: Drain, state: DrainState, result: DrainResult, message: str) -> None:
    store.finish_drain(drain, state, result, message, "worker", timezone.now())

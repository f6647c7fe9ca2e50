"""Commands: begun once, detached from the worker, and found again by whoever looks.

A command has a record, which is a directory of its own. A record is used once: for another
attempt there is another. The worker can be killed at any instruction; whoever looks at the record
afterwards is told the truth (:class:`State`), and nothing begins a second time.

What makes this hold is a lock (flock) on the record. `begin` takes it, the supervisor inherits it,
and its end frees it, however that comes. So where it is free, nobody watches the command, and
nobody will begin it.
"""

import contextlib
import fcntl
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.backports import StrEnum
from ..core.message import Message, message, text
from ..core.printable import printable
from ..exceptions import ActionError
from ..settings.actions import VALUES, Command
from . import supervise
from .outcome import Ending, Outcome

#: The exit code of a command that wants to be tried again later (EX_TEMPFAIL of sysexits.h).
TRY_LATER = 75
#: Seconds that a command has to end by itself, before it is killed.
GRACE = 10.0
#: Seconds between two looks of the supervisor: how old the output is at most.
INTERVAL = 1.0
#: Seconds that the supervisor has to come up.
START = 30.0
#: Characters of the output that are shown at most, and of its last line in a message.
SHOWN, LAST = 80 * 1024, 200

#: Colours and other sequences that tell a terminal how to show what follows.
_SEQUENCE = re.compile(r"\x1b(?:\[[0-9;:?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))")


class State(StrEnum):
    """What a record says of its command.

    :cvar NEVER_BEGAN: it did not begin, and from now on never will
    :cvar UNKNOWN: it began, and nobody saw its end; it may still be running
    """

    RUNNING = "running"
    ENDED = "ended"
    NEVER_BEGAN = "never_began"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Look:
    """What can be known of a command.

    :param exit_code: of one that ended by itself
    :param signal: the number of the signal that ended it
    :param timed_out: its time was over; whatever it exited with then
    :param stopped: :func:`stop` ended it
    :param error: why it could not be started, in words of the system
    :param seconds: how long it ran
    :param ended_at: seconds since 1970, by the clock of its machine
    :param pid: of a process of it that still runs, though nobody watches it
    :param last_line: of its output, printable, and cut off where it is long
    """

    state: State
    exit_code: int | None = None
    signal: int | None = None
    timed_out: bool = False
    stopped: bool = False
    error: str = ""
    seconds: float | None = None
    ended_at: float | None = None
    pid: int | None = None
    last_line: str = ""


def begin(record: Path, command: Command, values: Mapping[str, str]) -> None:
    """Begin a command. It returns when the supervisor is there.

    :param record: a directory that does not exist, in one that does (`records.directory`)
    :param values: ``host``, ``run`` and ``reason``
    :raises ActionError: it was not begun, or begun before, or it is not known whether it was:
        :func:`look` knows
    """
    job = {
        "argv": filled(command.argv, values),
        "environment": environment(command, values),
        "directory": command.directory or "/",
        "time_limit": command.time_limit,
        "grace": GRACE,
        "interval": INTERVAL,
    }
    try:
        with _new(record) as (folder, lock):
            _start(record, json.dumps(job).encode(), folder, lock)
    except (OSError, subprocess.SubprocessError) as error:
        why = text(getattr(error, "strerror", None) or str(error))
        raise ActionError(message("action_not_begun", why=why)) from error


def filled(argv: tuple[str, ...], values: Mapping[str, str]) -> list[str]:
    """The arguments with their values. What is not printable in a value is written as an escape:
    no value ends an argument, or is more than one."""
    known = _known(values)
    return [one.format(**known) for one in argv]


def environment(command: Command, values: Mapping[str, str]) -> dict[str, str]:
    """All that a command gets of it; nothing of the worker's but where programs and its home are,
    and the language."""
    user = pwd.getpwuid(os.geteuid())
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.environ.get("HOME", user.pw_dir),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        **command.environment,
        **{f"MAINTENANCE_{name.upper()}": value for name, value in _known(values).items()},
    }


def look(record: Path) -> Look:
    """What became of a command. One that never began is kept from it from now on.

    :raises ActionError: the record cannot be read now
    """
    try:
        with contextlib.suppress(FileExistsError):
            record.mkdir(mode=0o700)  # nobody can begin with it any longer
        return _ended(record) or _look(record)
    except OSError as error:
        why = text(error.strerror or str(error))
        raise ActionError(message("action_unreadable", why=why)) from error


def outcome(found: Look) -> Outcome:
    """What a look means for the action."""
    return Outcome(*_outcome(found))


def output(record: Path) -> str:
    """What a command has written so far: its beginning and its end, safe to be shown anywhere."""
    head, tail, left_out = _output(record)
    if left_out:
        head += f"\n[... {left_out} bytes ...]\n".encode() + tail
    elif tail:
        head += tail
    shown = _readable(head)
    if len(shown) > SHOWN:
        half = SHOWN // 2
        shown = f"{shown[:half]}\n[...]\n{shown[-half:]}"
    return shown


def stop(record: Path) -> None:
    """End a command; one that has not begun does not begin. It is asked to end first, and killed
    after some seconds. Where nobody watches it any longer, it is killed when this is called again.

    :raises ActionError: it cannot be told
    """
    look(record)  # there is one now
    file = record / supervise.STOP
    again = file.exists()
    try:
        file.touch(mode=0o600)
    except OSError as error:
        why = text(error.strerror or str(error))
        raise ActionError(message("action_unreadable", why=why)) from error
    found = look(record)
    if found.state is State.UNKNOWN and found.pid is not None:
        with contextlib.suppress(OSError):
            os.killpg(found.pid, signal.SIGKILL if again else signal.SIGTERM)


def forget(record: Path) -> None:
    """Remove a record.

    :raises ActionError: the command is running, or the record cannot be removed
    """
    if not record.exists():
        return
    found = look(record)
    if found.state is State.RUNNING or found.pid is not None:
        raise ActionError(message("action_running"))
    try:
        shutil.rmtree(record)
    except OSError as error:
        why = text(error.strerror or str(error))
        raise ActionError(message("action_unreadable", why=why)) from error


# -- beginning ---------------------------------------------------------------------------------


@contextlib.contextmanager
def _new(record: Path) -> Iterator[tuple[int, int]]:
    """A new record: (its directory, its lock). The lock is held until the last process that has it
    is gone."""
    record.mkdir(mode=0o700)
    supervise.sync_directory(str(record.parent))
    with contextlib.ExitStack() as stack:
        folder = os.open(record, os.O_RDONLY | os.O_DIRECTORY)
        stack.callback(os.close, folder)
        lock = os.open(supervise.LOCK, os.O_RDWR | os.O_CREAT, 0o600, dir_fd=folder)
        stack.callback(os.close, lock)
        # somebody looks at it: then it is void
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if (record / supervise.VOID).exists():
            raise ActionError(message("action_not_begun", why=message("record_is_void")))
        yield folder, lock


def _start(record: Path, job: bytes, folder: int, lock: int) -> None:
    """A copy of the supervisor leaves this process for good, and has the lock; the one that is
    waited for only reads the job."""
    with (record / "fault").open("wb") as fault:
        supervisor = subprocess.Popen(
            # isolated, and without what is installed: it is there at once, and nobody's path counts
            [sys.executable, "-I", "-S", supervise.__file__, str(folder)],
            stdin=subprocess.PIPE,
            stdout=fault,
            stderr=fault,
            cwd="/",
            env={"LANG": "C.UTF-8"},
            pass_fds=(folder, lock),
            start_new_session=True,
        )
    try:
        supervisor.communicate(job, START)
    except subprocess.TimeoutExpired:
        # whether it has the job by now is for the record to say
        supervisor.kill()
        supervisor.wait()
        raise
    if supervisor.returncode:
        why = message("supervisor_exited", exit_code=supervisor.returncode)
        raise ActionError(message("action_not_begun", why=why))


def _known(values: Mapping[str, str]) -> dict[str, str]:
    return {name: printable(values.get(name, "")) for name in VALUES}


# -- looking -----------------------------------------------------------------------------------


def _look(record: Path) -> Look:
    lock = os.open(record / supervise.LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        # several may look at once
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return Look(State.RUNNING)
    else:
        if (ended := _ended(record)) is not None:  # a moment ago
            return ended
        if (record / supervise.BEGAN).exists():
            return Look(State.UNKNOWN, pid=_survivor(record), last_line=_last_line(record))
        void = os.open(record / supervise.VOID, os.O_WRONLY | os.O_CREAT, 0o600)
        os.fsync(void)
        os.close(void)
        supervise.sync_directory(str(record))
        return Look(State.NEVER_BEGAN)
    finally:
        os.close(lock)


def _ended(record: Path) -> Look | None:
    result = _json(record / supervise.RESULT)
    if not result:
        return None
    return Look(
        State.ENDED,
        exit_code=result.get("exit_code"),
        signal=result.get("signal"),
        timed_out=result.get("timed_out") is True,
        stopped=result.get("stopped") is True,
        error=printable(result.get("error", "")),
        seconds=result.get("seconds"),
        ended_at=result.get("ended_at"),
        last_line=_last_line(record),
    )


def _survivor(record: Path) -> int | None:
    """The process of the command, if it is still there and no other has its number."""
    about = _json(record / supervise.PID)
    pid, began = about.get("pid"), about.get("began_at")
    alive = isinstance(pid, int) and pid > 1 and began and supervise.began_at(pid) == began
    return pid if alive else None


def _json(file: Path) -> dict[str, Any]:
    """Empty where there is none, or none that was written to its end."""
    try:
        found = json.loads(file.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


# -- what it wrote -----------------------------------------------------------------------------


def _output(record: Path) -> tuple[bytes, bytes, int]:
    """The beginning, the end, and how many bytes between them were not kept."""
    try:
        about, _, kept = (record / supervise.OUTPUT).read_bytes().partition(b"\n")
        found = json.loads(about)
        head = int(found["head"])
        return kept[:head], kept[head:], max(int(found["length"]) - len(kept), 0)
    except (OSError, ValueError, KeyError, TypeError):
        return b"", b"", 0


def _readable(written: bytes) -> str:
    plain = _SEQUENCE.sub("", written.decode(errors="replace"))
    return printable(re.sub(r"\r+\n?", "\n", plain), keep="\n\t")


def _last_line(record: Path) -> str:
    head, tail, _ = _output(record)
    lines = _readable(tail if len(tail) > 4 * LAST else head + tail).strip().splitlines()
    line = lines[-1].strip() if lines else ""
    return line if len(line) <= LAST else f"{line[:LAST]}..."


# -- what it means -----------------------------------------------------------------------------


def _outcome(found: Look) -> tuple[Ending, Message]:
    if found.state is State.RUNNING:
        return Ending.RUNNING, message("action_command_running")
    if found.state is State.NEVER_BEGAN:
        return Ending.LATER, message("action_never_began")
    if found.state is State.UNKNOWN:
        if found.pid is not None:
            return Ending.UNKNOWN, message("action_unwatched", pid=found.pid)
        return Ending.UNKNOWN, message("action_end_unknown")
    return _of_ended(found)


def _of_ended(found: Look) -> tuple[Ending, Message]:
    last = message("action_last_line", line=found.last_line) if found.last_line else ""
    if found.error:
        return Ending.FAILED, message("action_not_started", why=found.error)
    if found.stopped:
        return Ending.FAILED, message("action_stopped", last=last)
    if found.timed_out:
        return Ending.FAILED, message("action_timed_out", seconds=found.seconds, last=last)
    if found.signal is not None:
        return Ending.FAILED, message("action_killed", signal=found.signal, last=last)
    if found.exit_code == 0:
        return Ending.DONE, message("action_done", seconds=found.seconds)
    if found.exit_code == TRY_LATER:
        return Ending.LATER, message("action_later", last=last)
    return Ending.FAILED, message("action_failed", exit_code=found.exit_code, last=last)

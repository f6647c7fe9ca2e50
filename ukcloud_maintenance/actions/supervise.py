"""Runs one command and writes down what becomes of it, whatever becomes of the worker.

A program of its own, which the worker starts and leaves (`command.begin`): standard library only,
nothing of ours, so that it is there at once. Its argument is a descriptor of the directory of the
record; the job comes as JSON by its standard input, so that what is secret in it is in no file. It
inherits a lock on the record, which ends with it: as long as that is held, somebody watches the
command.

In the record it writes, in this order:

    began        before the command is started; from then on nobody starts it again
    pid          of the command, and when that process began
    output       the beginning and the end of what the command writes, about each second
    result.json  how it ended, in one step

and it ends the command where there is a file `stop`, or its time is over.
"""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

#: How much is kept of the beginning of the output, and how much of its end.
KEPT = 32 * 1024
#: What is read of a pipe at most after the command has ended: what others that still hold the
#: pipe go on writing is not waited for.
REST = 1024 * 1024
#: How often it is tried to write the result where the disk is full, and the seconds between.
TRIES, PAUSE = 600, 1.0
#: Seconds after which one that cannot be killed is left to itself.
LEAVE = 60.0
_NEVER = float("inf")

LOCK, BEGAN, VOID, PID, OUTPUT, STOP, RESULT = (
    *("lock", "began", "void", "pid", "output", "stop", "result.json"),
)


def main() -> None:
    os.fchdir(int(sys.argv[1]))
    # whoever wrote it and was killed left it incomplete: then nothing has begun
    job = json.loads(sys.stdin.buffer.read())
    if os.fork():
        os._exit(0)  # whoever started this need not wait for it
    _own_signals()
    if not os.path.exists(VOID) and not os.path.exists(STOP):
        write_once(BEGAN, {"time_limit": job["time_limit"], "supervisor": os.getpid()})
        Supervisor(job).run()


def write_once(name: str, value: Mapping[str, Any]) -> None:
    """A file that was not there, kept through a power failure.

    :raises OSError: it was there, or cannot be kept, and then it is not there
    """
    file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(file, json.dumps(value).encode())
        os.fsync(file)
        sync_directory()
    except BaseException:
        os.unlink(name)
        raise
    finally:
        os.close(file)


def sync_directory(path: str = ".") -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def replace(name: str, content: bytes, *, sync: bool = True) -> None:
    """A file as a whole: who reads it sees the old or the new one."""
    new = f"{name}.new"
    file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(file, "wb") as opened:
        opened.write(content)
        if sync:
            opened.flush()
            os.fsync(file)
    os.replace(new, name)
    if sync:
        sync_directory()


def began_at(pid: int) -> str:
    """When a process began, in ticks since the machine did; empty where there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # behind the name, which may have anything in it
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in (b"Z", b"X") else fields[19].decode()


def _own_signals() -> None:
    """Those of the worker do not count here. With a handler each is the command's default again."""
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for one in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGCHLD):
        signal.signal(one, lambda *_: None)


class Output:
    """The beginning and the end of what a command writes."""

    def __init__(self) -> None:
        self.head, self.tail, self.length = bytearray(), bytearray(), 0
        self.saved = -1

    def add(self, chunk: bytes) -> None:
        self.length += len(chunk)
        room = KEPT - len(self.head)
        self.head += chunk[:room]
        self.tail += chunk[room:]
        if len(self.tail) > 4 * KEPT:
            self._cut()

    def _cut(self) -> None:
        del self.tail[: max(len(self.tail) - KEPT, 0)]

    def save(self) -> None:
        """It is a help, and nothing depends on it: a full disk does not matter."""
        if self.saved == self.length:
            return
        self._cut()
        about = {"head": len(self.head), "length": self.length}
        try:
            replace(OUTPUT, json.dumps(about).encode() + b"\n" + self.head + self.tail, sync=False)
        except OSError:
            return
        self.saved = self.length


class Supervisor:
    """One command from its start to its end.

    :param job: ``argv``, ``environment``, ``directory``; ``time_limit``; ``grace``, the seconds
        that it has to end by itself; ``interval``, the seconds between two looks
    """

    def __init__(self, job: Mapping[str, Any]):
        self.job = job
        self.output = Output()
        self.began = time.monotonic()
        self.ends = self.began + job["time_limit"]
        self.kill_at = self.leave_at = _NEVER
        self.timed_out = self.stopped = False

    def run(self) -> None:
        pipe, end = os.pipe()
        os.set_blocking(pipe, False)
        try:
            process = subprocess.Popen(
                self.job["argv"],
                stdin=subprocess.DEVNULL,
                stdout=end,
                stderr=subprocess.STDOUT,
                cwd=self.job["directory"],
                env=self.job["environment"],
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            name = getattr(error, "filename", None) or self.job["argv"][0]
            self.finish({"error": f"{getattr(error, 'strerror', None) or error}: {name}"})
            return
        os.close(end)
        with contextlib.suppress(OSError):
            write_once(PID, {"pid": process.pid, "began_at": began_at(process.pid)})
        if not self.watch(process.pid, pipe):
            return
        code = process.wait()
        ended = {"exit_code": code} if code >= 0 else {"signal": -code}
        self.finish({**ended, "timed_out": self.timed_out, "stopped": self.stopped})

    def watch(self, pid: int, pipe: int) -> bool:
        """Returns when the command has ended, and before it is reaped: until then its number is
        nobody else's.

        :return: whether it has ended; one that is another user's (sudo) may refuse to
        """
        woken, wake = os.pipe()
        os.set_blocking(woken, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, lambda *_: self.stop(pid))
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            look = self.began
            while not _ended(pid):
                now = time.monotonic()
                if now >= look:
                    look = now + self.job["interval"]
                    self.output.save()
                    if os.path.exists(STOP):
                        self.stop(pid)
                if now >= self.ends:
                    self.timed_out = True
                    self.terminate(pid)
                if now >= self.kill_at:
                    self.kill_at, self.leave_at = _NEVER, now + LEAVE
                    _signal(pid, signal.SIGKILL)
                if now >= self.leave_at:
                    self.output.save()
                    return False
                wait = min(look, self.ends, self.kill_at, self.leave_at) - now
                for key, _ in selector.select(max(wait, 0)):
                    if key.fd == woken:
                        _read(woken)
                    elif not self.output_of(pipe):
                        selector.unregister(pipe)
        signal.signal(signal.SIGTERM, lambda *_: None)
        if self.timed_out or self.stopped:
            _signal(pid, signal.SIGKILL)  # what is left of its group
        limit = self.output.length + REST
        while self.output.length < limit and self.output_of(pipe, at_end=True):
            pass
        return True

    def output_of(self, pipe: int, *, at_end: bool = False) -> bool:
        """Whether there may be more in the pipe: now at its end, otherwise ever."""
        chunk = _read(pipe)
        if chunk:
            self.output.add(chunk)
        return bool(chunk) or (chunk is None and not at_end)

    def stop(self, pid: int) -> None:
        if not self.stopped and not self.timed_out:
            self.stopped = True
            self.terminate(pid)

    def terminate(self, pid: int) -> None:
        self.ends, self.kill_at = _NEVER, time.monotonic() + self.job["grace"]
        _signal(pid, signal.SIGTERM)

    def finish(self, result: dict[str, Any]) -> None:
        self.output.save()
        result["ended_at"] = time.time()
        result["seconds"] = time.monotonic() - self.began
        content = json.dumps(result).encode()
        _patiently(lambda: replace(RESULT, content))


def _patiently(write: Callable[[], None]) -> None:
    for _ in range(TRIES):
        try:
            return write()
        except OSError:
            time.sleep(PAUSE)
    return write()


def _ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _signal(group: int, number: int) -> None:
    # nothing is left of it, or nothing that is ours to end
    with contextlib.suppress(OSError):
        os.killpg(group, number)


def _read(pipe: int) -> bytes | None:
    """None where there is nothing now, empty at its end."""
    try:
        return os.read(pipe, 65536)
    except BlockingIOError:
        return None


if __name__ == "__main__":
    main()

"""Commands of actions: real processes, really killed."""

import contextlib
import json
import os
import re
import signal
import stat
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest

from tests.examples import stride
from tests.said import raises
from ukcloud_maintenance.actions import command, records, supervise
from ukcloud_maintenance.actions.command import State, begin, forget, look, outcome, output, stop
from ukcloud_maintenance.actions.outcome import Ending
from ukcloud_maintenance.exceptions import ActionError, ConfigurationError
from ukcloud_maintenance.messages import english
from ukcloud_maintenance.settings.actions import Command

VALUES = {"host": "cmp1", "run": "7", "reason": "new kernel"}


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(command, "INTERVAL", 0.05)
    monkeypatch.setattr(command, "GRACE", 0.3)


@pytest.fixture
def record(tmp_path):
    """Where nothing is yet. What a test leaves running is ended."""
    path = tmp_path / "records" / "1"
    path.parent.mkdir(mode=0o700)
    yield path
    for pid in {*pids_of(path, "began", "supervisor"), *pids_of(path, "pid", "pid")}:
        if str(tmp_path) in cwd_of(pid) or started_by(pid, path):
            os.killpg(os.getpgid(pid), signal.SIGKILL)


def pids_of(record: Path, name: str, key: str) -> list[int]:
    try:
        return [json.loads((record / name).read_text())[key]]
    except (OSError, ValueError, KeyError):
        return []


def cwd_of(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return ""


def started_by(pid: int, record: Path) -> bool:
    about = json.loads((record / "pid").read_text()) if (record / "pid").exists() else {}
    return about.get("pid") == pid and supervise.began_at(pid) == about.get("began_at") != ""


def until(wanted, seconds: float = 60):
    """What `wanted` gives as soon as that is something."""
    end = time.monotonic() + seconds
    while not (found := wanted()):
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.02)
    return found


def ended(record: Path):
    """What is seen when it runs no longer."""
    return until(lambda: (found := look(record)).state is not State.RUNNING and found)


def has_gone(pid: int) -> bool:
    """It runs no longer, whether or not its end was asked for by now."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def lose_the_result(record: Path) -> None:
    (record / supervise.RESULT).unlink()
    assert ended(record).state is State.UNKNOWN  # its supervisor has gone as well


def shell(script: str, **more) -> Command:
    return Command(("/bin/sh", "-c", script), **more)


def run(record: Path, script: str, **more):
    begin(record, shell(script, **more), VALUES)
    return ended(record)


def said(found) -> str:
    return english(outcome(found).said)


# -- how it ends -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "ending", "words"),
    [
        ("exit 0", Ending.DONE, "finished after"),
        ("exit 75", Ending.LATER, "exit code 75"),
        ("exit 1", Ending.FAILED, "exit code 1"),
        ("exit 255", Ending.FAILED, "exit code 255"),
        ("echo no such host >&2; exit 2", Ending.FAILED, "Its last line: no such host"),
        ("kill -9 $$", Ending.FAILED, "ended by signal 9"),
    ],
)
def test_the_exit_code_decides(record, script, ending, words):
    found = run(record, script)
    assert found.state is State.ENDED
    assert outcome(found).ending is ending
    assert words in said(found)


@pytest.mark.parametrize(
    "wrong",
    [
        Command(("no-such-program",)),
        Command(("/etc/passwd",)),
        Command(("/bin/true",), directory="/no/such/directory"),
        Command(("/bin/true", "x" * 200_000)),
    ],
    ids=["no program", "not executable", "no directory", "too long"],
)
def test_what_cannot_be_started_has_failed(record, wrong):
    begin(record, wrong, VALUES)
    found = ended(record)
    assert outcome(found).ending is Ending.FAILED
    assert "could not be started" in said(found)
    assert found.error in said(found)


def test_one_whose_time_is_over_is_ended_and_has_failed_whatever_it_exits_with(record, monkeypatch):
    monkeypatch.setattr(command, "GRACE", 60)
    found = run(record, "trap 'exit 0' TERM; while :; do sleep 0.02; done", time_limit=5)
    assert (found.timed_out, found.exit_code) == (True, 0)
    assert outcome(found).ending is Ending.FAILED
    assert "time limit" in said(found)


@pytest.mark.parametrize(("leader", "ended_by"), [("", signal.SIGTERM), ("trap '' TERM; ", 9)])
def test_whatever_of_its_group_ignores_it_is_killed(record, tmp_path, leader, ended_by):
    child = tmp_path / "child"
    loop = "while :; do sleep 0.02; done"
    inner = f"trap '' TERM; echo $$ > {child}; {loop}"
    begin(record, shell(f'{leader}sh -c "{inner.replace("$", chr(92) + "$")}" & {loop}'), VALUES)
    until(lambda: child.exists() and child.read_text())
    stop(record)
    assert ended(record).signal == ended_by
    pid = int(child.read_text())
    until(lambda: not supervise.began_at(pid))


def test_what_stays_of_the_group_of_one_that_ends_in_time_is_left(record, tmp_path):
    """A daemon that it started, and that holds the pipe: neither waited for nor ended."""
    child = tmp_path / "child"
    found = run(record, f"sleep 1000 & echo $! > {child}; echo started")
    assert outcome(found).ending is Ending.DONE
    assert output(record) == "started\n"
    pid = int(child.read_text())
    try:
        assert supervise.began_at(pid)
    finally:
        os.kill(pid, signal.SIGKILL)


def test_one_that_is_stopped(record):
    begin(record, shell("echo begun; sleep 1000"), VALUES)
    until(lambda: output(record))
    assert look(record).state is State.RUNNING
    stop(record)
    found = ended(record)
    assert (found.stopped, found.signal) == (True, signal.SIGTERM)
    assert outcome(found).ending is Ending.FAILED
    assert "was stopped" in said(found)


def test_a_supervisor_that_is_told_to_end_ends_its_command_and_says_so(record):
    """As systemd does with everything of a unit, KillMode=control-group."""
    begin(record, shell("sleep 1000"), VALUES)
    [supervisor] = until(lambda: pids_of(record, "began", "supervisor"))
    until(lambda: catches(supervisor, signal.SIGTERM))
    os.kill(supervisor, signal.SIGTERM)
    found = ended(record)
    assert (found.state, found.stopped) == (State.ENDED, True)


def catches(pid: int, number: int) -> bool:
    [caught] = re.findall(r"SigCgt:\t(\w+)", Path(f"/proc/{pid}/status").read_text())
    return bool(int(caught, 16) & 1 << number - 1)


# -- what it gets ----------------------------------------------------------------------------


def test_values_are_arguments_and_never_more_than_one(record):
    values = {**VALUES, "reason": "a b'; touch x; $(id) {host}\n-v\0"}
    argv = ("/usr/bin/printf", "%s|", "--limit={host}", "{run}", "{{{host}}}", "{reason}")
    begin(record, Command(argv), values)
    ended(record)
    assert output(record) == r"--limit=cmp1|7|{cmp1}|a b'; touch x; $(id) {host}\n-v\x00|"


def test_its_environment_has_nothing_of_the_workers_secrets(record, monkeypatch):
    monkeypatch.setenv("OS_PASSWORD", "s3cret")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    begin(record, Command(("/usr/bin/env",), environment={"COLOUR": "none"}), VALUES)
    ended(record)
    found = dict(line.split("=", 1) for line in output(record).splitlines())
    assert found.keys() == {
        *("PATH", "HOME", "LANG", "COLOUR"),
        *("MAINTENANCE_HOST", "MAINTENANCE_RUN", "MAINTENANCE_REASON"),
    }
    assert found["MAINTENANCE_REASON"] == "new kernel"
    assert found["PATH"] == "/usr/bin:/bin"


def test_it_reads_nothing_holds_nothing_of_ours_and_has_a_session_of_its_own(record):
    script = "cat; ls /proc/self/fd | wc -l; cat /proc/$$/stat | cut -d' ' -f6; echo $$"
    run(record, script)
    descriptors, session, pid = output(record).split()
    assert int(descriptors) == 4  # its three, and the one that ls lists them by
    assert session == pid


def test_signals_that_are_ignored_or_blocked_here_are_not_there(record):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        # without a shell, which would put them right
        begin(record, Command(("grep", "-E", "Sig(Blk|Ign)", "/proc/self/status")), VALUES)
    finally:
        signal.signal(signal.SIGHUP, before)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    ended(record)
    # the C library has signals of its own, of which none can be set
    ours = sum(1 << (number - 1) for number in signal.valid_signals())
    assert {int(line.split()[1], 16) & ours for line in output(record).splitlines()} == {0}


def test_nothing_of_a_secret_is_in_the_record_and_nobody_else_may_read_it(record):
    run(record, "exit 0", environment={"TOKEN": "s3cret"})
    assert stat.S_IMODE(record.stat().st_mode) == 0o700
    for file in record.iterdir():
        assert b"s3cret" not in file.read_bytes()


# -- its output ------------------------------------------------------------------------------


def test_output_is_shown_while_it_runs(record):
    begin(
        record,
        shell(
            "echo one; while ! [ -e go ]; do sleep 0.02; done; echo two",
            directory=str(record.parent),
        ),
        VALUES,
    )
    assert until(lambda: output(record)) == "one\n"
    assert look(record).state is State.RUNNING
    (record.parent / "go").touch()
    ended(record)
    assert output(record) == "one\ntwo\n"


def test_of_very_much_the_beginning_and_the_end_are_kept(record):
    size = 300_000_000
    found = run(record, f"echo first; yes | head -c {size}; echo; echo last")
    shown = output(record)
    assert outcome(found).ending is Ending.DONE
    assert shown.startswith("first\ny\ny\n")
    assert shown.endswith("\nlast\n")
    left_out = size + len("first\n\nlast\n") - 2 * supervise.KEPT
    assert f"\n[... {left_out} bytes ...]\n" in shown
    assert len(shown) <= command.SHOWN
    assert sum(file.stat().st_size for file in record.iterdir()) < 3 * supervise.KEPT


def test_output_is_safe_to_be_shown(record):
    run(
        record, r"printf '\033[31mred\033[0m \033]0;title\007 50%%\r100%%\r\n\0\b\377\342\200\256x'"
    )
    assert output(record) == "red  50%\n100%\n\\x00\\x08\ufffd\\u202ex"


def test_an_output_of_control_characters_alone_is_bounded_too(record):
    found = run(record, r"head -c 65536 /dev/zero; printf '\n'; head -c 999 /dev/zero; exit 1")
    assert len(output(record)) <= command.SHOWN + 10
    assert len(found.last_line) <= command.LAST + 3
    assert found.last_line.startswith(r"\x00")


# -- once ------------------------------------------------------------------------------------


def test_a_record_is_used_once(record):
    run(record, "echo one")
    with raises(ActionError, match="could not be begun"):
        begin(record, shell("echo two"), VALUES)
    assert output(record) == "one\n"


def test_one_that_was_looked_for_never_begins(record):
    assert look(record).state is State.NEVER_BEGAN
    assert outcome(look(record)).ending is Ending.LATER
    with raises(ActionError, match="could not be begun"):
        begin(record, shell("exit 0"), VALUES)
    assert look(record).state is State.NEVER_BEGAN


def test_one_that_is_looked_for_while_it_is_made_never_begins(record, monkeypatch):
    seen = []
    make = type(record).mkdir

    def mkdir(path, **more):
        make(path, **more)
        if not seen:
            seen.append(1)
            seen.append(look(path).state)

    monkeypatch.setattr(type(record), "mkdir", mkdir)
    with raises(ActionError, match="void"):
        begin(record, shell("exit 0"), VALUES)
    monkeypatch.undo()
    assert seen[1] is State.NEVER_BEGAN
    assert look(record).state is State.NEVER_BEGAN


def test_one_that_was_stopped_before_it_began_never_begins(record):
    stop(record)
    assert look(record).state is State.NEVER_BEGAN
    with raises(ActionError, match="could not be begun"):
        begin(record, shell("exit 0"), VALUES)


def test_many_that_look_at_once_see_the_same(record):
    run(record, "exit 3")
    lose_the_result(record)
    seen, gate = [], threading.Barrier(8)

    def see():
        gate.wait()
        seen.extend(look(record).state for _ in range(50))

    threads = [threading.Thread(target=see) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(seen) == {State.UNKNOWN}


def test_a_result_that_cannot_be_read_is_none(record):
    run(record, "exit 0")
    (record / supervise.RESULT).write_bytes(b'{"exit_')
    assert ended(record).state is State.UNKNOWN


def test_only_what_runs_no_longer_is_forgotten(record):
    begin(record, shell("sleep 1000"), VALUES)
    with raises(ActionError, match="is running"):
        forget(record)
    stop(record)
    ended(record)
    forget(record)
    assert not record.exists()
    forget(record)
    assert output(record) == ""


# -- killed ----------------------------------------------------------------------------------


def counting(record: Path) -> Command:
    """One that leaves a mark each time that it runs."""
    return shell(f"echo x >> {record.parent}/ran")


def times_run(record: Path) -> int:
    ran = record.parent / "ran"
    return len(ran.read_text().split()) if ran.exists() else 0


def is_on_its_way(record: Path) -> bool:
    """Whether that command runs, by the words that it was started with."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has gone
            if f"{record.parent}/ran".encode() in file.read_bytes():
                return True
    return False


def told_the_truth(record: Path) -> State:
    """What is seen after a kill holds, and it was done once at most."""
    found = ended(record)
    # the command may be on its way yet, and its number not written down
    until(lambda: look(record).pid is None and not is_on_its_way(record))
    # its result is there some lines before its end, of which each may be the one it is killed at
    until(lambda: all(map(has_gone, pids_of(record, supervise.BEGAN, "supervisor"))))
    ran = times_run(record)
    if found.state is State.NEVER_BEGAN:
        assert ran == 0
    elif found.state is State.ENDED:
        assert (found.exit_code, ran) == (0, 1)
    else:
        assert found.state is State.UNKNOWN
        assert ran <= 1
        assert (record / supervise.BEGAN).exists()
    with raises(ActionError, match="could not be begun"):
        begin(record, counting(record), VALUES)
    assert look(record).state is found.state
    assert times_run(record) == ran
    return found.state


def in_a_worker(act) -> int:
    """A copy of this process that does it; what it was ended by."""
    with warnings.catch_warnings():
        # of threads, which a runner of tests may have: none of them is needed here
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if not pid:
        try:
            act()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_worker_that_is_killed_at_any_line_of_begin(tmp_path):
    found, at = [], 0
    killed = -signal.SIGKILL
    while killed == -signal.SIGKILL:
        at += stride()
        record = tmp_path / str(at) / "1"
        record.parent.mkdir()
        lines = iter(range(1, at + 1))

        def trace(frame, event, argument, lines=lines, at=at):
            if frame.f_code.co_filename != command.__file__:
                return None
            if event == "line" and next(lines, at) == at:
                os.kill(os.getpid(), signal.SIGKILL)
            return trace

        def act(record=record, trace=trace):
            job = counting(record)
            sys.settrace(trace)
            begin(record, job, VALUES)

        killed = in_a_worker(act)
        found.append(told_the_truth(record))
    assert at > 20
    assert set(found) == {State.NEVER_BEGAN, State.ENDED}
    # once it was begun it goes on without the worker
    assert found == sorted(found, reverse=True)


def test_a_supervisor_that_is_killed_before_any_line_of_it(tmp_path, monkeypatch):
    launcher = str(Path(__file__).with_name("traced_supervisor.py"))
    source = supervise.__file__
    found: dict[str, State] = {}
    at = whole = 0
    # how many lines a run has differs by what it waits for: one that had fewer is not the last
    while whole < 3:
        at += stride()
        record = tmp_path / str(at) / "1"
        record.parent.mkdir()
        (record.parent / "kill").write_text(f"{source}\n{at}")
        monkeypatch.setattr(supervise, "__file__", launcher)
        with contextlib.suppress(ActionError):  # killed before it had left
            begin(record, counting(record), VALUES)
        monkeypatch.setattr(supervise, "__file__", source)
        state = told_the_truth(record)
        killed = record.parent / "killed"
        if killed.exists():
            found[killed.read_text()] = state
        else:
            whole += 1
            assert state is State.ENDED
    assert set(found.values()) == set(State) - {State.RUNNING}
    assert len(found) > 60 / stride()


def test_a_worker_that_dies_leaves_its_command_to_the_supervisor(record):
    def act():
        begin(
            record,
            shell("while ! [ -e go ]; do sleep 0.02; done; exit 3", directory=str(record.parent)),
            VALUES,
        )
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_a_worker(act) == -signal.SIGKILL
    assert look(record).state is State.RUNNING
    (record.parent / "go").touch()
    assert ended(record).exit_code == 3


def test_a_command_whose_supervisor_was_killed_is_named_and_can_be_ended(record):
    begin(record, shell("trap '' TERM; sleep 1000; sleep 1000"), VALUES)
    [pid] = until(lambda: pids_of(record, "pid", "pid"))
    [supervisor] = pids_of(record, "began", "supervisor")
    os.kill(supervisor, signal.SIGKILL)
    found = ended(record)
    assert (found.state, found.pid) == (State.UNKNOWN, pid)
    assert outcome(found).ending is Ending.UNKNOWN
    assert f"process {pid} still runs" in said(found)
    with raises(ActionError, match="is running"):
        forget(record)
    stop(record)
    stop(record)
    until(lambda: look(record).pid is None)
    assert outcome(look(record)).ending is Ending.UNKNOWN
    assert "unknown" in said(look(record))


def test_another_process_that_has_its_number_is_none_of_it(record):
    run(record, "exit 0")
    lose_the_result(record)
    (record / supervise.PID).write_text(json.dumps({"pid": os.getpid(), "began_at": "1"}))
    assert look(record).pid is None
    stop(record)
    stop(record)  # and this process is still there


# -- what goes wrong here ---------------------------------------------------------------------


def test_one_that_was_stopped_while_its_supervisor_came_up_does_not_begin(record, monkeypatch):
    start = command._start

    def stopped(record, *more):
        (record / supervise.STOP).touch()
        start(record, *more)

    monkeypatch.setattr(command, "_start", stopped)
    begin(record, counting(record), VALUES)
    assert told_the_truth(record) is State.NEVER_BEGAN


def test_what_cannot_be_kept_has_not_begun(tmp_path, monkeypatch):
    def full(_file):
        raise OSError(28, "No space left on device")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        supervise.write_once(supervise.BEGAN, {})
    assert list(tmp_path.iterdir()) == []


def test_a_result_is_written_when_there_is_room_again(monkeypatch):
    tries = []

    def write():
        tries.append(1)
        if len(tries) < 4:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(supervise, "PAUSE", 0)
    supervise._patiently(write)
    assert len(tries) == 4


def test_one_that_cannot_be_killed_is_left_and_its_end_is_not_known(record, monkeypatch):
    """Another user's, as sudo makes it."""
    record.mkdir()
    monkeypatch.setattr(supervise, "_signal", lambda group, number: None)
    monkeypatch.setattr(supervise, "LEAVE", 0.1)
    job = {"argv": ["/bin/sleep", "1000"], "environment": {}, "directory": "/", "grace": 0.1}
    job |= {"time_limit": 0.1, "interval": 0.05}

    def act():
        os.chdir(record)
        supervise.write_once(supervise.BEGAN, {"supervisor": os.getpid()})
        supervise.Supervisor(job).run()

    assert in_a_worker(act) == 0
    found = look(record)
    assert found.state is State.UNKNOWN
    assert found.pid == pids_of(record, "pid", "pid")[0]
    os.killpg(found.pid, signal.SIGKILL)


def test_a_supervisor_that_does_not_come_up_is_an_error_and_nothing_began(record, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with raises(ActionError, match="ended with exit code 1"):
        begin(record, counting(record), VALUES)
    monkeypatch.undo()
    assert told_the_truth(record) is State.NEVER_BEGAN


# -- where records are -----------------------------------------------------------------------


def test_the_directory_is_the_workers_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("STATE_DIRECTORY", f"{tmp_path}:/elsewhere")
    found = records.directory("")
    assert found == tmp_path / "actions"
    assert stat.S_IMODE(found.stat().st_mode) == 0o700
    assert records.directory("") == found
    assert records.directory(str(tmp_path / "mine")) == tmp_path / "mine"
    monkeypatch.delenv("STATE_DIRECTORY")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert records.directory("").parent == tmp_path


@pytest.mark.parametrize("wrong", ["link", "file", "open", "none/below"])
def test_a_directory_that_is_not_safe_is_refused(tmp_path, wrong):
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "open").mkdir(mode=0o755)
    with raises(ConfigurationError, match="ACTIONS_DIRECTORY"):
        records.directory(str(tmp_path / wrong))


def test_a_place_is_known_again_and_no_other_is_taken_for_it(tmp_path):
    one, other = (records.directory(str(tmp_path / name)) for name in ("one", "other"))
    assert records.place(one) == records.place(one)
    assert records.place(one) != records.place(other)
    assert [file.name for file in one.iterdir()] == ["id"]

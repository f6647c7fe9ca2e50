"""What takes long to make is kept in one folder for every demo and every test of this user.

An entry is a folder whose name says what it was made from. Who reads it holds a shared lock on it,
and only what nobody holds is removed: how old an entry is says nothing of who uses it, and a clock
may be set.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path


def directory() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "ukcloud-maintenance-demo"


@contextlib.contextmanager
def one_at_a_time(parent: Path) -> Iterator[None]:
    """Whoever else makes an entry in ``parent`` waits; OSError where nothing can be written."""
    parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with parent.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def hold(entry: Path) -> int:
    """Keep an entry from being removed until what is returned is closed or the process ends."""
    held = os.open(entry, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_SH)
    return held


def remove_others(entry: Path) -> None:
    """Remove what is beside an entry and held by nobody. Call it within ``one_at_a_time``."""
    for other in entry.parent.iterdir():
        if other == entry:
            continue
        held = os.open(other, os.O_RDONLY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(other, ignore_errors=True)
        except BlockingIOError:
            pass  # somebody reads it
        finally:
            os.close(held)

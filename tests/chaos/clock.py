"""A process of the product whose wall clock is wrong.

    CHAOS_CLOCK=/file python -m tests.chaos.clock maintenance_worker

runs a command of Django. The file holds the error in seconds (a double), is read at each look at
the clock, and may be written at any time: the clock then steps. The monotonic clock is right, as it
is where somebody sets the time of a machine. What the database says of the time is right, too.
SIGUSR1 makes it write what its threads are at to its log.
"""

import faulthandler
import mmap
import os
import signal
import struct
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from django.core.management import execute_from_command_line
from django.utils import timezone

VARIABLE = "CHAOS_CLOCK"


def write(file: Path, seconds: float) -> None:
    """Set the error. In place, so that who has it open sees it."""
    with file.open("r+b" if file.exists() else "wb") as opened:
        opened.write(struct.pack("d", seconds))


def error_of(file: Path) -> Callable[[], float]:
    """What tells the error that is in a file at the moment."""
    with file.open("rb") as opened:
        memory = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
    return lambda: float(struct.unpack("d", memory[:8])[0])


def shift_django(file: Path) -> None:
    """Make wrong what Django calls now."""
    error, right_now = error_of(file), timezone.now
    timezone.now = lambda: right_now() + timedelta(seconds=error())


def shift(file: Path) -> None:
    """Make this process's clock wrong: `time.time`, and what Django calls now."""
    shift_django(file)
    error, right_time, right_time_ns = error_of(file), time.time, time.time_ns
    time.time = lambda: right_time() + error()
    time.time_ns = lambda: right_time_ns() + int(error() * 1e9)


def main() -> None:
    faulthandler.register(signal.SIGUSR1)
    shift(Path(os.environ[VARIABLE]))
    execute_from_command_line(["django-admin", *sys.argv[1:]])


if __name__ == "__main__":
    main()

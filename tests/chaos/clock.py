"""A process of the product whose wall clock is wrong.

    CHAOS_CLOCK=/file python -m tests.chaos.clock maintenance_worker

runs a command of Django. The file holds the error in seconds (a double), is read at each look at
the clock, and may be written at any time: the clock then steps. The monotonic clock is right, as it
is where somebody sets the time of a machine. What the database says of the time is right, too.
"""

import mmap
import os
import struct
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

VARIABLE = "CHAOS_CLOCK"


def write(file: Path, seconds: float) -> None:
    """Set the error. In place, so that who has it open sees it."""
    with file.open("r+b" if file.exists() else "wb") as opened:
        opened.write(struct.pack("d", seconds))


def shift(file: Path) -> None:
    """Make this process's clock wrong: `time.time`, and what Django calls now."""
    from django.utils import timezone

    with file.open("rb") as opened:
        memory = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
    right_time, right_time_ns, right_now = time.time, time.time_ns, timezone.now

    def error() -> float:
        return float(struct.unpack("d", memory[:8])[0])

    def now() -> datetime:
        return right_now() + timedelta(seconds=error())

    time.time = lambda: right_time() + error()
    time.time_ns = lambda: right_time_ns() + int(error() * 1e9)
    timezone.now = now


def main() -> None:
    shift(Path(os.environ[VARIABLE]))
    from django.core.management import execute_from_command_line

    execute_from_command_line(["django-admin", *sys.argv[1:]])


if __name__ == "__main__":
    main()

"""The database's clock, by which everything goes."""

import time
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

from ..core.backports import UTC

#: The clock of a server that is a process of its own, in any time zone or in UTC. PostgreSQL's
#: now() stands still in a transaction; MariaDB's NOW() is in the time zone of the session.
_CLOCKS = {"postgresql": "SELECT clock_timestamp()", "mysql": "SELECT UTC_TIMESTAMP(6)"}
#: For so many seconds a reading is carried on by the monotonic clock of this process, so that a
#: page costs one small query for it at most, and a pass one or two.
_READ_EVERY = 1.0
#: A reading that took longer, in seconds, is used once: the process may have been stopped between
#: the answer and the look at its own clock.
_READ_TAKES = 1.0
#: Two readings may be put down in another order than they were taken in: a stamp that is ahead by
#: less is none of the future. Not for what is certified: there nothing is later than now.
SLACK = timedelta(seconds=1)
_reading: tuple[datetime, float] | None = None


def now() -> datetime:
    """The time by the database's clock, aware and in UTC: the one clock of everything that is
    decided. The local clocks of workers and web servers differ, and are set while they run.

    SQLite has no clock but that of its machine, on which all who use the file are.

    :raises DatabaseError: it does not answer
    """
    global _reading
    query = _CLOCKS.get(connection.vendor)
    if query is None:
        return timezone.now()
    reading = _reading
    if reading is not None and time.monotonic() - reading[1] <= _READ_EVERY:
        return _carried_on(reading, time.monotonic())
    begun = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute(query)
        [found] = cursor.fetchone()
    ended = time.monotonic()
    earliest = found.astimezone(UTC) if timezone.is_aware(found) else found.replace(tzinfo=UTC)
    # Somewhen in between it was that time. Where the last reading agrees, it is gone on with: time
    # is not to go back by what an answer took.
    guess = _carried_on(reading, ended) if reading else earliest
    read = min(max(guess, earliest), earliest + timedelta(seconds=ended - begun))
    if ended - begun <= _READ_TAKES:
        _reading = (read, ended)
    return read


def _carried_on(reading: tuple[datetime, float], until: float) -> datetime:
    return reading[0] + timedelta(seconds=until - reading[1])

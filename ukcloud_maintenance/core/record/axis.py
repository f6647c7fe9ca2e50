"""The axis of time under a picture of the record: round moments of a time zone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo

from ..backports import UTC

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_STEPS = (
    *(1, 2, 5, 10, 15, 30),
    *(n * _MINUTE for n in (1, 2, 5, 10, 15, 30)),
    *(n * _HOUR for n in (1, 2, 3, 6, 12)),
    *(n * _DAY for n in (1, 2, 7, 14, 28, 56, 112, 365)),
)


@dataclass(frozen=True)
class Ticks:
    """Round moments of an axis.

    :param step: seconds from one to the next
    """

    step: int
    at: Sequence[datetime]


def ticks(start: datetime, end: datetime, zone: tzinfo, most: int = 8) -> Ticks:
    """Moments that are round in a time zone, at most `most` of them, from start to end.

    Across a change of the clock they stay round, so that one distance may differ.
    """
    span = max((end - start).total_seconds(), 1.0)
    step = next((s for s in _STEPS if span / s <= most - 1), 0)
    if not step:
        years = 1
        while span / (years * 365 * _DAY) > most - 1:
            years *= 2
        step = years * 365 * _DAY
    found = _hours(start, end, zone, step) if step >= _HOUR else _minutes(start, end, zone, step)
    return Ticks(step, tuple(found))


def _minutes(start: datetime, end: datetime, zone: tzinfo, step: int) -> Iterator[datetime]:
    local = start.astimezone(zone)
    since_hour = local.minute * 60 + local.second
    behind = since_hour % step
    at = start - timedelta(seconds=behind, microseconds=local.microsecond)
    while at <= end:
        if at >= start:
            yield at
        at += timedelta(seconds=step)


def _hours(start: datetime, end: datetime, zone: tzinfo, step: int) -> Iterator[datetime]:
    days = max(1, step // _DAY)
    first = start.astimezone(zone).date()
    day = first - timedelta(days=first.toordinal() % days)
    last: datetime | None = None
    while True:
        for hour in range(0, 24, 24 if step >= _DAY else step // _HOUR):
            wall = datetime.combine(day, time(hour))
            at = wall.replace(tzinfo=zone).astimezone(UTC)
            if at > end:
                return
            # An hour that the change of the clock leaves out is no moment.
            exists = at.astimezone(zone).replace(tzinfo=None) == wall
            if exists and at >= start and at != last:
                yield at
                last = at
        day += timedelta(days=days)

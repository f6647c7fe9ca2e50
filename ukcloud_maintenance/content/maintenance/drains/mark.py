"""What a browser has seen of a drain, in a token that it sends when it asks for news.

A change of the drain or of an instance raises the drain's revision, so that all is told by one
number, but for what is not the drain's: the workers, the clock, and who looks at it how.
"""

import zlib
from dataclasses import astuple, dataclass, fields, replace
from datetime import datetime

from django.utils import timezone, translation

from ukcloud_maintenance import store
from ukcloud_maintenance.release import version
from ukcloud_maintenance.services import DrainReport
from ukcloud_maintenance.store import Drain, WorkerStatus

from .offers import Offers


def digest(*what: object) -> str:
    """Another one for anything else; as short as an address wants it."""
    return f"{zlib.crc32(repr(what).encode()):x}"


@dataclass(frozen=True)
class Mark:
    """What a page shows.

    :param revision: of the drain
    :param look: what all cells go by: the release, the language, the time zone and the day
    :param state: of the drain, and whether it may go on
    :param worker: what is said about the workers
    :param rights: what the viewer may request
    :param until: when the clock changes a word of it, in milliseconds since 1970; 0: it does not
    """

    revision: int
    look: str
    state: str
    worker: str
    rights: str = ""
    until: int = 0

    def __str__(self) -> str:
        return "-".join(map(str, astuple(self)))

    @classmethod
    def read(cls, token: str) -> "Mark | None":
        """A token that a browser sent back; None: it is none of this release."""
        parts = token.split("-")
        if len(parts) != len(fields(cls)) or not (_number(parts[0]) and _number(parts[-1])):
            return None
        revision, look, state, worker, rights, until = parts
        return cls(int(revision), look, state, worker, rights, int(until))

    def holds(self, there: "Mark") -> bool:
        """Whether a page that shows this needs nothing, where that is to be shown now. What the
        viewer may request is told with the next news: to ask the policy costs more than all else.
        """
        if self.until and self.until <= store.now().timestamp() * 1000:
            return False
        return replace(self, rights=there.rights, until=there.until) == there

    def rows_since(self, there: "Mark") -> int:
        """The revision that the rows of such a page are of; 0: all are to be drawn anew."""
        # One that is ahead is of a database that was restored since.
        known = self.look == there.look and self.revision <= there.revision
        return self.revision if known else 0

    def of(self, report: DrainReport, offers: Offers) -> "Mark":
        """With what a report tells that was made after it. It stays of the revision that was read
        first: what changed since is told again."""
        rights = digest([one.slug for one in offers.buttons])
        return replace(self, rights=rights, until=_until(report))

    def offers_as(self, shown: "Mark") -> bool:
        """Whether for an instance that did not change the same can be requested."""
        return (self.state, self.rights) == (shown.state, shown.rights)


def mark(drain: Drain, worker: WorkerStatus) -> Mark:
    """Of a drain and the workers as they were just read. Two queries where it failed, for it may
    go on or not.

    It is to be taken before all else that is shown is read.
    """
    return Mark(
        revision=drain.revision,
        look=look(store.now()),
        state=digest(drain.state, store.can_retry(drain)),
        worker=worker_token(worker),
    )


def look(now: datetime) -> str:
    """Changes when the same thing is shown in other words, or not at all so by a later release."""
    zone = timezone.get_current_timezone_name()
    return digest(version(), translation.get_language(), zone, timezone.localtime(now).date())


def worker_token(worker: WorkerStatus) -> str:
    """Changes when what is said about the workers changes."""
    return digest(worker.alive, str(worker.problem), None if worker.alive else worker.seen_at)


def _number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 20


def _until(report: DrainReport) -> int:
    """When the first of the words changes that go by the clock: a beginning, the end of a window,
    a timeout. What ticks does so in the browser."""
    drain = report.drain
    times = [drain.start_at, drain.stop_at, report.blocked_until]
    for found in report.timeouts.values():
        times += [found.at, found.due_at]
    ahead = [at.timestamp() for at in times if at is not None and at > report.now]
    return int(min(ahead) * 1000) + 1 if ahead else 0

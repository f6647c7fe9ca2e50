"""When a worker asks the database what is due: rarely, unless something may be."""

import threading
import time
from collections.abc import Hashable

from .. import settings

#: What is due is claimed this much later, in seconds: by the database's clock it is not due before
#: it.
SLACK = 0.1


class Agenda:
    """When to claim next: after IDLE_SECONDS; or before, when what this worker itself has put off
    is due, or when it has a free place again. What was requested meanwhile it is told of by a
    smaller look, see `store.is_requested`.

    Its times are those of the monotonic clock.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at_once = threading.Event()
        self._ask_at = 0.0
        self._due: dict[Hashable, float] = {}

    def put_off(self, key: Hashable, seconds: float) -> None:
        """A drain or a host was released, to be due again after a time."""
        with self._lock:
            self._due[key] = time.monotonic() + seconds + SLACK

    def ask_at_once(self) -> None:
        """Something may be due: a place is free again, or the clock was set."""
        self._at_once.set()

    @property
    def is_time(self) -> bool:
        """Whether the database is to be asked now."""
        return self.seconds_left <= 0

    @property
    def seconds_left(self) -> float:
        """Until the database is to be asked; 0: now."""
        if self._at_once.is_set():
            return 0.0
        with self._lock:
            return max(min([self._ask_at, *self._due.values()]) - time.monotonic(), 0.0)

    def begin(self) -> None:
        """Called before the database is asked. Whatever happens from here on counts for later."""
        self._at_once.clear()
        with self._lock:
            self._ask_at = time.monotonic()

    def found_nothing(self) -> None:
        """What was due by now is taken, or somebody else's."""
        now = time.monotonic()
        with self._lock:
            self._ask_at = now + settings.current().idle_seconds
            self._due = {key: at for key, at in self._due.items() if at > now}

    def rest(self, seconds: float) -> None:
        """Wait, unless there is something to ask for before."""
        self._at_once.wait(seconds)

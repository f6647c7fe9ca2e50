"""When this process looked at each drain."""

import threading
import time

from .. import settings
from ..core.drain import LATEST_LOOK
from ..store import Drain

#: Drains that are remembered; far more than are open.
REMEMBERED = 10_000


class Looks:
    """Remembers when a pass last read everything about a drain. It saves requests, no more: what
    it does not know is read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at: dict[int, float] = {}

    def remember(self, drain: Drain) -> None:
        with self._lock:
            if len(self._at) >= REMEMBERED:
                self._at.clear()
            self._at[drain.pk] = time.monotonic()

    def is_fresh(self, drain: Drain) -> bool:
        """Whether everything was read a short while ago, by this process: in the last look that
        was put off to when an end is expected, or later."""
        with self._lock:
            at = self._at.get(drain.pk)
        return (
            at is not None and time.monotonic() - at < LATEST_LOOK * settings.current().idle_seconds
        )

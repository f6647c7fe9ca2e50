"""Waiting until something is so in a demo cloud, and what is raised where it never is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


class DemoCloudError(Exception):
    """The cloud didn't do what a test needs; the message carries the end of its log."""


def wait(condition: Callable[[], Any], what: str, timeout: float = 60) -> Any:
    """Poll until ``condition()`` is true; returns its value."""
    deadline = time.monotonic() + timeout
    pause = 0.05
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise DemoCloudError(f"waited {timeout:.0f} s in vain until {what}")
        time.sleep(pause)
        pause = min(pause * 1.2, 0.3)
    return value

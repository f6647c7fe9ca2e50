"""How much work a function is, told by what it calls: the same on every machine, however busy."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def calls() -> Iterator[Callable[[], int]]:
    """Counts the calls of Python's functions in a block; what is given tells how many."""
    number = 0

    def count(frame, event, argument):
        nonlocal number
        number += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield lambda: number
    finally:
        sys.setprofile(before)

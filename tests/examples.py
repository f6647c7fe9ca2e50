"""How many examples are tried: fewer where an answer is wanted within a minute."""

import os

#: the share of them that is tried, of 1: `make check` sets it
SHARE = float(os.environ.get("TEST_EXAMPLES") or 1)


def some(examples: int = 100) -> int:
    """Of so many examples those that are tried, a few at least."""
    return max(round(examples * SHARE), min(examples, 5))


def stride() -> int:
    """Of what is tried place after place, a process each, how many places further the next is."""
    return min(round(1 / SHARE), 4)

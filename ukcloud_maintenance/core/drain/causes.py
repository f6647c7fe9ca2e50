"""What Nova's own words about a failed migration give away, as stable words.

The only place where a text of Nova's is looked into. Nova has no codes for these causes: its API
passes on the exception's sentence (instance actions, from 2.84), so that its phrase is the data. A
phrase that is not known means nothing more than that.
"""

import re

#: The destination has files of it, or its guest, from an earlier attempt: whatever is sent there
#: fails in the same way until somebody has seen to them.
LEFTOVERS = "leftovers_at_destination"

_CAUSES: tuple[tuple[str, re.Pattern[str]], ...] = (
    # nova/exception.py, DestinationDiskExists: raised by virt/libvirt/driver.py before a disk is
    # made at the destination of a block migration
    (LEFTOVERS, re.compile(r"disk path .* already exists, it is expected not to exist", re.S)),
    # libvirt, src/conf/virdomainobjlist.c: the guest is defined at the destination, or runs there
    (LEFTOVERS, re.compile(r"domain '[^']*' already exists with uuid")),
    (LEFTOVERS, re.compile(r"domain (is already active as|'[^']*' is already active)")),
)


def cause_of(words: str) -> str:
    """The cause that Nova's words name, or empty."""
    return next((cause for cause, phrase in _CAUSES if phrase.search(words)), "")

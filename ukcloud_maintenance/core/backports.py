"""What Python 3.10, which Horizon 2024.1 runs on, lacks of the standard library's newer names.

ruff.toml keeps the names themselves out; this is the one place to import them from.
"""

from datetime import timezone
from enum import Enum

#: `datetime.UTC` of Python 3.11.
UTC = timezone.utc


class StrEnum(str, Enum):
    """`enum.StrEnum` of Python 3.11: a member is its text, also where it is formatted."""

    __str__ = str.__str__

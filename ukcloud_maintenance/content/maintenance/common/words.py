"""Messages as the panel shows them: in the reader's language, numbers and times localized."""

from datetime import datetime

from ukcloud_maintenance.core.message import Message
from ukcloud_maintenance.messages import remedy_of, render

from . import formats


class PanelFormats:
    """How the panel writes numbers and times, see `messages.Formats`."""

    def duration(self, seconds: float) -> str:
        return formats.about(seconds)

    def time(self, at: datetime) -> str:
        return formats.zoned_time(at)

    def size(self, size: float) -> str:
        return formats.size(size)

    def percent(self, share: float) -> str:
        return f"{formats.number(share * 100)} %"


FORMATS = PanelFormats()


def said(one: Message | None, *, remedy: bool = True) -> str:
    """A message as text; empty for none.

    :param remedy: whether what can be done about it is said as well
    """
    return render(one, FORMATS, remedy=remedy) if one is not None else ""


def remedy(one: Message | None) -> str:
    """What can be done about it, or empty."""
    return remedy_of(one, FORMATS) if one is not None else ""

"""What is requested for several, each by itself."""

from collections.abc import Callable

from .. import store
from ..core.message import Message, message
from ..core.printable import logger
from ..exceptions import MaintenanceError

LOG = logger(__name__)


def why_not(of: str, act: Callable[[], Message | None]) -> Message | None:
    """Do something for one of several; why it was not done, or None. An error that nobody expected
    is such a reason, and is logged: it keeps nobody from doing it for the others.

    :param of: which one, for the log
    :raises MaintenanceError: what it means is for the caller to say; so it is of a database that
        is lost
    """
    try:
        return act()
    except (MaintenanceError, *store.DATABASE_LOST):
        raise
    except Exception as error:
        LOG.exception("bug %s", of)
        # what it says may be a secret, and is in the log alone
        return message("unexpected_error", fault=type(error).__name__)

"""Arguments that several commands take."""

import argparse
from datetime import datetime

from django.core.management.base import CommandParser
from django.utils.dateparse import parse_datetime

from ...core.backports import UTC
from ...core.message import message
from ._base import failure


def moment(option: str, text: str | None) -> datetime | None:
    """A time as it is typed, in UTC; None where none is.

    :raises Failure: it is no time, or its zone is missing
    """
    if text is None:
        return None
    try:
        found = parse_datetime(text)
        if found is not None and found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValueError, OverflowError):
        found = None
    if found is None:
        raise failure(message("time_unreadable", option=option, text=text))
    said = message("time_without_zone", option=option, text=text)
    raise failure(said, code="window_without_zone")


def underscored(text: str | None) -> str | None:
    """`force-complete`, as the verb is typed, means the setting's `force_complete`."""
    return text and text.replace("-", "_")


#: What is typed for how destinations are chosen: whether the hosts are kept even.
PLACING = {"even": True, "scheduler": False}


def add_host(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "host",
        metavar="HOST",
        help="host name of the compute service, which must match exactly",
    )
    parser.add_argument("--region", help="the host's region; required if there are several")


def add_placing(parser: argparse.ArgumentParser, *, default: str | None = None) -> None:
    """The option of how the destination of each instance is chosen."""
    parser.add_argument(
        "--placing",
        choices=PLACING,
        default=default,
        help="even: Nova is asked to send each instance where the hosts stay even, and its"
        " scheduler chooses where it refuses that; scheduler: Nova's scheduler chooses for all"
        + (f"; default: {default}" if default else ""),
    )


def add_window(parser: CommandParser, *, none: bool = False) -> None:
    """The options of when a drain works, and of what becomes of what takes too long.

    :param none: whether `none` may be typed for a time
    """
    or_none = "; none removes it" if none else ""
    parser.add_argument(
        "--start-at",
        metavar="TIME",
        help=f"do not start before this time, ISO 8601 with a time zone{or_none}",
    )
    parser.add_argument(
        "--stop-at",
        metavar="TIME",
        help=f"start no new migrations after this time; those in progress finish{or_none}",
    )
    add_timeout_action(parser, default=not none)


def add_timeout_action(parser: argparse.ArgumentParser, *, default: bool = True) -> None:
    """The option of what becomes of a migration that takes too long.

    :param default: whether the setting counts where it is not given
    """
    parser.add_argument(
        "--timeout-action",
        type=underscored,
        metavar="ACTION",
        help="what to do with a migration that takes too long: warn; abort (the instance keeps"
        " running on its host, and is retried if Nova leaves it ACTIVE); force_complete"
        " (its guest is paused until the rest is copied)"
        + ("; default: the setting TIMEOUT_ACTION" if default else ""),
    )

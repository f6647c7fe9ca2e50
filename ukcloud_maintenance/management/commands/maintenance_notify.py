"""Show who is told of what happens, and test it, from a shell."""

from typing import Any

from django.core.management.base import CommandParser

from ukcloud_maintenance import services
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.shape import Printed, Shape, iso, keys
from ukcloud_maintenance.messages import document, english, to_the_second

from ._base import EXIT_NOT_ALL, ShellCommand, failure
from ._documents import table

RECEIVER = Shape(
    "A receiver",
    keys("name kind", "`apprise`, `webhook`, or `removed`: it is no longer in the settings"),
    keys("on", "the events that it is told of; null: it was removed"),
    keys("queued queued_since", "how many notices wait, and since when the oldest does"),
    keys("sent last_sent_at failed", "how many were sent, when the last one, and were given up"),
    keys("", "the last problem; null: none", said="problem"),
)
RECEIVERS = Shape("The receivers", keys("receivers", "each receiver", each=RECEIVER))
TESTED = Shape(
    "A receiver that was tested",
    keys("name arrived", "which, whether the test arrived, and why not", said="problem"),
)
TESTS = Shape("A test of the receivers", keys("receivers", "each receiver", each=TESTED))


class Command(ShellCommand):
    help = (
        "Show the receivers of NOTIFY and WEBHOOKS, and how many notices are queued, were sent, or"
        " were given up for each. With --test, send each a test and say whether it arrived."
    )
    exit_codes = """\
exit codes:
  0    shown; with --test: every receiver took the test
  1    with --test: a receiver did not take it
  2    bad input, or wrong settings or credentials; with --test: there is no receiver
  4    the database failed or did not answer
"""

    prints = (Printed(RECEIVERS), Printed(TESTS, "--test"))

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--test", action="store_true", help="send a test to each receiver, which takes a while"
        )
        super().add_arguments(parser)

    def act(self, **options: Any) -> None:
        self.prove_authority()
        if options["test"]:
            self._test()
        else:
            self._show()

    def _show(self) -> None:
        found = services.who_is_told(self.actor)
        if self.json:
            self.print_json(RECEIVERS.made(receivers=[_document(one) for one in found]))
            return
        if not found:
            self.say(english(message("no_receivers")))
            return
        head = ("RECEIVER", "KIND", "QUEUED", "SENT", "FAILED", "LAST SENT", "PROBLEM")
        self.say(*table(head, [_cells(one) for one in found], self.columns))

    def _test(self) -> None:
        results: list[dict[str, Any]] = []
        for receiver, why in services.send_test(self.actor):
            said = document("problem", why, None)
            results.append(TESTED.made(name=receiver.name, arrived=why is None, **said))
            if not self.json:
                self.say(f"{receiver.name}: {'arrived' if why is None else english(why)}")
        if not results:
            raise failure(message("no_receivers"))
        if self.json:
            self.print_json(TESTS.made(receivers=results))
        if not all(one["arrived"] for one in results):
            raise SystemExit(EXIT_NOT_ALL)


def _kind(one: services.Told) -> str:
    if one.receiver is None:
        return "removed"
    return "webhook" if one.receiver.is_webhook else "apprise"


def _cells(one: services.Told) -> tuple[object, ...]:
    told = one.notices
    counts = (told.queued, told.sent, told.failed)
    return (
        one.name,
        _kind(one),
        *counts,
        to_the_second(told.told_at) or "-",
        english(told.problem) or "-",
    )


def _document(one: services.Told) -> dict[str, Any]:
    told = one.notices
    return RECEIVER.made(
        name=one.name,
        kind=_kind(one),
        on=sorted(one.receiver.topics) if one.receiver else None,
        queued=told.queued,
        queued_since=iso(told.queued_since),
        sent=told.sent,
        last_sent_at=iso(told.told_at),
        failed=told.failed,
        **document("problem", told.problem, None),
    )

"""Show what Placement holds of a host, and remove what is left behind, from a shell."""

from typing import Any

from django.core.management.base import CommandParser

from ukcloud_maintenance import services
from ukcloud_maintenance.core.host.orphans import Orphan, amounts_of
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.shape import Printed, Shape, keys
from ukcloud_maintenance.messages import document, english
from ukcloud_maintenance.services import host_allocations, remove_allocation

from ._arguments import add_host
from ._base import ShellCommand

ALLOCATION = Shape(
    "An allocation",
    keys("provider_id", "of which resource provider"),
    keys("resources", "the amounts, by resource class", free=True),
)
CHECK = Shape(
    "A check of an allocation",
    keys("code passed", "which it is, whether it holds, and what was found", said="text"),
)
CONSUMER = Shape(
    "What a consumer holds of a host",
    keys("consumer_id host", "the consumer, and the host"),
    keys(
        "migration_id server_id server_host",
        "the migration whose allocation it is, its server, and where that really is; null: none",
    ),
    keys("allocations", "what it holds of the host", each=ALLOCATION),
    keys("removable", "whether it is proved to be a leftover"),
    keys("command", "how to remove it by hand; null: it may still be in use"),
    keys("checks", "each point", each=CHECK),
    about="Amounts are in Placement's units",
)


class Command(ShellCommand):
    help = (
        "Show every allocation that Placement has on a host, and whether it is proved to be a"
        " leftover; remove a leftover of a migration that has ended."
    )
    prints = (
        Printed(CONSUMER, many=True),
        Printed(CONSUMER, "--remove CONSUMER"),
    )
    exit_codes = """\
exit codes:
  0    shown, or removed
  2    bad input, an unknown host, or wrong settings or credentials
  3    refused: it may still be in use, or was not confirmed; nothing was changed
  4    OpenStack or the database failed or did not answer
"""

    def add_arguments(self, parser: CommandParser) -> None:
        add_host(parser)
        parser.add_argument(
            "--remove",
            metavar="CONSUMER",
            help="remove the allocation of this consumer on the host, if it is proved to be a"
            " leftover; the host must be in maintenance",
        )
        parser.add_argument("--yes", action="store_true", help="do not ask for a confirmation")
        super().add_arguments(parser)

    def act(self, **options: Any) -> None:
        cloud = self.cloud(options["region"])
        host, consumer = options["host"], options["remove"]
        if consumer is None:
            found = host_allocations(self.actor, cloud, host)
            if self.json:
                self.print_json([_document(one) for one in found])
            elif not found:
                self.tell(message("shell_no_allocations", host=host))
            for one in found:
                self.say(_text(one))
            return
        if not options["yes"]:
            cost = message("cost_of_removal")
            said = message("to_remove_allocation", consumer=consumer, host=host, cost=cost)
            self.confirm(english(cost), english(said))
        removed = remove_allocation(self.actor, cloud, host, consumer)
        if self.json:
            self.print_json(_document(removed))
        held = [amounts_of(allocation) for allocation in removed.here]
        self.tell(message("shell_removed_allocation", host=host, held=held))
        self.warn_of_worker(services.worker_status(self.actor))


def _text(one: Orphan) -> str:
    what = "shell_leftover" if one.removable else "shell_in_use"
    lines = [english(message(what, consumer=one.consumer.consumer_id))]
    lines += [f"  {english(message('shell_holds', amounts=amounts_of(a)))}" for a in one.here]
    for check in one.checks:
        lines.append(f"  {'yes' if check.passed else 'NO '}  {english(check.found)}")
        lines += [f"       {english(detail)}" for detail in check.details if not check.passed]
    if one.removable:
        named = {"host": one.host, "consumer": one.consumer.consumer_id}
        lines.append(f"  {english(message('shell_remove_it', **named))}")
        lines.append(f"  {english(message('shell_by_hand', command=one.command))}")
    return "\n".join(lines)


def _document(one: Orphan) -> dict[str, Any]:
    """One consumer for programs; amounts in Placement's units."""
    return CONSUMER.made(
        consumer_id=one.consumer.consumer_id,
        host=one.host,
        migration_id=one.record.id if one.record else None,
        server_id=one.record.server_id if one.record else None,
        server_host=one.server.host if one.server else None,
        allocations=[
            ALLOCATION.made(provider_id=a.provider_id, resources=a.resources) for a in one.here
        ],
        removable=one.removable,
        command=one.command or None,
        checks=[
            CHECK.made(code=check.code, passed=check.passed, **document("text", check.found))
            for check in one.checks
        ],
    )

"""The arguments of the sub-commands of a rolling run."""

import argparse
from collections.abc import Iterable

from django.core.management.base import CommandParser

from ukcloud_maintenance.core.run.domains import DomainKind
from ukcloud_maintenance.core.run.order import Order
from ukcloud_maintenance.core.run.states import Approval, OnFailure

from ._arguments import add_placing, add_timeout_action, underscored
from ._hosts import add_dry_run, add_host_sets

#: What may be typed for the action that a person does.
HAND = ("by-hand", "by_hand")


def add_verbs(parser: CommandParser) -> Iterable[CommandParser]:
    """The sub-commands with what each takes; their parsers."""
    several = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    of_django = argparse.ArgumentParser(add_help=False)
    _add_django_options(of_django)

    def add(verb: str, help_: str) -> CommandParser:
        description = f"{help_[0].upper()}{help_[1:]}."
        made: CommandParser = several.add_parser(
            verb, help=help_, description=description, parents=[of_django]
        )
        return made

    def about_a_run(verb: str, help_: str) -> CommandParser:
        made = add(verb, help_)
        made.add_argument("id", type=int, metavar="ID", help="the run's number")
        return made

    def about_a_host(verb: str, help_: str) -> CommandParser:
        made = about_a_run(verb, help_)
        made.add_argument("host", metavar="HOST", help="the host's name, to the letter")
        return made

    _add_start(add("start", "request a run"))
    shown = add("status", "show a run with its hosts, or all that are not over")
    shown.add_argument("id", type=int, nargs="?", metavar="ID", help="the run's number")
    _add_wait(shown)
    every = add("list", "list the runs, newest first, those that are over included")
    every.add_argument("--region", help="only those of this region")
    about_a_run("pause", "begin no further host and start no action; what has begun continues")
    _add_wait(about_a_run("resume", "resume a run, without the hosts that failed"))
    _add_wait(about_a_run("cancel", "begin no host, and return to service those that began"))
    about_a_run("approve", "let the next host begin that waits for it")
    about_a_host("skip", "leave a host out")
    about_a_host("retry", "try a host again that failed")
    about_a_host("done", "say that the maintenance of a host is done")
    further = about_a_run("add", "add hosts at the end of a run")
    further.add_argument("hosts", nargs="+", metavar="HOST", help="names, to the letter")
    written = about_a_host("output", "show what the action of a host has written")
    written.add_argument(
        "--try",
        dest="number",
        type=int,
        metavar="N",
        help="that of this try; default: the newest one",
    )
    exported = about_a_run("export", "export a run with its hosts, actions and events as JSON")
    exported.add_argument(
        "--output",
        metavar="FILE",
        help="the file to write, which is overwritten; default: standard output",
    )
    found: dict[str, CommandParser] = several.choices
    return found.values()


def _add_django_options(parser: argparse.ArgumentParser) -> None:
    """What every command takes may stand behind the sub-command as well."""
    for option in ("--settings", "--pythonpath"):
        parser.add_argument(option, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    parser.add_argument(
        "-v",
        "--verbosity",
        type=int,
        choices=range(4),
        default=argparse.SUPPRESS,
        help=argparse.SUPPRESS,
    )
    for option in ("--traceback", "--no-color", "--force-color", "--skip-checks"):
        parser.add_argument(
            option, action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS
        )


def _add_wait(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--wait",
        action="store_true",
        help="wait until the run is over, or stopped after a failure; shows how far it is",
    )
    parser.add_argument("--watch", dest="wait", action="store_true", help="the same as --wait")


def _add_start(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--hosts",
        nargs="+",
        default=[],
        metavar="HOST",
        help="host names of compute services, which must match exactly",
    )
    add_host_sets(parser)
    reason = parser.add_argument(
        "--reason",
        required=True,
        help="the reason, which becomes the services' disabled reason; at most 255 characters",
    )
    add_dry_run(
        parser,
        reason,
        "request nothing: the order with the moves that it needs, the forecast of each host,"
        " whether there is room, the windows, and what stands against it",
    )
    parser.add_argument("--region", help="required if several regions are configured")
    parser.add_argument(
        "--action",
        default="",
        metavar="NAME",
        help="what is done to each host: a name of the setting ACTIONS; default: by-hand, a person"
        " maintains it and says host_done",
    )
    parser.add_argument(
        "--at-once",
        type=int,
        default=1,
        metavar="N",
        help="how many hosts may be out of service at a time; default: 1",
    )
    parser.add_argument(
        "--per-domain",
        type=int,
        default=0,
        metavar="N",
        help="how many of one failure domain; if fewer than --at-once, hosts of several domains are"
        " out at a time; default: as many as --at-once",
    )
    parser.add_argument(
        "--domain",
        choices=[kind.value for kind in DomainKind],
        help="what fails together; hosts of one domain are out at a time, see --per-domain;"
        " default: zone",
    )
    parser.add_argument(
        "--domain-aggregate",
        action="append",
        default=[],
        metavar="NAME",
        help="an aggregate whose hosts fail together, e.g. a rack; can be given several times",
    )
    parser.add_argument(
        "--order",
        type=underscored,
        choices=[order.value for order in Order],
        default=Order.BY_HAND.value,
        help="by_hand: as given; fewest: fewest instances first; few_moves: so that few instances"
        " move twice; default: by_hand",
    )
    parser.add_argument(
        "--window",
        action="append",
        default=[],
        metavar="WINDOW",
        help='when hosts may begin, as in "Mon-Fri 22:00-04:00 Europe/London"; can be given several'
        " times; default: always",
    )
    parser.add_argument(
        "--on-failure",
        choices=[one.value for one in OnFailure],
        default=OnFailure.STOP.value,
        help="what to do after a host failed: stop the run, or skip the host and go on; default:"
        " stop",
    )
    parser.add_argument(
        "--failures",
        type=int,
        metavar="N",
        help="with --on-failure skip: after how many failed hosts it still continues; default: 1",
    )
    parser.add_argument(
        "--approve",
        choices=[one.value for one in Approval],
        default=Approval.NONE.value,
        help="wait for maintenance_run approve before the first host, or before each; default:"
        " none",
    )
    parser.add_argument(
        "--bring-back",
        action="store_true",
        help="bring the instances of each host back once it is in service",
    )
    parser.add_argument(
        "--max-concurrent",
        type=int,
        metavar="N",
        help="number of migrations of a host at once; default: the setting MAX_CONCURRENT",
    )
    add_placing(parser, default="even")
    parser.add_argument(
        "--leave-locked",
        action="store_true",
        help="do not move locked instances; default: they are moved",
    )
    add_timeout_action(parser)
    _add_wait(parser)

"""How hosts are named on a command line: one by one, by zone, by aggregate."""

import argparse
from collections.abc import Mapping
from typing import Any

from ukcloud_maintenance import services
from ukcloud_maintenance.core.actor import Actor
from ukcloud_maintenance.core.message import available, message

from ._base import failure


def add_host_sets(parser: argparse.ArgumentParser) -> None:
    """The options that name many hosts at once."""
    parser.add_argument(
        "--zone",
        action="append",
        default=[],
        metavar="ZONE",
        help="all hosts of this availability zone; can be given several times",
    )
    parser.add_argument(
        "--aggregate",
        action="append",
        default=[],
        metavar="NAME",
        help="all hosts of this aggregate; can be given several times",
    )
    parser.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="HOST",
        help="leave this host out of the zones and aggregates, because it is down, say; can be"
        " given several times",
    )


def add_dry_run(parser: argparse.ArgumentParser, reason: argparse.Action, help_: str) -> None:
    """The option with which nothing is requested, so that no reason is needed."""

    class DryRun(argparse.Action):
        def __call__(self, *args: Any) -> None:
            reason.required = False
            args[1].dry_run = True

    parser.add_argument("--dry-run", action=DryRun, nargs=0, default=False, help=help_)


def chosen_hosts(actor: Actor, cloud: services.Cloud, options: Mapping[str, Any]) -> list[str]:
    """The hosts that are named, then those of the zones and of the aggregates, each once.

    One that is named twice by itself stays twice: `services` refuse that.

    :raises Failure: there is no such zone or aggregate, none has a host, or none has one that is
        to be left out of it
    """
    hosts, excluded = list(options["hosts"]), options["exclude"]
    if not (options["zone"] or options["aggregate"] or excluded):
        return hosts
    sets = services.host_sets(actor, cloud)
    found: list[str] = []
    for code, names, known in (
        ("unknown_zone", options["zone"], sets.zones),
        ("unknown_aggregate", options["aggregate"], sets.aggregates),
    ):
        for name in names:
            if name not in known:
                raise failure(message(code, name=name, known=available(known)))
            found += [host for host in known[name] if host not in found]
    for name in excluded:
        if name not in found or name in hosts:
            raise failure(message("not_to_be_excluded", host=name), code="bad_arguments")
    hosts += [host for host in found if host not in (*hosts, *excluded)]
    if not hosts:
        raise failure(message("sets_without_host"), code="nothing_selected")
    return hosts

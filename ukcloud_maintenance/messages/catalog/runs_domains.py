"""Why a host of a rolling run may not go out of service yet."""

from collections.abc import Mapping

from ..template import Template

_WAIT = "The next host starts as soon as one is back in service."
_FAILED = "A host that failed is not counted."

TEMPLATES: Mapping[str, Template] = {
    "host_is_out": Template(
        "Host {host} is already out of service.",
        remedy="Return it to service first.",
        cause="It is being drained, or in maintenance.",
    ),
    "hosts_out_limit": Template(
        "{count} host is out of service ({hosts}), and no more may be at the same time.",
        plural="{count} hosts are out of service ({hosts}), and no more may be at the same time.",
        remedy=_WAIT,
        cause=_FAILED,
    ),
    "zone_out_limit": Template(
        "{count} host of availability zone {domain} is out of service ({hosts}), and no more of"
        " it may be at the same time.",
        plural="{count} hosts of availability zone {domain} are out of service ({hosts}), and no"
        " more of it may be at the same time.",
        remedy=_WAIT,
        cause=_FAILED,
    ),
    "aggregate_out_limit": Template(
        "{count} host of aggregate {domain} is out of service ({hosts}), and no more of it may be"
        " at the same time.",
        plural="{count} hosts of aggregate {domain} are out of service ({hosts}), and no more of"
        " it may be at the same time.",
        remedy=_WAIT,
        cause=_FAILED,
    ),
    "zones_out_limit": Template(
        "Hosts of {count} other availability zone are out of service ({domains}), and no more"
        " zones may have hosts out at the same time.",
        plural="Hosts of {count} other availability zones are out of service ({domains}), and no"
        " more zones may have hosts out at the same time.",
        remedy="The host starts when all hosts there are back in service.",
        cause="One zone at a time is the default; fewer hosts of one than in all need several. "
        + _FAILED,
    ),
    "aggregates_out_limit": Template(
        "Hosts of {count} other aggregate are out of service ({domains}), and no more aggregates"
        " may have hosts out at the same time.",
        plural="Hosts of {count} other aggregates are out of service ({domains}), and no more"
        " aggregates may have hosts out at the same time.",
        remedy="The host starts when all hosts there are back in service.",
        cause="One aggregate at a time is the default; fewer hosts of one than in all need"
        " several. " + _FAILED,
    ),
}

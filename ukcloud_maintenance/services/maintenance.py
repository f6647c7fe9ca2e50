"""The maintenance of a host, as recorded."""

from .. import store
from ..cloud import Cloud
from ..core.actor import RULE_VIEW, Actor
from ..core.message import message
from ..exceptions import Refused, UnknownHost
from ..store import HostMaintenance
from .access import require
from .checks import DEFAULT_REGION, find_service


def host_maintenance(actor: Actor, region: str, host: str) -> HostMaintenance | None:
    """The maintenance of exactly this host that is open, or the last one; None: it had none."""
    require(actor, RULE_VIEW)
    return store.newest_maintenance(region, host)


def is_listed(actor: Actor, cloud: Cloud, host: str) -> bool:
    """Whether Nova lists a compute service of exactly this host.

    :raises UnknownHost: it does not, and there is no record of the host either
    """
    require(actor, RULE_VIEW)
    if cloud.service(host) is not None:
        return True
    if not store.is_recorded(cloud.region, host):
        find_service([], host, cloud.region)
    return False


def check_recorded(actor: Actor, region: str, host: str) -> None:
    """:raises UnknownHost: this host was never drained or in maintenance, as far as is kept"""
    require(actor, RULE_VIEW)
    if not store.is_recorded(region, host):
        raise UnknownHost(
            message("host_not_recorded", host=host, region=region or DEFAULT_REGION),
            code="unknown_host",
            field="host",
        )


def get_maintenance(actor: Actor, maintenance_id: int) -> HostMaintenance:
    """One maintenance, open or over.

    :raises Refused: there is no such one
    """
    require(actor, RULE_VIEW)
    found = store.maintenance(maintenance_id)
    if found is None:
        raise Refused(message("unknown_maintenance", id=maintenance_id))
    return found

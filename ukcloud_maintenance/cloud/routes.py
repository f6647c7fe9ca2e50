"""What a request is about, told by its URL: the service and the route, without ids.

For counting alone. A segment that is no word of an API is an id, so that there are no more routes
than the APIs have, whatever somebody else's server makes of a redirect.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

#: The service that a path belongs to, by its first word that is one of an API.
_FIRST = {
    **dict.fromkeys(
        (
            *("servers", "os-services", "os-hypervisors", "os-migrations", "os-aggregates"),
            *("os-server-groups", "flavors", "limits"),
        ),
        "compute",
    ),
    **dict.fromkeys(("auth", "projects", "users", "role_assignments", "domains"), "identity"),
    "agents": "network",
    **dict.fromkeys(("resource_providers", "allocations", "allocation_candidates"), "placement"),
}
#: Words that follow one of these.
_NEXT = frozenset(
    {
        *("detail", "action", "migrations", "os-instance-actions", "diagnostics", "tokens"),
        *("os-volume_attachments", "topology", "inventories", "usages", "traits", "allocations"),
        *("aggregates", "uptime", "servers", "projects"),
    }
)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"})
#: The route of what none of these words is in: the versions that a service offers.
DISCOVERY = "/"


@dataclass(frozen=True)
class Asked:
    """A request that went out.

    :param service: compute, identity, placement or network; of a request for the versions that a
        service offers, and of any other, it is empty
    :param route: e.g. ``/servers/{id}/action``
    :param status: of the answer; None: none came
    :param seconds: until its answer began, or it was given up
    """

    service: str
    method: str
    route: str
    status: int | None
    seconds: float


def asked(method: str, url: str, status: int | None, seconds: float) -> Asked:
    """What a request was about."""
    try:
        segments = [one for one in urlsplit(url).path.split("/") if one]
    except ValueError:  # of a redirect to nowhere
        segments = []
    first = next((n for n, one in enumerate(segments) if one in _FIRST), None)
    method = method if method in _METHODS else "other"
    if first is None:
        return Asked("", method, DISCOVERY, status, seconds)
    service = _FIRST[segments[first]]
    rest = [one if one in _NEXT else "{id}" for one in segments[first + 1 :][:4]]
    return Asked(service, method, "/".join(["", segments[first], *rest]), status, seconds)

"""The gateway: the only package that talks to Nova, Placement and Keystone.

It takes a keystoneauth session: Horizon's pages give it the admin's, the worker and the commands
give it the worker's. Requests go to the catalogue's endpoint as it stands, without version
discovery, at one fixed microversion, so that what an answer holds does not depend on the cloud's
age. Every answer becomes a value of `core.facts`, every failure a `CloudError`.

Microversion 2.87 (Victoria and later): embedded flavors (2.47), service ids (2.53), paged
migrations (2.59), `status: UNKNOWN` for a cell that is down (2.69), locked_reason (2.73),
details of instance action events (2.84), and the last with the usage of hypervisors. The list
of a host's servers alone may be requested at a newer one, for what a preflight can make of it:
see :meth:`Cloud.prefer_newest`. Placement is asked at 1.29 (Stein).

Every call is bounded as a whole (`cloud.http`). Reads log in again where a token is refused, and
wait for a moment where OpenStack asks for that. A request for change is sent once at most: it
brings its token along, follows no redirect, and is not sent where the login before it took long.
"""

from .clouds_yaml import from_clouds_yaml
from .errors import BUSY_SECONDS, BUSY_SECONDS_MAX
from .gateway import Cloud
from .http import PARALLEL, side_by_side
from .routes import Asked
from .transport import MICROVERSION

__all__ = [
    "BUSY_SECONDS",
    "BUSY_SECONDS_MAX",
    "MICROVERSION",
    "PARALLEL",
    "Asked",
    "Cloud",
    "from_clouds_yaml",
    "side_by_side",
]

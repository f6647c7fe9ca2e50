"""All of a region of OpenStack behind one object."""

from .building import Building
from .identity import Identity
from .migrations import Migrations
from .network import Network
from .placement import Placement
from .servers import Servers


class Cloud(Servers, Migrations, Placement, Identity, Network, Building):
    """One region of an OpenStack cloud, seen by one user.

    :param ksa_session: a keystoneauth session; its plugin says who asks
    :param region: the region's name in the catalogue
    :param interface: public, internal or admin, or several in the order of preference
    :param timeout: seconds to wait for one answer, logging in included
    :param cloud_name: the cloud of clouds.yaml that the session is of; empty: it is Horizon's
    """

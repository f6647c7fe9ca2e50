"""The gateway: the only module that talks to Nova, Placement and Keystone.

It takes a keystoneauth session: Horizon's pages give it the admin's, the worker and the commands
give it the worker's. Requests go to the catalogue's endpoint as it stands, without version
discovery, at one fixed microversion, so that what an answer holds does not depend on the cloud's
age. Every answer becomes a value of `core.facts`, every failure a `CloudError`.

Microversion 2.87 (Victoria and later): embedded flavors (2.47), service ids (2.53), paged
migrations (2.59), `status: UNKNOWN` for a cell that is down (2.69), locked_reason (2.73),
details of instance action events (2.84), and the last with the usage of hypervisors. The list
of a host's servers alone may be asked for at a newer one, for what a preflight can make of it:
see :meth:`Cloud.prefer_newest`. Placement is asked at 1.29 (Stein).

Every call is bounded as a whole (`cloud.http`). Reads log in again where a token is refused, and
wait for a moment where OpenStack asks for that. A request for change is sent once at most: it
brings its token along, follows no redirect, and is not sent where the login before it took long.
"""

import copy
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import openstack.config
import openstack.exceptions
import requests
import yaml
from keystoneauth1 import adapter, session
from keystoneauth1 import exceptions as ksa_exceptions

from .. import conf
from ..core.facts import (
    Action,
    Aggregate,
    Allocation,
    Capacity,
    Consumer,
    Diagnostics,
    HostFacts,
    Hypervisor,
    Migration,
    Progress,
    Server,
    ServerGroup,
    Service,
)
from ..core.printable import logger
from ..exceptions import (
    CloudAnswerUnusable,
    CloudAuthError,
    CloudBadRequest,
    CloudConflict,
    CloudError,
    CloudForbidden,
    CloudNotFound,
    CloudServerError,
    CloudUnreachable,
    ConfigurationError,
)
from .http import Bounds, Exchange, make_cuttable, retry_after

LOG = logger(__name__)

MICROVERSION = "2.87"
#: The newest at which a list of servers has something more for us: pinned_availability_zone
#: (2.96), properties of the image (2.98).
NEWEST_FOR_SERVERS = "2.98"
#: All resource classes of a provider (1.27), and the tree it belongs to (1.29).
PLACEMENT_MICROVERSION = "1.29"
PAGE = 1000
MIB = 1024**2
GIB = 1024**3
#: requests for several hosts that go out side by side
PARALLEL = 8
#: A request for change is sent within so many seconds after it was found to be right, or not at
#: all: somebody else may have acted since.
WRITE_GOES_STALE = 5.0
#: A read waits for so many seconds where OpenStack asks for that; the caller for longer ones.
READ_WAITS = 5.0
#: For so long OpenStack is left alone where it says 429 and not for how long; and at most.
BUSY_SECONDS = 5.0
BUSY_SECONDS_MAX = 300.0

_BY_STATUS: dict[int, type[CloudError]] = {
    401: CloudAuthError,
    403: CloudForbidden,
    404: CloudNotFound,
    409: CloudConflict,
}


class Cloud:
    """One region of an OpenStack cloud, seen by one user.

    :param ksa_session: a keystoneauth session; its plugin says who asks
    :param region: the region's name in the catalogue
    :param interface: public, internal or admin, or several in the order of preference
    :param timeout: seconds to wait for one answer, logging in included
    :param cloud_name: the cloud of clouds.yaml that the session is of; empty: it is Horizon's
    """

    def __init__(
        self,
        ksa_session: session.Session,
        region: str,
        *,
        interface: str | list[str] = "public",
        timeout: float = 60,
        cloud_name: str = "",
    ):
        self.session = ksa_session
        self.region = region
        self.timeout = timeout
        self.cloud_name = cloud_name
        self._bounds = Bounds()
        self._before_write: Callable[[], None] = lambda: None
        # where keystoneauth asks for something by itself: a login, discovery
        ksa_session.timeout = timeout
        make_cuttable(ksa_session)
        common: dict[str, Any] = {
            "session": ksa_session,
            "region_name": region or None,
            "interface": interface,
            "raise_exc": False,
        }
        self._compute = adapter.Adapter(service_type="compute", **common)
        self._identity = adapter.Adapter(service_type="identity", **common)
        self._placement = adapter.Adapter(service_type="placement", **common)
        self._servers_at = MICROVERSION

    def within(self, seconds: float, before_write: Callable[[], None] = lambda: None) -> "Cloud":
        """The same cloud for one pass, which ends after so many seconds: what is read then is a
        :class:`CloudUnreachable`.

        :param before_write: called right before each request for change; what it raises keeps
            that from being sent
        """
        one = copy.copy(self)
        one._bounds = Bounds(seconds)
        one._before_write = before_write
        return one

    def use_newest_of(self, one: "Cloud") -> None:
        """Ask as one of this cloud's passes (see :meth:`within`) what Nova offers, for it and
        for those to come: see :meth:`prefer_newest`."""
        self._servers_at = one.prefer_newest()

    def stop(self) -> None:
        """End the pass that this one was made for (:meth:`within`): whatever it asks for from
        now on, or waits for, is a :class:`PassOver`; a request for change that is on its way is
        waited for."""
        self._bounds.stop()

    # -- services and hypervisors ------------------------------------------------------------

    def services(self, host: str | None = None) -> list[Service]:
        """The nova-compute services, or those of exactly one host. One request."""
        what = f"read the compute service of host {host}" if host else "list the compute services"
        path = "/os-services?binary=nova-compute" + (f"&host={quote(host)}" if host else "")
        body = self._get(what, path)
        found = [_service(raw) for raw in _list(body, "services", what)]
        return [s for s in found if host is None or s.host == host]

    def service(self, host: str) -> Service | None:
        """The nova-compute service of exactly this host, or None. One request."""
        found = self.services(host)
        if len(found) > 1:
            raise CloudAnswerUnusable(
                f"read the compute service of host {host}",
                "Nova lists more than one nova-compute service with exactly this host name",
            )
        return found[0] if found else None

    def disable_service(self, service_id: str, reason: str) -> str:
        """Disable a compute service with a reason of 1 to 255 characters; the request id."""
        answer = self._write(
            "disable the compute service",
            "PUT",
            f"/os-services/{service_id}",
            {"status": "disabled", "disabled_reason": reason},
        )
        return _request_id(answer)

    def enable_service(self, service_id: str) -> str:
        """Enable a compute service; the request id. One request.

        Nova clears the reason by itself, and answers 400 where one is sent with it.

        :raises CloudNotFound: no such service (any more)
        """
        answer = self._write(
            "enable the compute service",
            "PUT",
            f"/os-services/{service_id}",
            {"status": "enabled"},
        )
        return _request_id(answer)

    def hypervisors(self) -> list[Hypervisor]:
        """All hypervisors with their usage: one request for every 1,000."""
        what = "list the hypervisors"
        return [
            _hypervisor(raw)
            for raw in self._pages(what, "/os-hypervisors/detail", {}, "hypervisors")
        ]

    def hypervisors_of(self, host: str) -> list[Hypervisor]:
        """The hypervisors (nodes) whose service.host is exactly this host. One request, and where
        that is not enough the whole list: see :meth:`hypervisors`.

        Asked for by `hypervisor_hostname_pattern` (2.53): a substring of the hypervisor's name,
        which cannot be paged, takes host names alone (else 400) and is 404 where nothing matches.
        The hypervisor may have quite another name than its service's host, and of the nodes of
        Ironic, which has many for one service, a pattern may find a few.
        """
        what = f"read the hypervisor of host {host}"
        path = f"/os-hypervisors/detail?hypervisor_hostname_pattern={quote(host, safe='')}"
        try:
            body = self._get(what, path)
            found = [_hypervisor(raw) for raw in _list(body, "hypervisors", what)]
        except (CloudNotFound, CloudBadRequest):
            found = []
        ours = [h for h in found if h.host == host]
        if ours and all(not h.is_bare_metal for h in ours):
            return ours
        return [h for h in self.hypervisors() if h.host == host]

    def hosts(self) -> list[HostFacts]:
        """Every compute service with its hypervisor: two requests, side by side, and one more
        for every further 1,000 hypervisors.

        A service whose host has several hypervisors (Ironic) is shown with their sum. Services
        without a hypervisor are kept: they are hosts all the same.
        """
        services, hypervisors = _side_by_side([self.services, self.hypervisors])
        by_host: dict[str, list[Hypervisor]] = {}
        for hypervisor in hypervisors:
            by_host.setdefault(hypervisor.host, []).append(hypervisor)
        return [HostFacts(s, _sum(by_host.get(s.host, []))) for s in services]

    # -- servers -----------------------------------------------------------------------------

    def servers_on(self, host: str) -> list[Server]:
        """Every server of exactly this host, in any state, SOFT_DELETED ones included.

        One request for every 1,000 servers. An empty list alone proves nothing: Nova leaves
        out a cell that is down without a word; look at the service as well.
        """
        what = f"list the servers of host {host}"
        query = {"all_tenants": "1", "host": host, "soft_deleted": "1"}
        raw = list(self._pages(what, "/servers/detail", query, "servers", self._servers_at))
        if any("OS-EXT-SRV-ATTR:host" not in item for item in raw):
            raise CloudAnswerUnusable(
                what, "Nova does not tell this user where servers run; it needs the admin role"
            )
        servers = [_server(item) for item in raw]
        strangers = [s for s in servers if s.host.casefold() != host.casefold()]
        if strangers:
            # Nova drops the filters of a user that it does not take for an admin.
            raise CloudAnswerUnusable(
                what, f"Nova ignored the host filter and answered with {strangers[0].host!r}"
            )
        # by id: a list that changes while it is paged may name a server twice
        return list({s.id: s for s in servers if s.host == host}.values())

    def count_servers_on(self, host: str) -> int:
        """How many servers Nova lists for exactly this host, SOFT_DELETED ones included.

        One small request (for every 1,000). Nova's database may compare host names without
        regard to case; where another service differs from this one by case alone, the caller
        must use :meth:`servers_on`.
        """
        what = f"count the servers of host {host}"
        query = {"all_tenants": "1", "host": host, "soft_deleted": "1"}
        return sum(1 for _ in self._pages(what, "/servers", query, "servers"))

    def count_servers_on_each(self, hosts: Iterable[str]) -> dict[str, int | CloudError]:
        """:meth:`count_servers_on` for several hosts, side by side; a failure is a value."""
        names = list(hosts)

        def count(host: str) -> int | CloudError:
            try:
                return self.count_servers_on(host)
            except CloudError as error:
                return error

        if not names:
            return {}
        with ThreadPoolExecutor(min(PARALLEL, len(names))) as pool:
            return dict(zip(names, pool.map(count, names), strict=True))

    def server(self, server_id: str) -> Server | None:
        """One server, or None where it does not exist (any more).

        :raises CloudAnswerUnusable: its cell is down; Nova then knows no more than its id (2.69)
        """
        what = f"read server {server_id}"
        try:
            body = self._get(what, f"/servers/{server_id}")
        except CloudNotFound:
            return None
        raw = _dict(body, "server", what)
        if "OS-EXT-SRV-ATTR:host" not in raw:
            raise CloudAnswerUnusable(what, "Nova does not tell where it runs: its cell is down")
        return _server(raw)

    def prefer_newest(self) -> str:
        """Ask Nova what it offers, and list servers at the newest microversion that tells us more
        from now on; the microversion. One request.

        Where Nova does not say, nothing changes: what is newer stays not known.
        """
        what = "read which microversions Nova offers"
        try:
            endpoint = str(self._guard(what, self._compute.get_endpoint) or "")
            # a project's id may end the endpoint of an old catalogue
            root = re.sub(r"(/v2(\.\d+)?)(/[^/]*)?/*$", r"\1/", endpoint)
            answer = self._send(self._compute, what, "GET", root)
            offered = str(_dict(_json(answer, what), "version", what).get("version") or "")
        except CloudError as error:
            LOG.info("%s", error)
            return self._servers_at
        self._servers_at = max(
            MICROVERSION, min(offered, NEWEST_FOR_SERVERS, key=_version), key=_version
        )
        return self._servers_at

    # -- what stands around servers ----------------------------------------------------------

    def server_groups(self) -> list[ServerGroup]:
        """The server groups of all projects: one request for every 1,000.

        Members that were deleted are left out by Nova.
        """
        what = "list the server groups"
        found: list[ServerGroup] = []
        while True:
            path = f"/os-server-groups?all_projects=True&limit={PAGE}&offset={len(found)}"
            page = _list(self._get(what, path), "server_groups", what)
            found += [_server_group(raw) for raw in page]
            # This list has no links, and Nova's own limit (api.max_limit) may be below ours.
            if len(page) < 100:
                return found

    def aggregates(self) -> list[Aggregate]:
        """All aggregates, those that make availability zones among them. One request."""
        what = "list the aggregates"
        return [
            _aggregate(raw) for raw in _list(self._get(what, "/os-aggregates"), "aggregates", what)
        ]

    def capacity(self) -> dict[str, Capacity]:
        """What every compute host could take, by host: two requests, side by side (and one more
        for every further 1,000 hypervisors).

        `GET /allocation_candidates` answers with the providers that have room for what is asked
        for, and with all their resources (1.27): asked for one MiB of memory, with those of every
        host that has any left. One that has none is not in the answer. A host of Ironic's is, by
        what Nova says of it, and without anything to take. Nested providers are added
        to their root (1.29), which is the compute node: its UUID is the hypervisor's id.
        """
        what = "read what the hosts can take"
        answer, hypervisors = _side_by_side(
            [
                lambda: self._send(
                    self._placement,
                    what,
                    "GET",
                    "/allocation_candidates?resources=MEMORY_MB:1",
                    microversion=PLACEMENT_MICROVERSION,
                ),
                self.hypervisors,
            ]
        )
        hosts = {hypervisor.id: hypervisor.host for hypervisor in hypervisors}
        found = _capacity(_dict(_json(answer, what), "provider_summaries", what), hosts)
        for hypervisor in hypervisors:
            if hypervisor.is_bare_metal:
                found[hypervisor.host] = Capacity(bare_metal=True)
        return found

    def allocations_of(self, consumer_id: str) -> Consumer:
        """Everything that a consumer holds. One request; one that Placement does not know holds
        nothing, and that is no error (placement/handlers/allocation.py)."""
        what = f"read the allocations of consumer {consumer_id}"
        body = self._placed(what, f"/allocations/{quote(consumer_id, safe='')}")
        held = _dict(body, "allocations", what)
        return Consumer(
            consumer_id,
            str(body.get("project_id") or ""),
            str(body.get("user_id") or ""),
            body.get("consumer_generation"),
            tuple(
                Allocation(
                    consumer_id,
                    str(provider),
                    {str(k): int(v) for k, v in _dict(one, "resources", what).items()},
                )
                for provider, one in held.items()
            ),
        )

    def set_allocations(self, consumer: Consumer) -> str:
        """Make all that a consumer holds exactly this; the request id. One request.

        Placement takes it only while the consumer is as it was read, by its generation (1.28).

        :raises CloudConflict: it was changed since it was read; nothing was done
        """
        what = f"change the allocations of consumer {consumer.consumer_id}"
        body = {
            "allocations": {
                a.provider_id: {"resources": dict(a.resources)} for a in consumer.allocations
            },
            "project_id": consumer.project_id,
            "user_id": consumer.user_id,
            "consumer_generation": consumer.generation,
        }
        path = f"/allocations/{quote(consumer.consumer_id, safe='')}"
        return _request_id(self._write(what, "PUT", path, body, placement=True))

    def providers_of(self, host: str) -> frozenset[str]:
        """The resource providers of exactly this host, nested ones included: those of its
        hypervisors. One request for each, and one or two for the hypervisors."""
        found: set[str] = set()
        for hypervisor in self.hypervisors_of(host):
            if hypervisor.id:
                found.update(self._tree_of(hypervisor.id))
        return frozenset(found)

    def _tree_of(self, provider_id: str) -> list[str]:
        what = f"read the allocations of resource provider {provider_id}"
        body = self._placed(what, f"/resource_providers?in_tree={quote(provider_id, safe='')}")
        tree = [str(raw.get("uuid") or "") for raw in _list(body, "resource_providers", what)]
        if provider_id not in tree:
            raise CloudAnswerUnusable(what, "Placement does not know this resource provider")
        return tree

    def allocations_on(self, provider_ids: Iterable[str]) -> list[Allocation]:
        """Every allocation of these resource providers and of all that are nested with them.
        For each: one request, and one more for every provider of its tree.

        The id of a hypervisor (2.53) is the UUID of its provider. A provider that Placement does
        not know is never taken for one without allocations: `in_tree` (1.14) of an unknown one is
        an empty list and no error (placement/objects/resource_provider.py), so that it must be in
        its own tree.

        :raises CloudAnswerUnusable: Placement does not know one of them (any more)
        """
        found: list[Allocation] = []
        seen: set[str] = set()
        for provider_id in provider_ids:
            what = f"read the allocations of resource provider {provider_id}"
            for uuid in self._tree_of(provider_id):
                if uuid in seen:
                    continue
                seen.add(uuid)
                try:
                    body = self._placed(what, f"/resource_providers/{quote(uuid)}/allocations")
                except CloudNotFound as error:
                    raise CloudAnswerUnusable(what, error.detail) from error
                for consumer, held in _dict(body, "allocations", what).items():
                    resources = {str(k): int(v) for k, v in _dict(held, "resources", what).items()}
                    found.append(Allocation(str(consumer), uuid, resources))
        return found

    def _placed(self, what: str, path: str) -> Any:
        answer = self._send(self._placement, what, "GET", path, microversion=PLACEMENT_MICROVERSION)
        return _json(answer, what)

    def try_side_by_side(self, calls: dict[str, Callable[[], Any]]) -> dict[str, Any]:
        """The results of several reads that go out at once; a failure is its value."""

        def attempt(call: Callable[[], Any]) -> Any:
            try:
                return call()
            except CloudError as error:
                return error

        found = _side_by_side([partial(attempt, call) for call in calls.values()])
        return dict(zip(calls, found, strict=True))

    def servers_by_id(self, ids: Iterable[str]) -> dict[str, Server]:
        """Several servers: one request each, some side by side. What does not exist or cannot be
        read is left out."""

        def read(server_id: str) -> Server | None:
            try:
                return self.server(server_id)
            except CloudError as error:
                LOG.info("%s", error)
                return None

        wanted = list(ids)
        if not wanted:
            return {}
        with ThreadPoolExecutor(min(PARALLEL, len(wanted))) as pool:
            return {s.id: s for s in pool.map(read, wanted) if s}

    # -- migrations --------------------------------------------------------------------------

    def unconfirmed_from(self, host: str) -> list[Migration]:
        """The resizes and cold migrations away from exactly this host that wait for confirmation
        (`finished`), newest first. One request for every 1,000."""
        what = f"list the unconfirmed migrations from host {host}"
        query = {"source_compute": host, "status": "finished"}
        found = self._pages(what, "/os-migrations", query, "migrations")
        return [m for m in map(_migration, found) if m.source_compute == host]

    def migrations_touching(self, host: str) -> list[Migration]:
        """All migrations that have exactly this host as their source or destination, of any age
        and status, newest first. One request for every 1,000.

        Nova's `host` filter means both sides (nova/db/main/api.py).
        """
        what = f"list the migrations from and to host {host}"
        found = self._pages(what, "/os-migrations", {"host": host}, "migrations")
        return [m for m in map(_migration, found) if host in (m.source_compute, m.dest_compute)]

    def newest_migrations_from(self, host: str, limit: int) -> list[Migration]:
        """The newest migrations that have exactly this host as their source. One request.

        The newest, rather than those since a time: that would trust two clocks to agree.
        """
        what = f"list the newest migrations from host {host}"
        body = self._get(what, f"/os-migrations?source_compute={quote(host)}&limit={limit}")
        found = [_migration(raw) for raw in _list(body, "migrations", what)]
        return [m for m in found if m.source_compute == host]

    def migrations_of(self, server_id: str) -> list[Migration]:
        """The newest migrations of one server, in any status, newest first. One request."""
        what = f"list the migrations of server {server_id}"
        body = self._get(what, f"/os-migrations?instance_uuid={quote(server_id)}&limit=20")
        return [_migration(raw) for raw in _list(body, "migrations", what)]

    def progress(self, server_id: str) -> list[Progress]:
        """The bytes of the migrations of a server that are in progress. One request.

        Empty while none is queued, preparing, running or post-migrating, and where the server
        does not exist any more.
        """
        what = f"read the progress of server {server_id}"
        try:
            body = self._get(what, f"/servers/{server_id}/migrations")
        except CloudNotFound:
            return []
        return [_progress(raw) for raw in _list(body, "migrations", what)]

    def live_migrate(self, server_id: str, host: str | None) -> str:
        """Ask for a live migration; the request id. Nova's answer says only that it was asked.

        :param host: the destination, or None for the scheduler's choice
        :raises CloudConflict: not in this state, or a task is under way
        """
        answer = self._write(
            f"live-migrate server {server_id}",
            "POST",
            f"/servers/{server_id}/action",
            {"os-migrateLive": {"host": host, "block_migration": "auto"}},
        )
        return _request_id(answer)

    def cold_migrate(self, server_id: str, host: str | None) -> str:
        """Ask for a cold migration; the request id. A running server is stopped for it.

        It ends in VERIFY_RESIZE and holds its disk and its allocation on both hosts until
        :meth:`confirm_resize`.

        :param host: the destination (2.56), or None for the scheduler's choice
        :raises CloudConflict: not in this state, or a task is under way
        """
        answer = self._write(
            f"cold-migrate server {server_id}",
            "POST",
            f"/servers/{server_id}/action",
            {"migrate": {"host": host} if host else None},
        )
        return _request_id(answer)

    def confirm_resize(self, server_id: str) -> str:
        """Confirm a resize or cold migration in VERIFY_RESIZE; the request id.

        :raises CloudConflict: it is not in VERIFY_RESIZE (any more)
        """
        answer = self._write(
            f"confirm the resize of server {server_id}",
            "POST",
            f"/servers/{server_id}/action",
            {"confirmResize": None},
        )
        return _request_id(answer)

    def abort_migration(self, server_id: str, migration_id: int) -> str:
        """Ask for the end of a live migration; the request id. Nova's answer (202) says only that
        it was asked; the server stays at the source.

        Taken where it is queued, preparing (2.65) or running; never while it is accepted. On Nova
        33 and 34 a running one may become `error`, and its server ERROR, some two seconds after
        `cancelled`: see `core.evidence`.

        :raises CloudConflict: the server is not migrating, or is locked and we are no admin
        :raises CloudBadRequest: the migration is in another status
        :raises CloudNotFound: no such server, or no such migration of it
        """
        answer = self._write(
            f"abort migration {migration_id} of server {server_id}",
            "DELETE",
            f"/servers/{server_id}/migrations/{migration_id}",
        )
        return _request_id(answer)

    def force_complete(self, server_id: str, migration_id: int) -> str:
        """Ask for the end of a live migration at the destination; the request id (2.22).

        The guest is paused until the rest is copied, or switches to post-copy where Nova permits
        that. Taken of a running migration of an ACTIVE server alone (PAUSED: 409).

        :raises CloudConflict: the server is not ACTIVE or not migrating
        :raises CloudBadRequest: the migration is not running, or not this server's
        :raises CloudNotFound: no such server
        """
        answer = self._write(
            f"force migration {migration_id} of server {server_id} to complete",
            "POST",
            f"/servers/{server_id}/migrations/{migration_id}/action",
            {"force_complete": None},
        )
        return _request_id(answer)

    def reset_state_to_active(self, server_id: str) -> str:
        """Write vm_state ACTIVE and no task into Nova's database; the request id.

        Nova looks at nothing for it: not at the state that the server is in, not at its host, not
        at its guest. Right only where the guest is known to run on the host that Nova names.

        :raises CloudNotFound: no such server
        """
        answer = self._write(
            f"reset the state of server {server_id}",
            "POST",
            f"/servers/{server_id}/action",
            {"os-resetState": {"state": "active"}},
        )
        return _request_id(answer)

    def diagnostics(self, server_id: str) -> Diagnostics:
        """What the hypervisor of its host says of the guest of a server, now (2.48).

        Nova's API asks for nothing but that the server has a host: any vm_state will do, ERROR
        too (nova/compute/api.py). It asks nova-compute on that host, which asks its hypervisor
        and not the database (nova/compute/manager.py), and tells of a guest that **runs** alone.

        A guest that is paused, that is shut off, or that is not on this host at all is a 409 all
        the same, and the state which that answer names is the database's: it can read "in power
        state running" of a guest that is not there. So a refusal proves nothing but that the
        guest does not run there. Nova also records the refusal as the newest fault of the server,
        so that one in ERROR shows it in place of why it came to be there: read the server first.

        :raises CloudConflict: it does not run on its host, or has no host
        :raises CloudServerError: its host does not answer (in the time that RPC waits: 60 s), or
            the guest went away meanwhile
        :raises CloudNotFound: no such server
        """
        what = f"read the diagnostics of server {server_id}"
        body = self._get(what, f"/servers/{server_id}/diagnostics")
        if not isinstance(body, dict) or not body.get("state"):
            raise CloudAnswerUnusable(what, "the answer does not say which state the guest is in")
        uptime = body.get("uptime")
        return Diagnostics(
            state=str(body["state"]),
            driver=str(body.get("driver") or ""),
            uptime_seconds=None if uptime is None else int(uptime),
            hypervisor=str(body.get("hypervisor") or ""),
        )

    # -- instance actions --------------------------------------------------------------------

    def actions(self, server_id: str) -> list[Action]:
        """The instance actions of a server, newest first. One request."""
        what = f"list the actions of server {server_id}"
        try:
            body = self._get(what, f"/servers/{server_id}/os-instance-actions?limit=50")
        except CloudNotFound:
            return []
        return [_action(raw) for raw in _list(body, "instanceActions", what)]

    def failure_of(self, server_id: str, request_id: str) -> str:
        """Why an action failed, in Nova's own words, or empty where Nova doesn't say.

        Details of events are shown to an admin from 2.84; before the event that failed first
        there may be others that only pass its error on.
        """
        what = f"read action {request_id} of server {server_id}"
        try:
            body = self._get(what, f"/servers/{server_id}/os-instance-actions/{request_id}")
        except CloudNotFound:
            return ""
        action = _dict(body, "instanceAction", what)
        events = [e for e in action.get("events") or [] if e.get("result") == "Error"]
        events.sort(key=lambda e: str(e.get("finish_time") or ""))
        for event in events:
            if event.get("details"):
                return str(event["details"])
        for event in events:
            if words := _last_line(event.get("traceback")):
                return words
        return str(action.get("message") or "")

    # -- identity ----------------------------------------------------------------------------

    def project_names(self) -> dict[str, str]:
        """Names of all projects by id. One request to Keystone."""
        what = "list the projects"
        answer = self._send(self._identity, what, "GET", self._identity_path("/projects"))
        return {str(p["id"]): str(p["name"]) for p in _list(_json(answer, what), "projects", what)}

    def user_id(self) -> str:
        """The id of the user that this session is logged in as."""
        return str(self._guard("log in", self.session.get_user_id) or "")

    def log_in(self) -> None:
        """Make sure that the credentials are taken and that the region has a Nova."""
        self._guard("log in", self.session.get_token)
        self._compute_endpoint()

    def _compute_endpoint(self) -> str:
        return self._endpoint(self._compute, "Nova")

    def _endpoint(self, api: adapter.Adapter, name: str) -> str:
        what = f"find {name} in the catalogue"
        endpoint = self._guard(what, api.get_endpoint)
        if not endpoint:
            region = self.region or "(any)"
            raise CloudAuthError(
                what,
                f"the catalogue has no {api.service_type} endpoint for region {region}",
                remedy=self._remedy("region"),
            )
        return str(endpoint)

    # -- requests ----------------------------------------------------------------------------

    def _identity_path(self, path: str) -> str:
        endpoint = self._guard("find Keystone in the catalogue", self._identity.get_endpoint)
        return path if str(endpoint or "").rstrip("/").endswith("/v3") else "/v3" + path

    def _guard(self, what: str, call: Callable[[], Any], *, writes: bool = False) -> Any:
        """Call into keystoneauth, bounded, its exceptions translated.

        :param writes: it is a single request for change
        """
        bounds = self._bounds
        if bounds.left <= 0:
            detail = f"the pass took longer than {bounds.seconds:.0f} s"
            raise CloudUnreachable(what, detail, sent=False)
        # Once a change is requested, its answer is waited for whatever the pass has left: it would
        # get lost for nothing.
        seconds = self.timeout if writes else min(self.timeout, bounds.left)
        begins_within = min(seconds, WRITE_GOES_STALE) if writes else seconds
        exchange = Exchange(time.monotonic() + begins_within)
        try:
            return bounds.run(call, exchange, seconds, stops=not writes)
        except TimeoutError as error:
            detail = f"no complete answer within {seconds:.0f} s"
            raise CloudUnreachable(what, detail, sent=exchange.sent) from error
        except ksa_exceptions.http.HttpError as error:
            raise self._not_logged_in(what, error) from error
        except (
            ksa_exceptions.AuthorizationFailure,
            ksa_exceptions.AuthPluginException,
            ksa_exceptions.MissingAuthMethods,
        ) as error:
            raise CloudAuthError(what, str(error), remedy=self._remedy("credentials")) from error
        except ksa_exceptions.EmptyCatalog as error:
            raise CloudAuthError(what, str(error), remedy=self._remedy("scope")) from error
        except ksa_exceptions.CatalogException as error:
            raise CloudAuthError(what, str(error), remedy=self._remedy("region")) from error
        except (ksa_exceptions.ClientException, requests.RequestException) as error:
            # keystoneauth wraps what discovery finds in texts of its own
            untrusted = "CERTIFICATE_VERIFY_FAILED" in str(error)
            remedy = self._remedy("certificate") if untrusted else ""
            raise CloudUnreachable(
                what, str(error), remedy=remedy, sent=exchange.sent and not untrusted
            ) from error
        except OSError as error:
            # of a file that the settings name: those of the network are wrapped
            remedy = self._remedy("file")
            raise CloudUnreachable(what, str(error), remedy=remedy, sent=exchange.sent) from error

    def _not_logged_in(self, what: str, error: ksa_exceptions.http.HttpError) -> CloudError:
        """Keystone refused. It is its status, which says nothing of what is to be asked after the
        login: a 404 of Keystone is no server that is not there."""
        status = error.http_status
        busy = _busy_seconds(status, error.response)
        kind: type[CloudError] = CloudServerError
        remedy = ""
        if status == 403:
            kind, remedy = CloudForbidden, self._remedy("scope")
        elif status == 401:
            kind, remedy = CloudAuthError, self._remedy("credentials")
        elif busy is not None and status < 500:
            kind = CloudBadRequest
        elif status < 500:
            kind, remedy = CloudAuthError, self._remedy("auth_url")
        return kind(
            what,
            str(error.message or error),
            status=status,
            request_id=str(error.request_id or ""),
            remedy=remedy,
            retry_after=busy,
        )

    def _remedy(self, about: str) -> str:
        """Which setting to look at. Horizon has no say in what its user carries since the login."""
        if not self.cloud_name:
            return {
                "certificate": "Check OPENSTACK_SSL_CACERT in the settings of Horizon.",
                "file": "Check OPENSTACK_SSL_CACERT in the settings of Horizon.",
                "region": "Choose another region, or correct the service catalogue.",
                "scope": "Choose a project in which you are an administrator.",
            }.get(about, "Log in again.")
        mine = f"of cloud {self.cloud_name!r} in clouds.yaml"
        return {
            "certificate": f"Check cacert and auth_url {mine}: its certificate is not trusted.",
            "file": f"Check cacert, cert and key {mine}: a file that they name cannot be read.",
            "region": f"Check region_name and interface {mine}, and the service catalogue.",
            "scope": f"Check project_name {mine}, and that its user has the admin role there.",
            "auth_url": f"Check auth_url {mine}.",
        }.get(about, f"Check the credentials {mine}.")

    def _send(
        self, api: adapter.Adapter, what: str, method: str, path: str, **more: Any
    ) -> requests.Response:
        """Read something. Where OpenStack is busy for a moment, that is waited for."""
        until = time.monotonic() + self.timeout
        while True:
            error: CloudError | None = None
            try:
                answer: requests.Response = self._guard(
                    what, lambda: api.request(path, method, timeout=self.timeout, **more)
                )
            except CloudError as caught:
                error = caught
            else:
                error = self._error_in(answer, api, what)
            if error is None:
                return answer
            waits = error.retry_after
            if waits is None or waits > READ_WAITS or time.monotonic() + waits > until:
                raise error
            # not at once, whatever it says
            self._bounds.pause(max(waits, 0.2))

    def _write(
        self,
        what: str,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        placement: bool = False,
    ) -> requests.Response:
        """Ask Nova, or Placement, for a change: sent once at most, whatever becomes of it.

        keystoneauth would log in and send it again after a 401, and follow redirects; by then
        somebody else may have done what was asked, and more.

        :raises CloudError: `sent` is false where it did not get there
        """
        began = time.monotonic()
        api = self._placement if placement else self._compute
        try:
            headers = self._guard("log in", self.session.get_auth_headers)
            endpoint = self._endpoint(api, "Placement" if placement else "Nova")
            url = endpoint.rstrip("/") + path
        except CloudError as error:
            error.sent = False
            raise
        self._before_write()
        if time.monotonic() - began > WRITE_GOES_STALE:
            raise CloudUnreachable(what, "logging in took too long; it was not sent", sent=False)
        answer = self._guard(
            what,
            lambda: api.request(
                url,
                method,
                timeout=self.timeout,
                microversion=PLACEMENT_MICROVERSION if placement else MICROVERSION,
                headers=headers,
                authenticated=False,
                allow_reauth=False,
                redirect=False,
                connect_retries=0,
                status_code_retries=0,
                **({"json": body} if body is not None else {}),
            ),
            writes=True,
        )
        if refusal := self._error_in(answer, api, what):
            if refusal.status == 401:
                self.session.invalidate()  # the next read logs in
            raise refusal
        if answer.status_code >= 300:
            where = answer.headers.get("Location") or "elsewhere"
            raise CloudBadRequest(
                what,
                f"the endpoint sends us to {where}",
                status=answer.status_code,
                remedy=f"Correct the {api.service_type} endpoint in the service catalogue.",
            )
        return answer

    def _error_in(
        self, answer: requests.Response | None, api: adapter.Adapter, what: str
    ) -> CloudError | None:
        """The error that an answer is, or None."""
        if answer is None:
            return CloudUnreachable(what, "no answer")
        status = answer.status_code
        if status < 400:
            return None
        remedy = ""
        if status == 406:
            remedy = (
                f"{str(api.service_type).capitalize()} must know microversion"
                f" {PLACEMENT_MICROVERSION if api is self._placement else MICROVERSION}: upgrade"
                " OpenStack to Victoria or later."
            )
        elif status == 401:
            remedy = self._remedy("credentials")
        elif status == 403:
            remedy = self._remedy("scope")
        return _by_status(status)(
            what,
            _words(answer),
            status=status,
            request_id=_request_id(answer),
            remedy=remedy,
            retry_after=_busy_seconds(status, answer),
        )

    def _request(
        self, what: str, method: str, path: str, microversion: str = MICROVERSION
    ) -> requests.Response:
        return self._send(self._compute, what, method, path, microversion=microversion)

    def _get(self, what: str, path: str, microversion: str = MICROVERSION) -> Any:
        return _json(self._request(what, "GET", path, microversion=microversion), what)

    def _pages(
        self,
        what: str,
        path: str,
        query: dict[str, str],
        key: str,
        microversion: str = MICROVERSION,
    ) -> Iterator[dict[str, Any]]:
        """Every item of a paged list. A marker that does not move on ends in an error."""
        marker = ""
        seen: set[str] = set()
        while True:
            params = {**query, "limit": str(PAGE)} | ({"marker": marker} if marker else {})
            text = "&".join(f"{quote(k)}={quote(v, safe='')}" for k, v in params.items())
            body = self._get(what, f"{path}?{text}", microversion)
            yield from _list(body, key, what)
            marker = _next_marker(body.get(f"{key}_links"))
            if not marker:
                return
            if marker in seen:
                raise CloudAnswerUnusable(what, "the pages of the list go round in a circle")
            seen.add(marker)


def from_clouds_yaml(name: str, region: str) -> Cloud:
    """The cloud `name` of clouds.yaml (openstacksdk's convention), logged in lazily.

    :param region: the region asked for; where empty, the one that clouds.yaml names
    :raises ConfigurationError: clouds.yaml has no such cloud, or cannot be used
    """
    asked: dict[str, Any] = {"region_name": region} if region else {}
    try:
        found = openstack.config.OpenStackConfig(app_name="ukcloud_maintenance")
        config = found.get_one(cloud=name, **asked)
        ksa_session = config.get_session()
        for setting, file in _files(ksa_session).items():
            if problem := _unreadable(file):
                raise ConfigurationError(f"{setting} of cloud {name!r} in clouds.yaml: {problem}")
        return Cloud(
            ksa_session,
            region or config.get_region_name() or "",
            interface=config.get_interface("compute") or "public",
            timeout=conf.api_timeout_seconds(),
            cloud_name=name,
        )
    except openstack.exceptions.ConfigException as error:
        # openstacksdk passes over a file that it can't read, and then misses the cloud
        why = "; ".join(filter(None, map(_unreadable, _config_files()))) or error
        raise ConfigurationError(f"clouds.yaml cannot be used for cloud {name!r}: {why}") from error
    except ksa_exceptions.ClientException as error:
        raise ConfigurationError(
            f"clouds.yaml says too little to log in to cloud {name!r}: {error}"
        ) from error
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        # what openstacksdk comes to of a file of another shape than it expects
        raise ConfigurationError(
            f"clouds.yaml cannot be used for cloud {name!r}: {type(error).__name__}: {error}"
        ) from error


def _config_files() -> list[str]:
    """Where openstacksdk looks for clouds.yaml, as far as there is a file."""
    named = os.environ.get("OS_CLIENT_CONFIG_FILE")
    files = [named] if named else list(openstack.config.loader.CONFIG_FILES)
    return [file for file in files if os.path.exists(file)]


def _files(ksa_session: session.Session) -> dict[str, str]:
    """The files that the session reads for each connection, by the key that names them."""
    certificate, key = ksa_session.cert, None
    if isinstance(certificate, tuple):
        certificate, key = certificate
    authority = ksa_session.verify if isinstance(ksa_session.verify, str) else None
    files = {"cacert": authority, "cert": certificate, "key": key}
    return {setting: file for setting, file in files.items() if file}


def _unreadable(file: str) -> str:
    """Why a file cannot be read, or empty."""
    if os.path.isdir(file):
        return "" if os.access(file, os.R_OK | os.X_OK) else f"{file} cannot be read"
    try:
        with open(file, encoding="utf-8") as opened:
            if file.endswith((".yaml", ".yml")):
                yaml.safe_load(opened)
    except (OSError, ValueError, yaml.YAMLError) as error:
        return f"{file} cannot be read: {' '.join(str(error).split())}"
    return ""


def _side_by_side(calls: list[Callable[[], Any]]) -> list[Any]:
    with ThreadPoolExecutor(min(len(calls), 2 * PARALLEL)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def _by_status(status: int | None) -> type[CloudError]:
    if status is None:
        return CloudUnreachable
    return _BY_STATUS.get(status, CloudServerError if status >= 500 else CloudBadRequest)


def _busy_seconds(status: int | None, answer: requests.Response | None) -> float | None:
    """For how long OpenStack is to be left alone; None where it is not too busy."""
    if status not in (413, 429, 503):
        return None
    asked = retry_after(answer)
    if asked is None:
        return BUSY_SECONDS if status == 429 else None
    return min(asked, BUSY_SECONDS_MAX)


def _request_id(answer: requests.Response) -> str:
    return str(
        answer.headers.get("x-openstack-request-id")
        or answer.headers.get("x-compute-request-id")
        or ""
    )


def _words(answer: requests.Response) -> str:
    """The reason in an error answer: Nova wraps it as {"conflictingRequest": {"message": …}}."""
    try:
        body = answer.json()
    except ValueError:
        text = re.sub(r"<[^>]+>", " ", answer.text or "")
        return re.sub(r"\s+", " ", text).strip()[:500] or str(answer.reason or "")
    if isinstance(body, dict):
        for value in body.values():
            if isinstance(value, dict) and value.get("message"):
                return str(value["message"])
        if body.get("message"):
            return str(body["message"])
    return json.dumps(body)[:500]


def _json(answer: requests.Response, what: str) -> Any:
    try:
        return answer.json()
    except ValueError as error:
        raise CloudAnswerUnusable(what, "the answer is not JSON") from error


def _dict(body: Any, key: str, what: str) -> dict[str, Any]:
    if isinstance(body, dict) and isinstance(body.get(key), dict):
        return body[key]
    raise CloudAnswerUnusable(what, f"the answer has no {key!r}")


def _list(body: Any, key: str, what: str) -> list[dict[str, Any]]:
    if isinstance(body, dict) and isinstance(body.get(key), list):
        return body[key]
    raise CloudAnswerUnusable(what, f"the answer has no {key!r}")


def _next_marker(links: Any) -> str:
    for link in links or []:
        if link.get("rel") == "next":
            return (parse_qs(urlsplit(link.get("href", "")).query).get("marker") or [""])[0]
    return ""


def _last_line(traceback: Any) -> str:
    lines = [line.strip() for line in str(traceback or "").splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _time(text: Any) -> datetime | None:
    """Nova's times are UTC, written with or without a zone."""
    if not text:
        return None
    try:
        value = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _service(raw: dict[str, Any]) -> Service:
    return Service(
        id=str(raw.get("id") or ""),
        host=str(raw.get("host") or ""),
        zone=str(raw.get("zone") or ""),
        state=str(raw.get("state") or ""),
        status=str(raw.get("status") or "UNKNOWN"),
        disabled_reason=str(raw.get("disabled_reason") or ""),
        forced_down=bool(raw.get("forced_down")),
        updated_at=_time(raw.get("updated_at")),
    )


def _hypervisor(raw: dict[str, Any]) -> Hypervisor:
    return Hypervisor(
        id=str(raw.get("id") or ""),
        hypervisor_hostname=str(raw.get("hypervisor_hostname") or ""),
        host=str((raw.get("service") or {}).get("host") or ""),
        hypervisor_type=str(raw.get("hypervisor_type") or ""),
        vcpus=int(raw.get("vcpus") or 0),
        vcpus_used=int(raw.get("vcpus_used") or 0),
        memory_bytes=int(raw.get("memory_mb") or 0) * MIB,
        memory_used_bytes=int(raw.get("memory_mb_used") or 0) * MIB,
        running_vms=int(raw.get("running_vms") or 0),
    )


def _sum(hypervisors: list[Hypervisor]) -> Hypervisor | None:
    if len(hypervisors) < 2:
        return hypervisors[0] if hypervisors else None
    first = hypervisors[0]
    return Hypervisor(
        id="",
        hypervisor_hostname=f"{len(hypervisors)} nodes",
        host=first.host,
        hypervisor_type=first.hypervisor_type,
        vcpus=sum(h.vcpus for h in hypervisors),
        vcpus_used=sum(h.vcpus_used for h in hypervisors),
        memory_bytes=sum(h.memory_bytes for h in hypervisors),
        memory_used_bytes=sum(h.memory_used_bytes for h in hypervisors),
        running_vms=sum(h.running_vms for h in hypervisors),
    )


def _server(raw: dict[str, Any]) -> Server:
    flavor = raw.get("flavor") or {}
    disk_gib = int(flavor.get("disk") or 0) + int(flavor.get("ephemeral") or 0)
    return Server(
        id=str(raw["id"]),
        name=str(raw.get("name") or ""),
        host=str(raw.get("OS-EXT-SRV-ATTR:host") or ""),
        status=str(raw.get("status") or "UNKNOWN"),
        vm_state=str(raw.get("OS-EXT-STS:vm_state") or ""),
        task_state=raw.get("OS-EXT-STS:task_state") or None,
        project_id=str(raw.get("tenant_id") or ""),
        user_id=str(raw.get("user_id") or ""),
        power_state=int(raw.get("OS-EXT-STS:power_state") or 0),
        locked=bool(raw.get("locked")),
        locked_reason=str(raw.get("locked_reason") or ""),
        flavor_name=str(flavor.get("original_name") or ""),
        vcpus=int(flavor.get("vcpus") or 0),
        memory_bytes=int(flavor.get("ram") or 0) * MIB,
        disk_bytes=disk_gib * GIB + int(flavor.get("swap") or 0) * MIB,
        fault_message=str((raw.get("fault") or {}).get("message") or ""),
        created_at=_time(raw.get("created")),
        metadata=_texts(raw.get("metadata")),
        tags=tuple(raw.get("tags") or ()),
        extra_specs=_texts(flavor.get("extra_specs")),
        root_disk_bytes=int(flavor.get("disk") or 0) * GIB,
        image_id=str((raw.get("image") or {}).get("id") or ""),
        # Nova shows "" as the image of a server that boots from a volume
        boots_from_volume=not raw["image"] if "image" in raw else None,
        volumes=tuple(
            str(v.get("id")) for v in raw.get("os-extended-volumes:volumes_attached") or ()
        ),
        zone=str(raw.get("OS-EXT-AZ:availability_zone") or ""),
        host_status=str(raw.get("host_status") or ""),
        pinned_zone=str(raw["pinned_availability_zone"] or "")
        if "pinned_availability_zone" in raw
        else None,
        image_properties=_texts((raw.get("image") or {})["properties"])
        if "properties" in (raw.get("image") or {})
        else None,
    )


def _texts(raw: Any) -> dict[str, str]:
    return {str(k): str(v) for k, v in (raw or {}).items()}


def _server_group(raw: dict[str, Any]) -> ServerGroup:
    return ServerGroup(
        id=str(raw["id"]),
        name=str(raw.get("name") or ""),
        policy=str(raw.get("policy") or ""),
        members=tuple(str(member) for member in raw.get("members") or ()),
        max_per_host=int((raw.get("rules") or {}).get("max_server_per_host") or 1),
        project_id=str(raw.get("project_id") or ""),
    )


def _aggregate(raw: dict[str, Any]) -> Aggregate:
    return Aggregate(
        name=str(raw.get("name") or ""),
        zone=str(raw.get("availability_zone") or ""),
        hosts=tuple(str(host) for host in raw.get("hosts") or ()),
        metadata=_texts(raw.get("metadata")),
    )


def _capacity(summaries: dict[str, Any], hosts: dict[str, str]) -> dict[str, Capacity]:
    """Provider summaries added up by host. A provider that is no hypervisor's is left out."""
    total: dict[str, dict[str, int]] = {}
    used: dict[str, dict[str, int]] = {}
    traits: dict[str, set[str]] = {}
    for uuid, summary in summaries.items():
        host = hosts.get(str(summary.get("root_provider_uuid") or uuid))
        if not host:
            continue
        traits.setdefault(host, set()).update(summary.get("traits") or ())
        for name, amounts in (summary.get("resources") or {}).items():
            for tally, key in ((total, "capacity"), (used, "used")):
                found = tally.setdefault(host, {})
                found[name] = found.get(name, 0) + int(amounts.get(key) or 0)
    return {
        host: Capacity(total.get(host, {}), used.get(host, {}), frozenset(found))
        for host, found in traits.items()
    }


def _version(text: str) -> tuple[int, ...]:
    """A microversion to compare by; what is none is below all."""
    return tuple(int(part) for part in re.findall(r"\d+", text)) or (0,)


def _migration(raw: dict[str, Any]) -> Migration:
    return Migration(
        id=int(raw["id"]),
        uuid=str(raw.get("uuid") or ""),
        server_id=str(raw.get("instance_uuid") or ""),
        status=str(raw.get("status") or ""),
        migration_type=str(raw.get("migration_type") or ""),
        source_compute=str(raw.get("source_compute") or ""),
        dest_compute=str(raw.get("dest_compute") or ""),
        created_at=_time(raw.get("created_at")),
        updated_at=_time(raw.get("updated_at")),
    )


def _bytes(value: Any) -> int | None:
    return None if value is None else int(value)


def _progress(raw: dict[str, Any]) -> Progress:
    return Progress(
        migration_id=int(raw["id"]),
        status=str(raw.get("status") or ""),
        memory_total_bytes=_bytes(raw.get("memory_total_bytes")),
        memory_processed_bytes=_bytes(raw.get("memory_processed_bytes")),
        memory_remaining_bytes=_bytes(raw.get("memory_remaining_bytes")),
        disk_total_bytes=_bytes(raw.get("disk_total_bytes")),
        disk_processed_bytes=_bytes(raw.get("disk_processed_bytes")),
        disk_remaining_bytes=_bytes(raw.get("disk_remaining_bytes")),
        updated_at=_time(raw.get("updated_at")),
    )


def _action(raw: dict[str, Any]) -> Action:
    return Action(
        request_id=str(raw.get("request_id") or ""),
        action=str(raw.get("action") or ""),
        user_id=str(raw.get("user_id") or ""),
        started_at=_time(raw.get("start_time")),
        message=str(raw.get("message") or ""),
    )

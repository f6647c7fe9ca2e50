"""What Placement holds, and of whom."""

import math
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from ..core.facts import Allocation, Capacity, Consumer, Hypervisor
from ..core.message import Message, message
from ..exceptions import CloudAnswerUnusable, CloudNotFound
from .answers import dict_of, json_of, list_of, request_id_of
from .hosts import Hosts
from .http import side_by_side
from .transport import PLACEMENT_MICROVERSION
from .wire import as_capacity, with_memory

#: For so many seconds the list of hypervisors is kept, and for so many where Placement has one
#: that it lacks.
KEPT_SECONDS = 600.0
KEPT_SECONDS_UNKNOWN = 60.0


class Placement(Hosts):
    """What Placement holds of whom."""

    def capacity(self) -> dict[str, Capacity]:
        """What every compute host could take, by host: two requests, side by side (and one more
        for every further 1,000 hypervisors).

        `GET /allocation_candidates` answers with the providers that have room for what is asked
        for, and with all their resources (1.27): asked for one MiB of memory, with those of every
        host that has any left. One that has none is not in the answer. A host of Ironic's is, by
        what Nova says of it, and without anything to take. Nested providers are added
        to their root (1.29), which is the compute node: its UUID is the hypervisor's id.

        Nova's list is by far the dearer one, and tells no more here than which hypervisor is which
        host's: what was read within `KEPT_SECONDS` will do, if it knows all that have room.
        """
        what = message("to_read_capacity")
        answer, hypervisors = side_by_side(
            [
                lambda: self._send(
                    self._placement,
                    what,
                    "GET",
                    "/allocation_candidates?resources=MEMORY_MB:1",
                    microversion=PLACEMENT_MICROVERSION,
                ),
                lambda: self._hypervisors_kept(KEPT_SECONDS),
            ]
        )
        summaries = dict_of(json_of(answer, what), "provider_summaries", what)
        if with_memory(summaries) - {hypervisor.id for hypervisor in hypervisors}:
            hypervisors = self._hypervisors_kept(KEPT_SECONDS_UNKNOWN)
        hosts = {hypervisor.id: hypervisor.host for hypervisor in hypervisors}
        found = as_capacity(summaries, hosts)
        for hypervisor in hypervisors:
            if hypervisor.is_bare_metal:
                found[hypervisor.host] = Capacity(bare_metal=True)
        return found

    def _hypervisors_kept(self, seconds: float) -> list[Hypervisor]:
        """All hypervisors, read within so many seconds; their usage may be outdated."""
        read_at, found = self._kept.get("hypervisors", (-math.inf, []))
        if time.monotonic() - read_at > seconds:
            began = time.monotonic()
            found = self.hypervisors()
            self._kept["hypervisors"] = began, found
        return list(found)

    def allocations_of(self, consumer_id: str) -> Consumer:
        """Everything that a consumer holds. One request; one that Placement does not know holds
        nothing, and that is no error (placement/handlers/allocation.py)."""
        what = message("to_read_allocations", consumer=consumer_id)
        body = self._placed(what, f"/allocations/{quote(consumer_id, safe='')}")
        held = dict_of(body, "allocations", what)
        return Consumer(
            consumer_id,
            str(body.get("project_id") or ""),
            str(body.get("user_id") or ""),
            body.get("consumer_generation"),
            tuple(
                Allocation(
                    consumer_id,
                    str(provider),
                    {str(k): int(v) for k, v in dict_of(one, "resources", what).items()},
                )
                for provider, one in held.items()
            ),
        )

    def set_allocations(self, consumer: Consumer) -> str:
        """Make all that a consumer holds exactly this; the request id. One request.

        Placement takes it only while the consumer is as it was read, by its generation (1.28).

        :raises CloudConflict: it was changed since it was read; nothing was done
        """
        what = message("to_change_allocations", consumer=consumer.consumer_id)
        body = {
            "allocations": {
                a.provider_id: {"resources": dict(a.resources)} for a in consumer.allocations
            },
            "project_id": consumer.project_id,
            "user_id": consumer.user_id,
            "consumer_generation": consumer.generation,
        }
        path = f"/allocations/{quote(consumer.consumer_id, safe='')}"
        return request_id_of(self._write(what, "PUT", path, body, placement=True))

    def providers_of(self, host: str) -> frozenset[str]:
        """The resource providers of exactly this host, nested ones included: those of its
        hypervisors. One request for each, and one or two for the hypervisors."""
        found: set[str] = set()
        for hypervisor in self.hypervisors_of(host):
            if hypervisor.id:
                found.update(self._tree_of(hypervisor.id))
        return frozenset(found)

    def _tree_of(self, provider_id: str) -> list[str]:
        what = message("to_read_allocations_on", provider=provider_id)
        body = self._placed(what, f"/resource_providers?in_tree={quote(provider_id, safe='')}")
        tree = [str(raw.get("uuid") or "") for raw in list_of(body, "resource_providers", what)]
        if provider_id not in tree:
            raise CloudAnswerUnusable(what, message("provider_not_known"))
        return tree

    def allocations_on(self, provider_ids: Iterable[str]) -> list[Allocation]:
        """Every allocation of these resource providers and of all that are nested with them.
        For each: one request, and one more for every provider of its tree.

        The id of a hypervisor (2.53) is the UUID of its provider. A provider that Placement does
        not know is never taken for one without allocations: `in_tree` (1.14) of an unknown one is
        an empty list and no error (placement/objects/resource_provider.py), so that it must be in
        its own tree.

        :raises CloudAnswerUnusable: Placement does not know one of them
        """
        found: list[Allocation] = []
        seen: set[str] = set()
        for provider_id in provider_ids:
            what = message("to_read_allocations_on", provider=provider_id)
            for uuid in self._tree_of(provider_id):
                if uuid in seen:
                    continue
                seen.add(uuid)
                try:
                    body = self._placed(what, f"/resource_providers/{quote(uuid)}/allocations")
                except CloudNotFound as error:
                    raise CloudAnswerUnusable(what, error.detail) from error
                for consumer, held in dict_of(body, "allocations", what).items():
                    resources = {
                        str(k): int(v) for k, v in dict_of(held, "resources", what).items()
                    }
                    found.append(Allocation(str(consumer), uuid, resources))
        return found

    def _placed(self, what: Message, path: str) -> Any:
        answer = self._send(self._placement, what, "GET", path, microversion=PLACEMENT_MICROVERSION)
        return json_of(answer, what)

"""What Placement holds, and of whom."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from ..core.facts import Allocation, Capacity, Consumer, HostFacts, Hypervisor, Inventory
from ..core.message import Message, message
from ..exceptions import CloudAnswerUnusable, CloudError, CloudNotFound
from .answers import dict_of, json_of, list_of, request_id_of
from .hosts import Hosts
from .http import side_by_side
from .transport import PLACEMENT_MICROVERSION
from .wire import as_capacity, as_hosts, as_inventories, as_largest


class Placement(Hosts):
    """What Placement holds of whom."""

    def capacity(self, known: Iterable[Hypervisor] | None = None) -> dict[str, Capacity]:
        """What every compute host could take, by host: one request, beside those of
        :meth:`hypervisors`, or alone where they are known.

        `GET /allocation_candidates` answers with the providers that have room for what is asked
        for, and with all their resources (1.27): asked for one MiB of memory, with those of every
        host that has any left. One that has none is not in the answer. A host of Ironic's is, by
        what Nova says of it, and without anything to take. Nested providers are added
        to their root (1.29), which is the compute node: its UUID is the hypervisor's id.
        """
        hypervisors = self.hypervisors if known is None else lambda: list(known)
        summaries, found = side_by_side([self._summaries, hypervisors])
        return _by_host(summaries, found)

    def hosts_and_capacity(self) -> tuple[list[HostFacts], dict[str, Capacity] | None]:
        """Every compute service with its hypervisor, and what Placement says of each; None where
        it does not answer: two requests, beside those of :meth:`hypervisors`."""
        found = self.try_side_by_side(
            {
                "services": self.services,
                "hypervisors": self.hypervisors,
                "summaries": self._summaries,
            }
        )
        for name in ("services", "hypervisors"):
            if isinstance(found[name], CloudError):
                raise found[name]
        hosts = as_hosts(found["services"], found["hypervisors"])
        if isinstance(found["summaries"], CloudError):
            return hosts, None
        return hosts, _by_host(found["summaries"], found["hypervisors"])

    def _summaries(self) -> dict[str, Any]:
        what = message("to_read_capacity")
        body = self._placed(what, "/allocation_candidates?resources=MEMORY_MB:1")
        return dict_of(body, "provider_summaries", what)

    def inventories_of(self, host: str) -> dict[str, Inventory]:
        """What exactly this host has, by resource class, of the provider that is the compute node
        itself; of several nodes the first. Two requests; one or two of them for the hypervisor."""
        what = message("to_read_capacity")
        for hypervisor in self.hypervisors_of(host)[:1]:
            path = f"/resource_providers/{quote(hypervisor.id, safe='')}/inventories"
            return as_inventories(dict_of(self._placed(what, path), "inventories", what))
        return {}

    def providers(self) -> frozenset[str]:
        """The UUIDs of all resource providers. One request."""
        what = message("to_read_capacity")
        found = list_of(self._placed(what, "/resource_providers"), "resource_providers", what)
        return frozenset(str(raw.get("uuid") or "") for raw in found)

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


def _by_host(summaries: dict[str, Any], hypervisors: Iterable[Hypervisor]) -> dict[str, Capacity]:
    known = list(hypervisors)
    found = as_capacity(summaries, {one.id: one.host for one in known})
    largest = as_largest(known)
    found = {h: replace(one, largest=largest.get(h, {})) for h, one in found.items()}
    return found | {one.host: Capacity(bare_metal=True) for one in known if one.is_bare_metal}

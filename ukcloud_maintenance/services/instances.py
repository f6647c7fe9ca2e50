"""What can be requested for single instances of a drain."""

from collections.abc import Iterable
from dataclasses import dataclass

from .. import store
from ..cloud import Cloud
from ..core import steering
from ..core.actor import RULE_STEER, RULE_VIEW, Actor
from ..core.host.evidence import Evidence
from ..core.message import Message, message
from ..core.states import MigrationState, RequestKind
from ..core.steering import DrainVerb, Verb
from ..exceptions import Refused, StaleState
from ..observe.evidence import inquire
from ..observe.room import is_bare_metal
from ..store import Drain, InstanceMigration
from .access import TRIES, cloud_name, require
from .checks import (
    being_returned,
    check_may_receive,
    destination_away,
    destination_is_bare_metal,
    drain_is_open,
    host_is_destination,
)
from .reports import get_drain
from .steering import refuse_where_not_offered


def evidence(actor: Actor, cloud: Cloud, drain_id: int, row_id: int) -> Evidence:
    """What is known of where the guest of an instance in ERROR runs: read now, five requests.

    :raises Refused: no such drain or instance, or nothing of it is to be reset
    """
    require(actor, RULE_VIEW)
    drain = get_drain(actor, drain_id)
    row = store.migrations(drain).filter(pk=row_id).first()
    if row is None:
        raise Refused(message("unknown_instance", id=row_id, drain=drain_id))
    if not steering.has_evidence(row):
        why = steering.objection(Verb.RESET, row, drain)
        raise Refused(
            message("instance_cannot", name=row.server_name, why=why), code="cannot_reset"
        )
    return inquire(cloud, row)


@dataclass(frozen=True)
class Steered:
    """What became of a request for several instances.

    :param done: those for which it was written down; what Nova makes of it is seen on the page
    :param refused: those for which it was not, and why
    """

    done: tuple[InstanceMigration, ...] = ()
    refused: tuple[tuple[InstanceMigration, Message], ...] = ()


def steer(
    actor: Actor,
    drain_id: int,
    verb: Verb,
    row_ids: Iterable[int],
    *,
    destination: str = "",
    cloud: Cloud | None = None,
) -> Steered:
    """Ask for something for instances of a drain, each by itself: one that is refused does not
    keep the others from it.

    :param row_ids: ids of instance migrations of this drain
    :param destination: for a retry, the host that they are to go to, compared exactly
    :param cloud: to check the destination with; needed where one is named
    :raises Refused: no such drain or instance, or the destination cannot be used; or all were
        refused: with the reason of the first
    """
    rule = steering.RULE_OF[verb]
    require(actor, rule)
    drain = get_drain(actor, drain_id, rule=rule)
    if verb is not Verb.SKIP:  # which asks for nothing of a worker
        cloud_name(drain.region)
    wanted = list(dict.fromkeys(row_ids))
    found = {row.pk: row for row in store.migrations(drain) if row.pk in set(wanted)}
    if missing := [pk for pk in wanted if pk not in found]:
        raise Refused(message("unknown_instance", id=missing[0], drain=drain_id))
    if not wanted:
        raise Refused(message("no_instance_selected"), code="nothing_selected")
    if destination:
        _check_retry_destination(verb, cloud, drain, destination)
    # What is put first keeps its order among those that are put first with it.
    order = reversed(wanted) if verb is Verb.FIRST else wanted
    done, refused = [], []
    for pk in order:
        row = found[pk]
        if why := steer_one(actor, drain, verb, row, destination):
            refused.append((row, why))
        else:
            done.append(row)
    if refused and not done:
        row, why = refused[0]
        raise Refused(
            message("instance_cannot", name=row.server_name, why=why), code=f"cannot_{verb.value}"
        )
    return Steered(tuple(done), tuple(refused))


def retry_failed(actor: Actor, drain_id: int) -> Steered:
    """Try all instances again that failed; a drain that is over continues.

    :raises Refused: nothing failed that can be tried again, or the drain was cancelled
    """
    require(actor, RULE_STEER)
    drain = get_drain(actor, drain_id, rule=RULE_STEER)
    refuse_where_not_offered(DrainVerb.RETRY, drain)
    cloud_name(drain.region)
    failed = [
        row.pk
        for row in store.migrations(drain)
        if row.state == MigrationState.FAILED and not steering.objection(Verb.RETRY, row, drain)
    ]
    if not failed:
        raise Refused(message("nothing_failed", drain=drain_id))
    return steer(actor, drain_id, Verb.RETRY, failed)


def steer_one(
    actor: Actor, drain: Drain, verb: Verb, row: InstanceMigration, destination: str
) -> Message | None:
    """Why it is not done, or None where it is. What a worker or another admin changed meanwhile
    is judged anew."""
    for _ in range(TRIES):
        if why := steering.objection(verb, row, drain):
            return why
        try:
            _ask(actor, drain, verb, row, destination)
            return None
        except store.DrainExists as error:
            return drain_is_open(drain.host, error.drain).said
        except store.BeingReturned as error:
            return being_returned(error.maintenance).said
        except store.DestinationAway as error:
            return destination_away(error).said
        except store.IsDestination as error:
            return host_is_destination(drain.host, error.drain).said
        except store.ReturnedSince:
            return message("given_back_since")
        except StaleState:
            drain.refresh_from_db()
            row.refresh_from_db()
    return message("instance_busy")


def _ask(actor: Actor, drain: Drain, verb: Verb, row: InstanceMigration, destination: str) -> None:
    now = store.now()
    match verb:
        case Verb.ABORT:
            store.make_request(drain, row, RequestKind.ABORT, actor, now)
        case Verb.FORCE:
            store.make_request(drain, row, RequestKind.FORCE, actor, now)
        case Verb.RESET:
            store.make_request(drain, row, RequestKind.RESET, actor, now)
        case Verb.RETRY:
            store.retry_instance(drain, row, actor, now, destination)
        case Verb.SKIP:
            store.skip_instance(drain, row, actor, now)
        case Verb.FIRST:
            store.put_first(drain, row, actor, now)


def _check_retry_destination(
    verb: Verb, cloud: Cloud | None, drain: Drain, destination: str
) -> None:
    if verb is not Verb.RETRY or cloud is None:
        raise Refused(message("destination_not_taken"), field="destination")
    if drain.destination and drain.destination != destination:
        raise Refused(message("destination_is_set", host=drain.destination), field="destination")
    services = cloud.services(destination)
    check_may_receive(services, drain.region, drain.host, destination)
    if is_bare_metal(cloud, destination):
        raise destination_is_bare_metal(destination)

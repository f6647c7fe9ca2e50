"""Giving a host back to service, and bringing its instances back."""

from collections.abc import Mapping
from dataclasses import dataclass

from .. import settings, store
from ..cloud import Cloud
from ..core.actor import RULE_RETURN, RULE_VIEW, Actor
from ..core.facts import Server, Service
from ..core.host import returning as h
from ..core.message import Message, message
from ..core.preflight.judge import group_of, judge
from ..core.preflight.verdicts import Chosen, PlacementContext, Verdict
from ..core.states import ReturnChoice
from ..exceptions import CloudError, Refused, StaleState
from ..observe.views import opt_out_names
from ..store import Drain, HostMaintenance, InstanceMigration
from .access import TRIES, cloud_name, require
from .checks import drain_is_open, find_service
from .requests import check_pace


@dataclass(frozen=True)
class Returnable:
    """An instance that came from the host in this maintenance, and how it could come back.

    :param server: as it is now, and where
    :param verdict: whether and how it can be moved now
    :param row: how it left
    """

    server: Server
    verdict: Verdict
    row: InstanceMigration


@dataclass(frozen=True)
class ReturnPreview:
    """What a return to service would do.

    :param service: as it is now; None: Nova has none of this host
    :param ours: it is disabled, and its reason is exactly the one that we wrote
    :param default: the choice where nobody makes one; None: it is the admin's to make
    :param outlooks: what each choice would do, or why it cannot be made
    :param instances: those that left in this maintenance and could be brought back
    :param moved_since: those of them that somebody else moved from where we had brought them:
        they are left alone, unless that is requested
    :param already_back: how many are on the host again
    :param not_found: how many are no more, or cannot be read
    :param refusal: what stands against a return whatever is chosen, or None
    :param max_concurrent: how many are brought back at once, unless the admin says otherwise
    :param max_concurrent_ceiling: the most that may be requested
    """

    host: str
    maintenance: HostMaintenance
    service: Service | None
    ours: bool
    default: ReturnChoice | None
    outlooks: Mapping[ReturnChoice, h.Outlook]
    instances: tuple[Returnable, ...] = ()
    moved_since: tuple[Returnable, ...] = ()
    already_back: int = 0
    not_found: int = 0
    open_drain: Drain | None = None
    refusal: Refused | None = None
    max_concurrent: int = 1
    max_concurrent_ceiling: int = 1


def return_preview(actor: Actor, cloud: Cloud, host: str) -> ReturnPreview:
    """What a return of this host would do; nothing is changed. One request, and one for each
    instance that left in this maintenance.

    :raises UnknownHost: neither Nova nor a maintenance knows exactly this name
    :raises Refused: the host is not in maintenance
    """
    require(actor, RULE_RETURN)
    maintenance, service = _to_return(cloud, host)
    view = _return_view(maintenance)
    left = store.left_in(maintenance)
    instances, moved_since, back, not_found = _returnable(cloud, host, left)
    open_drain = store.open_drain_of(cloud.region, host)
    refusal = None
    if maintenance.returning_since:
        refusal = _returning_already(maintenance)
    elif open_drain:
        refusal = drain_is_open(host, open_drain)
    return ReturnPreview(
        host=host,
        maintenance=maintenance,
        service=service,
        ours=h.is_ours(service, maintenance.our_reason),
        default=h.default_choice(view, service),
        outlooks=h.outlooks(view, service),
        instances=tuple(instances),
        moved_since=tuple(moved_since),
        already_back=back,
        not_found=not_found,
        open_drain=open_drain,
        refusal=refusal,
        max_concurrent=settings.current().max_concurrent,
        max_concurrent_ceiling=settings.current().max_concurrent_ceiling,
    )


def _to_return(cloud: Cloud, host: str) -> tuple[HostMaintenance, Service | None]:
    service = cloud.service(host)
    maintenance = store.open_maintenance(cloud.region, host)
    if maintenance is None and service is None:
        find_service([], host, cloud.region)
    if maintenance is None:
        raise Refused(message("no_maintenance", host=host), field="host")
    return maintenance, service


def _return_view(maintenance: HostMaintenance) -> h.MaintenanceView:
    return h.MaintenanceView(
        host=maintenance.host,
        found_status=maintenance.found_status,
        found_reason=maintenance.found_reason,
        our_reason=maintenance.our_reason,
    )


def _returnable(
    cloud: Cloud, host: str, left: list[InstanceMigration]
) -> tuple[list[Returnable], list[Returnable], int, int]:
    """The instances that can come back, those of them that somebody else moved since, how many
    are back, and how many cannot be found."""
    rows = {row.server_id: row for row in left}
    servers = cloud.servers_by_id(rows) if rows else {}
    # Wherever a run of ours brought it, a later drain of that host included, it is not somebody
    # else's doing.
    places = {i: row.dest_compute for i, row in store.newest_moves(cloud.region, rows).items()}
    chosen = Chosen(opt_out_names=opt_out_names())
    found: list[Returnable] = []
    moved: list[Returnable] = []
    for server_id, server in servers.items():
        if not server.host or server.host == host:
            continue
        place = places.get(server_id) or rows[server_id].dest_compute
        stands = not place or place == server.host
        one = Returnable(server, judge(server, chosen), rows[server_id])
        (found if stands else moved).append(one)
    for some in (found, moved):
        some.sort(key=lambda r: (-r.server.memory_bytes, r.server.name, r.server.id))
    back = sum(server.host == host for server in servers.values())
    return found, moved, back, len(rows) - len(servers)


def left_alone(actor: Actor, cloud: Cloud, maintenance: HostMaintenance) -> list[Returnable]:
    """The instances that a return does not bring back, because somebody else moved them since.
    One request for each that left in this maintenance."""
    require(actor, RULE_VIEW)
    return _returnable(cloud, maintenance.host, store.left_in(maintenance))[1]


@dataclass(frozen=True)
class ReturnRequest:
    """What an admin asks for.

    :param host: service.host, compared exactly
    :param choice: what becomes of the service; None: what `ReturnPreview.default` says
    :param bring_back: whether the instances that left are brought back afterwards
    :param also_moved: those too that somebody else moved since
    :param max_concurrent: of them at once, or None for the setting's
    """

    host: str
    choice: ReturnChoice | None = None
    bring_back: bool = False
    max_concurrent: int | None = None
    also_moved: bool = False


def return_host(actor: Actor, cloud: Cloud, request: ReturnRequest) -> HostMaintenance:
    """Ask for the return of a host to service; the worker does the rest.

    Whoever asks for the same again gets the same answer.

    :raises Refused: with the reason and what can be done; nothing was changed
    """
    require(actor, RULE_RETURN)
    limit = (
        settings.current().max_concurrent
        if request.max_concurrent is None
        else request.max_concurrent
    )
    check_pace(limit)
    if request.choice is not None and request.choice not in list(ReturnChoice):
        raise Refused(
            message("return_choice_unknown", choice=request.choice, known=list(ReturnChoice)),
            code="choice_unknown",
            field="choice",
        )
    cloud_name(cloud.region)
    for _ in range(TRIES):
        maintenance, service = _to_return(cloud, request.host)
        if maintenance.returning_since:
            return _same_again(actor, cloud, maintenance, request)
        if open_drain := store.open_drain_of(cloud.region, request.host):
            raise drain_is_open(request.host, open_drain)
        if place := store.acted_on(cloud.region, request.host):
            said = message("run_acts_on_host", host=request.host, run=place.run_id)
            raise Refused(said, field="host")
        choice, said = _checked_choice(maintenance, service, request)
        run = None
        if request.bring_back:
            run = _run_of(actor, cloud, maintenance, limit, request.also_moved)
        try:
            store.request_return(
                maintenance,
                choice=choice,
                said=said,
                actor=actor,
                now=store.now(),
                run=run,
            )
            return maintenance
        except store.DrainExists as error:
            raise drain_is_open(request.host, error.drain) from error
        except StaleState:
            continue
    raise Refused(message("maintenance_busy", host=request.host), code="busy")


def _same_again(
    actor: Actor, cloud: Cloud, maintenance: HostMaintenance, request: ReturnRequest
) -> HostMaintenance:
    same = request.choice in (None, maintenance.return_choice)
    if same and request.bring_back and store.return_run(maintenance) is None:
        # there was nothing to bring back
        same = _run_of(actor, cloud, maintenance, 1, request.also_moved) is None
    if not same:
        raise _returning_already(maintenance)
    return maintenance


def _returning_already(maintenance: HostMaintenance) -> Refused:
    return Refused(
        message(
            "returning",
            host=maintenance.host,
            who=maintenance.returned_by,
            what=maintenance.message,
        ),
        field="host",
    )


def _checked_choice(
    maintenance: HostMaintenance, service: Service | None, request: ReturnRequest
) -> tuple[str, Message]:
    """What is chosen, and what it will do."""
    view = _return_view(maintenance)
    # Where it is the admin's to choose, what stands against the usual one says so.
    choice = request.choice or h.default_choice(view, service) or ReturnChoice.OURS
    outlook = h.outlooks(view, service)[ReturnChoice(choice)]
    if not outlook.allowed:
        raise Refused(outlook.message, code=outlook.code, field="choice")
    enabled = service is not None and service.status == "enabled"
    if request.bring_back and choice == ReturnChoice.LEAVE and not enabled:
        raise Refused(message("bring_back_needs_service", host=request.host), field="bring_back")
    return str(choice), outlook.message


def _run_of(
    actor: Actor, cloud: Cloud, maintenance: HostMaintenance, limit: int, also_moved: bool
) -> store.ReturnRun | None:
    """What is brought back; None where there is nothing."""
    instances, moved, _, _ = _returnable(cloud, maintenance.host, store.left_in(maintenance))
    note = None
    if also_moved:
        instances += moved
    elif moved:
        names = [message("moved_to", name=one.server.name, host=one.server.host) for one in moved]
        note = message("left_alone", names=names)
    if not instances:
        return None
    newest = store.drains_in(maintenance).last()
    around = _groups(cloud)
    return store.ReturnRun(
        reason=newest.reason if newest else maintenance.our_reason,
        max_concurrent=limit,
        actor_id=actor.id,
        entries=[
            store.Entry(one.server, one.verdict, group=group_of(one.server, around))
            for one in instances
        ],
        project_names={one.row.project_id: one.row.project_name for one in instances},
        note=note,
    )


def _groups(cloud: Cloud) -> PlacementContext:
    """The server groups; where they cannot be read, what comes back does so without one."""
    try:
        return PlacementContext(groups=tuple(cloud.server_groups()))
    except CloudError:
        return PlacementContext()


def return_run(actor: Actor, maintenance: HostMaintenance) -> Drain | None:
    """The run that brings instances back with the return of this maintenance, or None."""
    require(actor, RULE_VIEW)
    return store.return_run(maintenance)

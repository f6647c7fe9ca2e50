"""Can this instance leave, how, and what stands against it?

Small filters over facts. Each looks at one thing and says nothing, adds a caution, or decides;
the first that decides ends the asking. None does I/O. A filter that needs a fact which is not
known keeps silent: what is not known is said once, beside the plan, not on every instance.

What Nova takes and refuses is read from nova/compute/api.py (`live_migrate`, `resize`) and
nova/conductor/tasks/live_migrate.py of release 34, and tried against a real Nova.

The words for what does not leave:

- **stays**: somebody chose that. It is the admin's choice, the owner's opt-out, or a state that
  its owner put it in and that Nova moves in no way: SUSPENDED, SHELVED, SOFT_DELETED. Nothing
  that we could wait for is on its way.
- **blocked**: it cannot leave now, and either time or somebody's repair frees it: a task under
  way, BUILD, RESCUE, ERROR, VERIFY_RESIZE, no room. It is looked at again while the drain runs.

What an owner may say on a server, as metadata (``name=true`` or ``false``) or as a tag (the bare
name means true; ``name=false`` can be written too):

===========  ===========  ========================================================================
name         value        meaning
===========  ===========  ========================================================================
stay         true         it stays
live, cold   false        it is not migrated in this way; what could leave in no other stays
live, cold   true         its owner agrees to it. What runs is stopped all the same only where
                          the admin chose so; the remedy mentions that the owner agrees.
===========  ===========  ========================================================================

A value that is neither is taken for the owner's no. The admin's own choice for the instance goes
before all of them, and a caution says so.
"""

from dataclasses import replace

from ..facts import POWER_RUNNING, Server
from ..message import message
from . import bindings, surroundings
from .verdicts import (
    Caution,
    Choice,
    Chosen,
    Filter,
    Kind,
    OptOutNames,
    PlacementContext,
    Said,
    Verdict,
    blocked,
    stays,
    way_of,
)

__all__ = [
    "Caution",
    "Choice",
    "Chosen",
    "Kind",
    "OptOutNames",
    "PlacementContext",
    "Verdict",
    "group_of",
    "judge",
]

LIVE_STATUSES = frozenset({"ACTIVE", "PAUSED"})
#: nova/compute/power_state.py
POWER_OFF = {4: "shut down", 6: "crashed", 7: "suspended"}


# -- what was chosen -------------------------------------------------------------------------


def _chosen_to_stay(server: Server, chosen: Chosen, around: PlacementContext) -> Said:
    if chosen.choice is Choice.STAY:
        return stays(message("chosen"))
    return None


def _owner_says_stay(server: Server, chosen: Chosen, around: PlacementContext) -> Said:
    name = chosen.opt_out_names.stay
    if _word(server, name) in (None, "false"):
        return None
    if chosen.choice is not Choice.NONE:
        return Caution("owner_overruled", message("owner_asks_it_stays", name=name))
    return stays(message("owner_stay", name=name))


def _locked(server: Server, chosen: Chosen, around: PlacementContext) -> Said:
    """nova/compute/api.py, `check_instance_lock`: a lock does not bind an admin."""
    if not server.locked:
        return None
    why = server.locked_reason
    if chosen.move_locked or chosen.choice is not Choice.NONE:
        said = message("is_locked", why=why) if why else message("is_locked_without_reason")
        return Caution("locked", said)
    said = message("locked", why=why) if why else message("locked_without_reason")
    return stays(said, "locked")


def _owner_forbids_the_way(server: Server, chosen: Chosen, around: PlacementContext) -> Said:
    names = chosen.opt_out_names
    way = way_of(server, chosen)
    name = names.live if way is Kind.LIVE else names.cold
    if _word(server, name) in (None, "true"):
        return None
    if chosen.choice.value == way.value:
        cold = message("owner_against_cold", name=name)
        live = message("owner_against_live", name=name)
        return Caution("owner_overruled", cold if way is Kind.COLD else live)
    if way is Kind.COLD:
        return stays(message("owner_no_cold", name=name))
    if _word(server, names.cold) == "true":
        return stays(message("owner_no_live_but_cold", name=name), "owner_no_live")
    return stays(message("owner_no_live", name=name))


def _word(server: Server, name: str) -> str | None:
    """What the owner says under a name: true, false, something else, or None for nothing.

    Where several things are said, the one that keeps the instance more counts: other words,
    then the value that is not the bare tag's.
    """
    if not name:
        return None
    words = [server.metadata[name]] if name in server.metadata else []
    for tag in server.tags:
        if tag == name:
            words.append("true")
        elif tag[: len(name) + 1] in (f"{name}=", f"{name}:"):
            words.append(tag[len(name) + 1 :])
    plain = [_boolean(word) for word in words]
    odd = [word for word in plain if word not in ("true", "false")]
    return next(iter([*odd, *(w for w in plain if w == "false"), *plain]), None)


def _boolean(word: str) -> str:
    word = word.strip().lower()
    if word in bindings.TRUE:
        return "true"
    return "false" if word in ("0", "f", "false", "off", "n", "no") else word or "true"


# -- what Nova is doing with it, and its status ----------------------------------------------


def _building(server: Server, chosen: Chosen, around: PlacementContext) -> Said:
    if server.status == "BUILD" or server.vm_state == "building":
        return blocked(message("building"))
    return None


def _task_in_progress(server: Server, chosen: Chosen, around: PlacementContext) -> Said:
    if server.task_state:
        return blocked(message("task_under_way", task=server.task_state))
    return None


_STAYS = {
    "SUSPENDED": message("status_suspended"),
    "SHELVED": message("status_shelved"),
    "SOFT_DELETED": message("status_soft_deleted"),
}
_BLOCKED = {
    "RESCUE": message("status_rescue"),
    "ERROR": message("status_error"),
    "VERIFY_RESIZE": message("status_verify_resize"),
}


def _error_with_a_guest(server: Server, chosen: Chosen, around: PlacementContext) -> Said:
    """Nova's idea of the power state outlives an ERROR (aborts of Nova 33 and 34 end so)."""
    if server.status == "ERROR" and server.power_state == POWER_RUNNING:
        return blocked(message("status_error_guest_runs", host=server.host))
    return None


def _resized(server: Server, chosen: Chosen, around: PlacementContext) -> Said:
    if server.status == "VERIFY_RESIZE" and chosen.choice is Choice.CONFIRM:
        final = Caution("confirm_is_final", message("confirm_is_final"))
        said = message("resize_is_confirmed")
        return Verdict(Kind.CONFIRM, "status_verify_resize", said, (final,))
    return None


def _unmovable(server: Server, chosen: Chosen, around: PlacementContext) -> Said:
    status = server.status
    if status in LIVE_STATUSES or status == "SHUTOFF":
        return None
    if status in _STAYS:
        return stays(_STAYS[status])
    return blocked(
        _BLOCKED.get(status) or message("status_other", status=status),
        f"status_{status.lower()}",
    )


def _cold_while_paused(server: Server, chosen: Chosen, around: PlacementContext) -> Said:
    """compute/api.py, `resize`: ACTIVE and STOPPED only."""
    if server.status == "PAUSED" and chosen.choice is Choice.COLD:
        return blocked(message("cold_while_paused"))
    return None


def _guest_off(server: Server, chosen: Chosen, around: PlacementContext) -> Said:
    """conductor/tasks/live_migrate.py, `_check_instance_is_active`: running or paused only.

    Nova takes the request, and fails it afterwards.
    """
    off = POWER_OFF.get(server.power_state)
    if off and way_of(server, chosen) is Kind.LIVE:
        return blocked(message("guest_off", status=server.status, power=off))
    return None


def _guest_on(server: Server, chosen: Chosen, around: PlacementContext) -> Said:
    """A cold migration would power it off."""
    if server.status == "SHUTOFF" and server.power_state == POWER_RUNNING:
        return blocked(message("guest_on"))
    return None


# -- what the way costs ----------------------------------------------------------------------


def _paused(server: Server, chosen: Chosen, around: PlacementContext) -> Said:
    if server.status == "PAUSED":
        return Caution("paused", message("paused"))
    return None


def _downtime(server: Server, chosen: Chosen, around: PlacementContext) -> Said:
    if server.status == "ACTIVE" and way_of(server, chosen) is Kind.COLD:
        return Caution("downtime", message("downtime"))
    return None


def _choice_without_effect(server: Server, chosen: Chosen, around: PlacementContext) -> Said:
    if chosen.choice is Choice.LIVE and server.status == "SHUTOFF":
        return Caution("choice_without_effect", message("goes_cold"))
    if chosen.choice is Choice.CONFIRM:
        return Caution("choice_without_effect", message("no_resize_to_confirm"))
    return None


#: asked in this order; the first verdict ends it, cautions add up
FILTERS: tuple[Filter, ...] = (
    _chosen_to_stay,
    _owner_says_stay,
    _locked,
    _building,
    _task_in_progress,
    _error_with_a_guest,
    _resized,
    _unmovable,
    _owner_forbids_the_way,
    _cold_while_paused,
    _guest_off,
    _guest_on,
    _paused,
    _downtime,
    _choice_without_effect,
    *bindings.FILTERS,
    *surroundings.FILTERS,
)

NOTHING_AROUND = PlacementContext()
NOTHING_CHOSEN = Chosen()


def judge(
    server: Server, chosen: Chosen = NOTHING_CHOSEN, around: PlacementContext | None = None
) -> Verdict:
    """What will happen to this instance in a drain.

    Without `around` only the server itself is looked at, which is what the worker does before
    every migration; the rest is for Nova to say then.
    """
    cautions: list[Caution] = []
    for examine in FILTERS:
        said = examine(server, chosen, around or NOTHING_AROUND)
        if isinstance(said, Verdict):
            return replace(said, cautions=(*cautions, *said.cautions))
        if said:
            cautions.append(said)
    return Verdict(way_of(server, chosen), cautions=tuple(cautions))


def group_of(server: Server, around: PlacementContext) -> str:
    """The id of its hard anti-affinity group, or empty.

    Members of one must not travel at the same time: the scheduler does not see the destination
    of the one in progress, both may be sent to the same host, and the late check fails one.
    """
    group = around.group(server)
    return group.id if group and group.policy == "anti-affinity" else ""

"""How a plan of a drain is shown in a shell."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ukcloud_maintenance import services
from ukcloud_maintenance.core.message import Message, message
from ukcloud_maintenance.core.preflight.verdicts import Kind
from ukcloud_maintenance.messages import ENGLISH, english, english_remedy
from ukcloud_maintenance.services import HostPreflight, Planned, PlanPreflight

from ._documents import table

GIB = 1024**3
#: how many instances are named that have the same caution
NAMED = 6
#: those that need a look come first
ORDER = {Kind.BLOCKED: 0, Kind.STAYS: 1, Kind.CONFIRM: 2, Kind.COLD: 3, Kind.LIVE: 4}
#: in the words of the pages
SAID = {
    Kind.LIVE: "shell_live",
    Kind.COLD: "shell_cold",
    Kind.CONFIRM: "shell_to_confirm",
    Kind.STAYS: "shell_stay",
    Kind.BLOCKED: "shell_blocked",
}


def plan_text(plan: HostPreflight, columns: int | None = None) -> list[str]:
    """A plan for people, line by line: summary, instances, cautions, hosts before and after.

    :param columns: see `table`
    """
    parts = [[_preflight(plan, alone=True)], *_of_host(plan, columns)]
    parts += [list(_unknown(plan)), list(_relief(plan))]
    if plan.moving and plan.packing:
        parts.append(_places(plan, columns))
    return _paragraphs(parts)


def _paragraphs(parts: Iterable[list[str]]) -> list[str]:
    """Their lines, with an empty one between two of them."""
    lines = [line for part in parts if part for line in ("", *part)]
    return lines[1:]


def plans_text(found: PlanPreflight, hosts_at_once: int, columns: int | None = None) -> list[str]:
    """Several hosts as one plan, line by line: each by itself, then what the whole would do.

    :param found: by `services.check_plan` for the same `hosts_at_once`
    :param hosts_at_once: hosts whose instances move at a time; 0: all
    :param columns: see `table`
    """
    plans = found.hosts
    parts = []
    for plan in plans:
        if plan.refusal:
            why = plan.refusal.said
            parts.append([english(message("shell_refused_now", host=plan.service.host, why=why))])
        parts += [[_preflight(plan, alone=False)], *_of_host(plan, columns)]
    first = plans[0]
    parts += [list(_unknown(first)), list(_relief(first))]
    if any(plan.moving for plan in plans) and first.packing:
        parts.append(_places(first, columns))
    parts.append([_whole(found, hosts_at_once)])
    return _paragraphs(parts)


def _preflight(plan: HostPreflight, *, alone: bool) -> str:
    summary = plan_summary(plan, alone=alone)
    return english(message("shell_preflight", host=plan.service.host, summary=summary))


def _of_host(plan: HostPreflight, columns: int | None) -> Iterator[list[str]]:
    """Its instances, and what is worth knowing of them."""
    if plan.planned:
        yield table(
            ["NAME", "STATUS", "VERDICT", "TO", "REASON", "REMEDY"],
            (
                (
                    p.server.name,
                    p.server.status,
                    p.verdict.kind.value,
                    p.planned_host or "-",
                    english(p.verdict.said, remedy=False) or "-",
                    english_remedy(p.verdict.said) or "-",
                )
                for p in in_order(plan)
            ),
            columns,
        )
    yield list(_cautions(plan))


def _places(plan: HostPreflight, columns: int | None) -> list[str]:
    asked = plan.packing_is_asked_for
    said = message("shell_destinations_requested" if asked else "shell_destinations_possible")
    kept = [english(plan.room_kept)] if plan.room_kept else []
    return [*kept, english(said), *_hosts(plan, columns)]


def pace_of(hosts_at_once: int, hosts: int) -> Message:
    """How many hosts of a plan move their instances at a time."""
    if not 0 < hosts_at_once < hosts:
        return message("pace_all_at_once")
    if hosts_at_once == 1:
        return message("pace_one_by_one")
    return message("pace_at_a_time", n=hosts_at_once)


def _whole(found: PlanPreflight, hosts_at_once: int) -> str:
    """What all of it together does, in one sentence."""
    plans = found.hosts
    counts = {kind: sum(len(plan.of_kind(kind)) for plan in plans) for kind in Kind}
    said = [_counts(counts) or message("shell_none_on_them")]
    if any(plan.moving for plan in plans):
        needed = _gib(sum(plan.needed_memory_bytes for plan in plans))
        said.append(message("shell_needs_of", gib=needed, room=_room(plans[0])))
    if left_over := sum(p.unplaced is not None for plan in plans for p in plan.planned):
        said.append(_no_place(plans[0], left_over))
    if found.duration:
        said.append(message("shell_about", seconds=found.duration.seconds))
    if refused := [plan.service.host for plan in plans if plan.refusal]:
        said.append(message("shell_plan_refused", hosts=refused))
    number, pace = message("n_hosts", count=len(plans)), pace_of(hosts_at_once, len(plans))
    return english(message("shell_whole_plan", hosts=number, pace=pace, parts=said))


def plan_summary(plan: HostPreflight, *, alone: bool = True) -> Message:
    """Counts, memory and time in one sentence, without its full stop.

    :param alone: whether the room is this host's alone
    """
    if not plan.planned:
        return message("shell_none_on_it")
    counts = _counts({kind: len(plan.of_kind(kind)) for kind in Kind})
    said = [counts] if counts else []
    if plan.moving:
        needed = _gib(plan.needed_memory_bytes)
        said.append(
            message("shell_needs_of", gib=needed, room=_room(plan))
            if alone
            else message("shell_needs", gib=needed)
        )
    if left_over := sum(p.unplaced is not None for p in plan.planned):
        said.append(_no_place(plan, left_over))
    if duration := plan.duration:
        source = message("shell_rate_assumed")
        if duration.samples:
            source = message("shell_rate_measured", count=duration.samples)
        said.append(
            message(
                "shell_about_with",
                seconds=duration.seconds,
                n=duration.at_once,
                one_by_one=duration.seconds_one_by_one,
                rate=f"{duration.rate / 1024**2:.0f}",
                source=source,
            )
        )
    return message("shell_summary_of", parts=said)


def _counts(counts: Mapping[Kind, int]) -> Message | None:
    """How many there are of each kind; None where there is none."""
    parts = [message(SAID[kind], count=n) for kind, n in counts.items() if n]
    return message("shell_listed", parts=parts) if parts else None


def _room(plan: HostPreflight) -> Message:
    free, hosts = plan.free_memory_bytes, message("n_hosts", count=len(plan.receivers))
    if free is None:
        return message("shell_room_unknown", hosts=hosts)
    return message("shell_room", gib=_gib(free), hosts=hosts)


def _no_place(plan: HostPreflight, left_over: int) -> Message:
    proved = plan.packing and plan.packing.proved
    return message("shell_no_room" if proved else "shell_perhaps_no_room", n=left_over)


def in_order(plan: HostPreflight) -> list[Planned]:
    return sorted(plan.planned, key=lambda p: (ORDER[p.verdict.kind], _natural(p.server.name)))


def _natural(name: str) -> list[tuple[str, int]]:
    """web-2 before web-10."""
    return [(text, int(n or 0)) for text, n in re.findall(r"(\D*)(\d*)", name)]


def _cautions(plan: HostPreflight) -> Iterator[str]:
    """Each caution once, with the names of those that it is about."""
    names: dict[str, list[str]] = {}
    for planned in in_order(plan):
        for caution in planned.verdict.cautions:
            names.setdefault(english(caution.said), []).append(planned.server.name)
    if names:
        yield english(message("shell_notes"))
    for said, about in names.items():
        shown: Any = about[:NAMED]
        if len(about) > NAMED:
            shown = message("shell_and_more", names=shown, n=len(about) - NAMED)
        yield f"  {english(message('shell_note', names=shown, said=said))}"


def _unknown(plan: HostPreflight) -> Iterator[str]:
    if plan.unknown:
        yield english(message("shell_unknown_parts"))
    for part, why in plan.unknown.items():
        yield f"  {english(services.PARTS[part])}: {english(why)}"


def _relief(plan: HostPreflight) -> Iterator[str]:
    if plan.relief:
        yield english(message("shell_relief"))
    for one in plan.relief:
        yield f"  {english(one)}"


def _hosts(plan: HostPreflight, columns: int | None) -> list[str]:
    packing = plan.packing
    assert packing
    rows = [
        (
            fill.host,
            len(fill.servers),
            *(
                f"{_part(fill.used_before, fill.total, name)} -> "
                f"{_part(fill.used_after, fill.total, name)}"
                for name in ("MEMORY_MB", "VCPU")
            ),
        )
        for fill in packing.hosts
    ]
    rows += [(host, 0, "full", "-") for host in plan.full]
    return table(["HOST", "COME", "MEMORY", "VCPU"], rows, columns)


def _part(used: Any, total: Any, name: str) -> str:
    return f"{100 * used.get(name, 0) / total[name]:.0f}%" if total.get(name) else "-"


def _gib(size: int) -> str:
    return f"{size / GIB:.4g}"


#: seconds as a person says them
duration_text = ENGLISH.duration


def size_text(size: float) -> str:
    """Bytes as a person says them."""
    return f"{_gib(round(size))} GiB" if size >= GIB else f"{size / 1024**2:.0f} MiB"

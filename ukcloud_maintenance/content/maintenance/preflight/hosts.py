"""The hosts of a preflight's estimate, before and after: how full, and who would come."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _

from ukcloud_maintenance.core.preflight.board import HostFill
from ukcloud_maintenance.services import HostPreflight

from ..common import formats, usage
from .words import MIB


@dataclass(frozen=True)
class Fill:
    """A resource of one host before and after."""

    text: str
    before: int
    more: int
    spoken: str


@dataclass(frozen=True)
class HostBar:
    host: str
    come: int
    names: str
    memory: Fill | None
    vcpus: Fill | None


def host_bars(plan: HostPreflight, names: Mapping[str, str]) -> list[HostBar]:
    """The hosts that would receive instances.

    :param names: of the instances, by server id
    """
    receiving = [fill for fill in plan.packing.hosts if fill.servers] if plan.packing else []
    found = [_bar(fill, names) for fill in receiving]
    return sorted(found, key=lambda bar: formats.natural_key(bar.host))


def _bar(fill: HostFill, names: Mapping[str, str]) -> HostBar:
    come = [names.get(server, server) for server in fill.servers]
    return HostBar(
        fill.host,
        len(come),
        formats.abbreviate(sorted(come, key=formats.natural_key)),
        _fill(fill, "MEMORY_MB", lambda n, whole: formats.size(n * MIB, like=whole * MIB)),
        _fill(fill, usage.VCPUS, lambda n, _whole: formats.number(n)),
    )


def _fill(fill: HostFill, name: str, shown: Callable[[int, int], str]) -> Fill | None:
    total = fill.total.get(name, 0)
    if total <= 0:
        return None
    before, after = fill.used_before.get(name, 0), fill.used_after.get(name, 0)
    now, then = (min(100, round(100 * n / total)) for n in (before, after))
    words = {
        "before": shown(before, total).split(" ")[0],
        "after": shown(after, total).split(" ")[0],
        "total": shown(total, total),
    }
    if after == before:
        text = _("%(before)s of %(total)s") % words
        spoken = _("%(now)s%% used, unchanged") % {"now": now}
    else:
        text = _("%(before)s → %(after)s of %(total)s") % words
        spoken = _("%(now)s%% used now, %(then)s%% after") % {"now": now, "then": then}
    return Fill(text, now, max(0, then - now), spoken)

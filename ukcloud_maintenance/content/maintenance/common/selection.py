"""The hosts that a form is about, which it names itself: selected, moved, removed."""

from collections.abc import Callable

from ukcloud_maintenance import services

from .formats import natural_key


def selected(request, what: str, sets: Callable[[], services.HostSets]) -> list[str]:
    """The hosts by name, each once.

    :param what: which button was pressed
    :param sets: the hosts by zone and aggregate, for who has no script
    """
    if request.method == "POST":
        names = list(dict.fromkeys(request.POST.getlist("host")))
        verb, _colon, host = what.partition(":")
        return _changed(names, verb, host)
    names = sorted(request.GET.getlist("host"), key=natural_key)
    return list(dict.fromkeys(names + _of_set(request.GET.get("set", ""), sets)))


def _of_set(chosen: str, sets: Callable[[], services.HostSets]) -> list[str]:
    """The hosts of zone:name or aggregate:name."""
    if not chosen:
        return []
    kind, _colon, name = chosen.partition(":")
    found = sets()
    by_name = {"zone": found.zones, "aggregate": found.aggregates}.get(kind, {})
    return sorted(by_name.get(name, ()), key=natural_key)


def _changed(hosts: list[str], what: str, host: str) -> list[str]:
    """The hosts after a button of the form: one removed, or one place up or down."""
    if host not in hosts:
        return hosts
    place = hosts.index(host)
    rest = [name for name in hosts if name != host]
    if what == "remove":
        return rest
    if what in ("up", "down"):
        rest.insert(max(0, place + (-1 if what == "up" else 1)), host)
        return rest
    return hosts

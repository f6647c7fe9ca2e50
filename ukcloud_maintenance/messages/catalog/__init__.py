"""All templates, by code; a module for each room that says them."""

from collections import ChainMap
from collections.abc import Mapping
from itertools import combinations

from ..template import Template
from . import (
    actions,
    affected,
    allocations,
    certificate,
    cloud,
    commands,
    common,
    drain,
    emptiness,
    evidence,
    instances,
    monitoring,
    notices,
    preflight,
    returning,
    runs,
    runs_domains,
    runs_windows,
    services,
    shell,
    status,
    worker,
)

_ROOMS = (
    *(common, preflight, drain, instances, emptiness, certificate, returning, evidence),
    *(allocations, services, shell, commands, status, cloud, worker, actions),
    *(runs, runs_windows, runs_domains, notices, monitoring, affected),
)

TEMPLATES: Mapping[str, Template] = ChainMap({}, *(dict(room.TEMPLATES) for room in _ROOMS))

for _one, _other in combinations(_ROOMS, 2):
    if _twice := _one.TEMPLATES.keys() & _other.TEMPLATES.keys():
        raise RuntimeError(f"templates of one code in two places: {sorted(_twice)}")

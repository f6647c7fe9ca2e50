"""Whether a document is as its shape says, at each level."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import ukcloud_maintenance
from ukcloud_maintenance.core.shape import BY_NAME, EACH, FREE, ONE, Printed, Shape

_TIME = re.compile(r"\d{4}-\d\d-\d\dT")
_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

PACKAGE = Path(ukcloud_maintenance.__file__).parent


class Seen:
    """What was found of the shapes in documents that were made: their keys; of those with
    something below them, only where there was something."""

    def __init__(self) -> None:
        self.keys: dict[Shape, set[str]] = defaultdict(set)

    def misfits(self, shape: Shape, found: Any, where: str = "") -> Iterator[str]:
        """What is otherwise in a document than its shape says."""
        where = where or shape.title
        if not isinstance(found, dict):
            yield f"{where} is no object"
            return
        yield from (f"{where}: {name} is not explained" for name in found.keys() - shape.known)
        yield from (f"{where}: {name} is missing" for name in shape.required - found.keys())
        for row in shape.rows:
            for name in (one for one in row if one in found):
                is_of_message = name.endswith("_values") and name not in row.names
                objects = list(_objects(found[name]))
                if row.form in (EACH, BY_NAME, ONE) and row.inner is not None:
                    inner = _below(row.form, found[name])
                    for one in inner:
                        yield from self.misfits(row.inner, one, f"{where}.{name}")
                    if not inner:
                        continue
                elif objects and row.form != FREE and not is_of_message:
                    yield f"{where}: what is in {name} is not explained"
                elif not is_of_message and _is_odd_time(found[name]):
                    yield f"{where}: {name} is no time in UTC to the millisecond: {found[name]}"
                self.keys[shape].add(name)

    def never_made(self, shape: Shape) -> set[str]:
        return shape.known - self.keys[shape]


def _objects(value: Any) -> Iterator[dict]:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, dict):
            yield one


def _is_odd_time(value: Any) -> bool:
    return isinstance(value, str) and bool(_TIME.match(value)) and not _UTC.fullmatch(value)


def _below(form: str, value: Any) -> list[Any]:
    if value is None:
        return []
    if form == EACH:  # anything but a list is no object of it either
        return value if isinstance(value, list) else [None]
    return list(value.values()) if form == BY_NAME and isinstance(value, dict) else [value]


def printed_as(prints: Sequence[Printed], found: Any, seen: Seen) -> list[str]:
    """Nothing, if it is one of the documents that a command says that it prints; otherwise what
    is wrong with it."""
    problems: list[str] = []
    for one in prints:
        if one.many != isinstance(found, list):
            continue
        trial, every = Seen(), found if one.many else [found]
        wrong = [problem for each in every for problem in trial.misfits(one.shape, each)]
        if not wrong:
            for shape, names in trial.keys.items():
                seen.keys[shape] |= names
            return []
        problems += wrong
    return problems or ["nothing of this kind is printed"]


def every_shape() -> set[Shape]:
    """Those of the product."""
    found: set[Shape] = set()
    for file in sorted(PACKAGE.rglob("*.py")):
        if " = Shape(" in file.read_text():
            name = ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts)
            found |= {one for one in vars(import_module(name)).values() if isinstance(one, Shape)}
    return found

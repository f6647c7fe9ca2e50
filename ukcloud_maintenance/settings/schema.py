"""What a setting may be, what is wrong with a dict of them, and the table of the docs.

A setting is a field of a frozen dataclass, made by :func:`setting`; its key in the dict is the
field's name in capitals.
"""

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from functools import cache
from inspect import get_annotations
from typing import Any, TypeVar, get_origin

T = TypeVar("T")

#: What is taken for a field of a type.
_TAKEN: dict[type, tuple[type, ...]] = {
    int: (int,),
    float: (int, float),
    str: (str,),
    bool: (bool,),
    Mapping: (dict,),
    Sequence: (list, tuple),
}


class Wrong(ValueError):
    """What is wrong with the parts of a value.

    :param found: sentences without their subject; each begins with the keys that lead to the
        part, or with a blank
    """

    def __init__(self, found: list[str]):
        super().__init__(*found)
        self.found = found


def setting(
    default: Any,
    unit: str,
    explanation: str,
    minimum: float | None = None,
    maximum: float | None = None,
    *,
    choices: tuple[str, ...] = (),
    parse: Callable[[Any], Any] | None = None,
    check: Callable[[Any], str] | None = None,
) -> Any:
    """A field of the settings.

    :param unit: in what it is counted, or what it names
    :param explanation: whole sentences, for the docs and the system checks
    :param minimum: inclusive, for numbers; as is `maximum`
    :param parse: makes the field's value of a dict, or raises :class:`Wrong`; nothing of what is
        wrong is quoted but by it
    :param check: what is wrong with a value, or empty: the only check that is made then. The value
        may have secrets in it, which nothing shows
    """
    kept = {
        "unit": unit,
        "help": explanation,
        "minimum": minimum,
        "maximum": maximum,
        "choices": choices,
        "parse": parse,
        "check": check,
    }
    if parse is not None:
        given = {"given": default, **kept}
        return field(default_factory=lambda: parse(default), metadata=given)
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=kept)
    return field(default=default, metadata=kept, repr=check is None)


@dataclass(frozen=True)
class Setting:
    """One key of the dict. `minimum` and `maximum` are inclusive, for numbers."""

    name: str
    types: tuple[type, ...]
    default: Any
    unit: str
    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    parse: Callable[[Any], Any] | None = None
    check: Callable[[Any], str] | None = None

    def problem(self, value: Any) -> str:
        """Why `value` cannot be used, or empty."""
        return next(self.problems(value), "").strip().removesuffix(".")

    def problems(self, value: Any) -> Iterator[str]:
        """All that is wrong with `value`: sentences that go behind its key."""
        if self.parse is None:
            if problem := self._problem(value):
                yield f" {problem}."
        elif not isinstance(value, self.types):
            yield f" must be dict, not {type(value).__name__}."
        else:
            try:
                self.parse(value)
            except Wrong as wrong:
                yield from wrong.found

    def read(self, value: Any) -> Any:
        """A value without problems as the field has it."""
        if self.parse is not None:
            return self.parse(value)
        return float(value) if float in self.types else value

    def _problem(self, value: Any) -> str:
        if self.check is not None:
            return self.check(value)
        if isinstance(value, bool) and bool in self.types:
            return ""
        if isinstance(value, bool) or not isinstance(value, self.types):
            names = " or ".join(t.__name__ for t in self.types)
            return f"must be {names}, not {type(value).__name__} ({value!r})"
        if self.choices and value not in self.choices:
            return f"must be one of {', '.join(self.choices)}, not {value!r}"
        if isinstance(value, dict):
            if all(isinstance(text, str) for item in value.items() for text in item):
                return ""
            return f"must map text to text, not {value!r}"
        if not isinstance(value, int | float):
            return ""
        # `not >=` rather than `<`, which lets NaN pass
        if self.minimum is not None and not value >= self.minimum:
            return f"must be at least {self.minimum}, not {value!r}"
        if self.maximum is not None and value > self.maximum:
            return f"must be at most {self.maximum}, not {value!r}"
        return ""


@cache
def settings_of(schema: type) -> tuple[Setting, ...]:
    """The keys of a dataclass of settings, in its order; behind its own those that it inherits."""
    own = get_annotations(schema)
    return tuple(_setting(one) for one in sorted(fields(schema), key=lambda f: f.name not in own))


def _setting(one: "Field[Any]") -> Setting:
    kept = dict(one.metadata)
    if "given" in kept:
        return Setting(one.name.upper(), (dict,), kept.pop("given"), **kept)
    kind: Any = get_origin(one.type) or one.type
    default = one.default if one.default_factory is MISSING else one.default_factory()
    return Setting(one.name.upper(), _TAKEN[kind], default, **kept)


def read(schema: type[T], given: Mapping[Any, Any]) -> T:
    """The settings that a dict gives, defaults for what it leaves out. Other keys do not count:
    they are for :func:`problems` to name.

    :raises ValueError: a value is wrong; its text begins with the key
    """
    values = {}
    known: type = schema  # mypy takes `type[T]` for something that no cache can keep
    for one in settings_of(known):
        value = given.get(one.name, one.default)
        for problem in one.problems(value):
            raise ValueError(f"[{one.name!r}]{problem}")
        values[one.name.lower()] = one.read(value)
    return schema(**values)


def problems(
    schema: type, given: Mapping[Any, Any], removed: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """What is wrong with a dict: (problem, remedy) pairs; a problem begins with the key.

    :param removed: keys that once were settings: :func:`leftovers` names those
    """
    known = {one.name: one for one in settings_of(schema)}
    for key, value in given.items():
        one = known.get(key) if isinstance(key, str) else None
        if one is not None:
            for problem in one.problems(value):
                yield f"[{key!r}]{problem}", f"{one.help} Unit: {one.unit}."
        elif key not in removed:
            near = difflib.get_close_matches(str(key), known, n=1)
            remedy = f"Did you mean {near[0]!r}?" if near else f"Known are: {', '.join(known)}."
            yield f"[{key!r}] is not a known setting.", remedy


def leftovers(given: Mapping[Any, Any], removed: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The keys of a dict that once were settings: (problem, remedy) pairs."""
    for key in given:
        if isinstance(key, str) and key in removed:
            yield f"[{key!r}] is no longer a setting and has no effect.", removed[key]


def table(schema: type) -> str:
    """The table of the docs for a dataclass of settings, in Markdown."""
    lines = ["| key | default | unit | what it is |", "|---|---|---|---|"]
    for one in settings_of(schema):
        default = f"`{one.default!r}`" if one.default not in ("", {}, ()) else ""
        lines.append(f"| `{one.name}` | {default} | {one.unit} | {one.help} |")
    return "\n".join(lines) + "\n"

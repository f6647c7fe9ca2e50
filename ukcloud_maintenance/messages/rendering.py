"""Messages as text, in the active language."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from string import Formatter
from typing import Any, Protocol

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext, ngettext, override

from ..core.backports import UTC
from ..core.message import TEXT, Message, as_json
from .catalog import TEMPLATES

#: What stands between the parts of a list.
_BETWEEN = {"clauses": "; ", "sentences": " "}


class Formats(Protocol):
    """How an edge writes numbers and times."""

    def duration(self, seconds: float) -> str: ...
    def time(self, at: datetime) -> str: ...
    def size(self, size: float) -> str: ...
    def percent(self, share: float) -> str: ...


def to_the_second(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


class Plain:
    """For programs, files and shells: ISO 8601 in UTC, binary units, no locale."""

    def duration(self, seconds: float) -> str:
        if seconds < 90:
            return f"{max(round(seconds), 1)} s"
        minutes = round(seconds / 60)
        return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"

    def time(self, at: datetime) -> str:
        return str(to_the_second(at))

    def size(self, size: float) -> str:
        if size < 1024**3:
            return f"{size / 1024**2:.0f} MiB"
        return f"{size / 1024**3:.1f}".removesuffix(".0") + " GiB"

    def percent(self, share: float) -> str:
        return f"{share:.0%}"


ENGLISH = Plain()


def render(one: Message, formats: Formats = ENGLISH, *, remedy: bool = True) -> str:
    """A message as text.

    What has no template, because a newer release wrote it, is shown by its code and values: a
    message is never lost, and never raises.

    :param remedy: whether what can be done about it is said as well
    """
    template = TEMPLATES.get(one.code)
    if template is None:
        return _bare(one)
    if one.code == TEXT:
        return str(one.values["text"])  # to the letter, blanks at its ends too
    said = gettext(template.text)
    if template.plural:
        said = ngettext(template.text, template.plural, _number(one.values.get("count")))
    if remedy and template.remedy:
        said += f" {gettext(template.remedy)}"
    return _fill(said, one, formats)


def remedy_of(one: Message, formats: Formats = ENGLISH) -> str:
    """What can be done about it, or empty."""
    template = TEMPLATES.get(one.code)
    return _fill(gettext(template.remedy), one, formats) if template and template.remedy else ""


def english(one: Message | None, *, remedy: bool = True) -> str:
    """A message as programs, files and shells show it, whatever language is active; empty for
    none."""
    with override(None, deactivate=True):
        return render(one, remedy=remedy) if one is not None else ""


def document(name: str, one: Message | None, none: str | None = "") -> dict[str, Any]:
    """A message in a document for programs: its text in English under a name, and beside it its
    code and values; where there is none, `none` and null."""
    stored = as_json(one) if one is not None else {"code": None, "values": None}
    return {
        name: english(one) if one is not None else none,
        f"{name}_code": stored["code"],
        f"{name}_values": stored["values"],
    }


def documents(name: str, several: Iterable[Message]) -> dict[str, list[Any]]:
    """The same of several: a list of each."""
    found = [document(name, one) for one in several]
    return {key: [one[key] for one in found] for key in document(name, None)}


def english_remedy(one: Message | None) -> str:
    """What can be done about it, in the same way."""
    with override(None, deactivate=True):
        return remedy_of(one) if one is not None else ""


def _fill(template: str, one: Message, formats: Formats) -> str:
    parts = []
    for literal, name, spec, _conversion in Formatter().parse(template):
        parts.append(literal)
        if name is not None:
            if name not in one.values:
                return _bare(one)
            written = _written(one.values[name], spec or "", formats)
            if not written and parts[-1].endswith(" "):
                parts[-1] = parts[-1][:-1]  # no two blanks where there is nothing to say
            parts.append(written)
    return "".join(parts).strip()


def _written(value: Any, spec: str, formats: Formats) -> str:
    """A value as text. One of another kind than its place is for is written as it is."""
    if isinstance(value, Message):
        said = render(value, formats)
        return said.rstrip(".") if spec == "inline" else said
    if isinstance(value, Sequence) and not isinstance(value, str):
        inner = "inline" if spec == "clauses" else ""
        several = [_written(each, inner, formats) for each in value]
        if spec == "lines":
            return "".join(f"\n{' '.join(line.split())}" for line in several)
        return _BETWEEN.get(spec, ", ").join(filter(None, several))
    if value is None:
        return ""
    if spec == "word":
        return gettext(str(value)) if value else ""
    if spec == "time":
        at = _moment(value)
        return formats.time(at) if at else str(value)
    if spec in ("duration", "size", "rate", "percent") and isinstance(value, int | float):
        if spec == "rate":
            return f"{formats.size(value)}/s"
        return str(getattr(formats, spec)(value))
    return str(value)


def _moment(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value
    try:
        return parse_datetime(value)
    except (TypeError, ValueError):
        return None


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _bare(one: Message) -> str:
    values = "; ".join(f"{name}: {_written(v, '', ENGLISH)}" for name, v in _sorted(one.values))
    return f"{one.code} ({values})" if values else one.code


def _sorted(values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return sorted(values.items())

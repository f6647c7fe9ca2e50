"""The reference of JSON, made of the shapes of the documents; see `readme`."""

from collections.abc import Iterator
from importlib import import_module

from tests import readme
from ukcloud_maintenance.actions import webhook
from ukcloud_maintenance.core.record import export as of_drain
from ukcloud_maintenance.core.run import export as of_run
from ukcloud_maintenance.core.shape import BY_NAME, EACH, Keys, Printed, Shape
from ukcloud_maintenance.management.commands import (
    _base,
    _preflights,
    _run_documents,
    _steering,
    drain_export,
    host_allocations,
    host_return,
    maintenance_check,
    maintenance_clear,
    maintenance_notify,
)
from ukcloud_maintenance.management.commands._base import ShellCommand
from ukcloud_maintenance.notify import letter
from ukcloud_maintenance.services import AFFECTED, CERTIFICATE

#: The documents, in the order of their sections.
DOCUMENTS = (
    _base.ERROR,
    of_drain.DRAIN,
    of_drain.FILE,
    drain_export.WRITTEN,
    _preflights.PREFLIGHT,
    _steering.PLAN,
    _steering.STEERED,
    CERTIFICATE,
    host_return.RETURN,
    host_allocations.CONSUMER,
    of_run.RUN,
    of_run.FILE,
    _run_documents.WRITTEN,
    _run_documents.BRIEF,
    _run_documents.OUTPUT,
    _run_documents.PREVIEW,
    AFFECTED,
    maintenance_clear.CLEARED,
    maintenance_check.HEALTH,
    maintenance_check.UNKNOWN,
    maintenance_notify.RECEIVERS,
    maintenance_notify.TESTS,
    letter.NOTICE,
    webhook.SENT,
)


def sources() -> str:
    """A table of the documents, and who gets each."""
    lines = ["| document | where it comes from |", "|---|---|"]
    for shape in DOCUMENTS:
        whence = ", ".join([*_commands_of(shape), *filter(None, [shape.elsewhere])])
        lines.append(f"| {_link(shape)} | {whence} |")
    return "\n".join(lines) + "\n"


def documents() -> str:
    """A section for each document, with the objects in it that have none yet."""
    lines: list[str] = []
    for shape in DOCUMENTS:
        lines += [f"## {shape.title}", "", *_table(shape)]
        for inner in parts_of(shape):
            lines += [f"### {inner.title}", "", *_table(inner)]
    return "\n".join(lines)


def parts_of(document: Shape) -> list[Shape]:
    """The objects in a document that are shown in its section: those that are no documents
    themselves, and in no document before."""
    before = DOCUMENTS[: DOCUMENTS.index(document)]
    shown = {*DOCUMENTS, *(inner for other in before for inner in _below(other))}
    return [one for one in dict.fromkeys(_below(document)) if one not in shown]


def shown() -> set[Shape]:
    """Whatever is explained, at whatever level."""
    found, new = set(), list(DOCUMENTS)
    while new:
        shape = new.pop()
        found.add(shape)
        new += [row.inner for row in shape.rows if row.inner is not None]
    return found


def of_command(name: str, verb: str = "") -> list[str]:
    """What a command, or a sub-command of it, prints as JSON, with links."""
    command, said = command_of(name), []
    for one in command.prints:
        arguments = one.arguments
        if verb:
            of_verb, _, arguments = arguments.partition(" ")
            if of_verb != verb:
                continue
        said.append(f"{_typed(arguments)}{_what(one)}")
    if not said:
        return []
    error = _link(command.prints_error, readme.JSON.name)
    return [f"JSON: {'; '.join([*said, f'or {error}'])}.", ""]


def _typed(arguments: str) -> str:
    return f"`{arguments}`: " if arguments else ""


def _what(one: Printed) -> str:
    return f"{_link(one.shape, readme.JSON.name)}{' (a list of them)' if one.many else ''}"


def command_of(name: str) -> ShellCommand:
    return import_module(f"ukcloud_maintenance.management.commands.{name}").Command()


def _below(shape: Shape) -> Iterator[Shape]:
    """The objects in one, at each level, but for those that are explained on the spot."""
    for row in shape.rows:
        if row.inner is not None and not _is_short(row.inner):
            yield row.inner
            yield from _below(row.inner)


def _is_short(shape: Shape) -> bool:
    return len(shape.rows) == 1 and shape.rows[0].inner is None and shape not in DOCUMENTS


def _link(shape: Shape, page: str = "") -> str:
    anchor = shape.title.lower().replace(" ", "-")
    title = shape.title[0].lower() + shape.title[1:]
    return f"[{title}]({page}#{anchor})"


def _commands_of(shape: Shape) -> Iterator[str]:
    of_error = []
    for name in readme.command_names():
        command = command_of(name)
        for one in getattr(command, "prints", ()):
            if one.shape is shape:
                typed = " ".join(filter(None, [name, one.arguments]))
                yield f"`{typed}`{' (a list of them)' if one.many else ''}"
        if getattr(command, "prints_error", None) is shape:
            of_error.append(name)
    if len(of_error) > 1:
        yield "each command with `--json`, but for `maintenance_check`"
    elif of_error:
        yield f"`{of_error[0]}`"


def _table(shape: Shape) -> list[str]:
    about = [f"{shape.about}.", ""] if shape.about else []
    lines = [f"| {_names(row)} | {_meaning(row)} |" for row in shape.rows]
    return [*about, "| key | meaning |", "|---|---|", *lines, ""]


def _names(row: Keys) -> str:
    names = [f"`{name}`" for name in row.names]
    return ", ".join([*names, *(f"`{name}` (`…_code`, `…_values`)" for name in row.said)])


#: What is below a key, besides an object.
_FORMS = {EACH: "a list; each: ", BY_NAME: "by name; each: "}


def _meaning(row: Keys) -> str:
    if row.inner is None:
        return row.meaning
    form = _FORMS.get(row.form, "")
    if not _is_short(row.inner):
        return f"{row.meaning} ({form}{_link(row.inner)})"
    [only] = row.inner.rows
    return f"{row.meaning} ({form}{_names(only)}: {only.meaning})"

"""Who is affected, as files: for programs, for spreadsheets, and as a text for customers.

Times are ISO 8601 in UTC, durations seconds; what is not known is null, in CSV empty. The text is
in the language that is active; it names neither hosts nor drains.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from django.utils.translation import override

from ..core.affected import Part
from ..core.backports import UTC
from ..core.message import Message, message
from ..core.printable import cell, printable
from ..core.record.export import CONTENT_TYPES, CSV, JSON, as_json
from ..core.shape import Shape, iso, keys
from ..messages import document, documents, english, render
from ..messages.rendering import Plain
from .affected import Affected, AffectedProject
from .affected_moves import AHEAD, AffectedInstance

__all__ = ["COLUMNS", "CSV", "FORMS", "JSON", "TEXT", "TYPES", "file_name", "rendered"]

TEXT = "text"
FORMS = (CSV, JSON, TEXT)
TYPES = {**CONTENT_TYPES, TEXT: "text/plain; charset=utf-8"}
_SUFFIXES = {CSV: "csv", JSON: "json", TEXT: "txt"}

SCHEMA = "ukcloud_maintenance.affected"
SCHEMA_VERSION = 1
INSTANCE = Shape(
    "A move of an instance",
    keys("server_id server_name", "which instance"),
    keys("host drain_id", "the host that it leaves, and the drain; null: there is none yet"),
    keys("state method", "how far it is in the drain, and how it is moved"),
    keys("part", "`to_move`, `moving`, `moved`, `not_moved`, `unknown`"),
    keys(
        "expected_begin_at expected_likely_at expected_end_at",
        "when it is expected to move: at the earliest, the likely end, at the latest",
    ),
    keys(
        "expected_begin_seconds expected_end_seconds",
        "the same without a drain or a run, from the start of the drain of its host",
    ),
    keys("moved_at dest_compute", "when it was seen to have moved, and where to"),
    keys(
        "move moves",
        "which of its moves this is (null: it is none), and how many are known: an instance is"
        " listed once for each",
    ),
    keys("may_move_again", "of a run: further moves may come that are still unknown"),
    keys(
        "interruption",
        "`none`; `moment`: live; `paused`: by a force complete; `off`: cold-migrated while it ran;"
        " `unknown`; and what is said of that to its owner",
        said="message",
    ),
    keys("interrupted_seconds_at_most", "for how long at most; null: unknown"),
)
PROJECT = Shape(
    "A project",
    keys("project_id project_name", "which it is"),
    keys("emails", "of its users; null: unknown; empty: there are none"),
    keys("instances", "the moves of its instances", each=INSTANCE),
)
AFFECTED = Shape(
    "Who is affected",
    keys("schema", f"`{SCHEMA}`"),
    keys("schema_version", f"`{SCHEMA_VERSION}`"),
    keys("exported_at", "when it was written"),
    keys("region plan_id run_id drain_ids hosts", "of what"),
    keys("", "lists: what could not be read, for example the addresses", said="problems"),
    keys("projects", "each project, by name", each=PROJECT),
    elsewhere="**JSON** on the page **Who Is Affected**",
)

#: The columns of the CSV, in their order.
COLUMNS = (
    *("project_id", "project_name", "emails", "region", "host", "drain_id"),
    *("server_id", "server_name", "state", "method", "part"),
    *("expected_begin_at", "expected_likely_at", "expected_end_at"),
    *("expected_begin_seconds", "expected_end_seconds", "moved_at", "dest_compute"),
    *("move", "moves", "may_move_again"),
    *("interruption", "interrupted_seconds_at_most", "message"),
)


def rendered(found: Affected, form: str) -> str:
    """Who is affected, as the text of a file.

    :param form: one of :data:`FORMS`
    """
    return {CSV: _csv, JSON: lambda found: as_json(affected_document(found)), TEXT: _text}[form](
        found
    )


def file_name(found: Affected, form: str) -> str:
    """A name that every file system takes, e.g. affected-plan-3.csv."""
    if found.plan_id is not None:
        what = f"plan-{found.plan_id}"
    elif found.run_id is not None:
        what = f"run-{found.run_id}"
    else:
        what = f"drain-{found.drains[0].pk}" if found.drains else "hosts"
    return f"affected-{what}.{_SUFFIXES[form]}"


def affected_document(found: Affected) -> dict[str, Any]:
    """Who is affected, for programs."""
    return AFFECTED.made(
        schema=SCHEMA,
        schema_version=SCHEMA_VERSION,
        exported_at=iso(found.now),
        region=found.region,
        plan_id=found.plan_id,
        run_id=found.run_id,
        drain_ids=[drain.pk for drain in found.drains],
        hosts=[*dict.fromkeys([*(drain.host for drain in found.drains), *found.hosts])],
        **documents("problems", found.problems),
        projects=[
            PROJECT.made(
                project_id=project.id or None,
                project_name=project.name or None,
                emails=list(project.emails) if project.emails is not None else None,
                instances=[_of_instance(one) for one in project.instances],
            )
            for project in found.projects
        ],
    )


def _of_instance(one: AffectedInstance) -> dict[str, Any]:
    after = one.after_start if one.after_start and one.after_start.is_known else None
    at_most = one.effect.at_most
    return INSTANCE.made(
        server_id=one.server_id,
        server_name=one.server_name,
        host=one.host,
        drain_id=one.drain.pk if one.drain else None,
        state=one.state or None,
        method=str(one.method) or None,
        part=one.effect.part.value,
        expected_begin_at=iso(one.begins_at),
        expected_likely_at=iso(one.likely_at),
        expected_end_at=iso(one.ends_at),
        expected_begin_seconds=round(after.begins) if after else None,
        expected_end_seconds=round(after.ends) if after else None,
        moved_at=iso(one.moved_at),
        dest_compute=one.dest_compute or None,
        move=one.move or None,
        moves=one.moves,
        may_move_again=one.may_move_again,
        interruption=one.effect.interruption.value,
        interrupted_seconds_at_most=round(at_most, 1) if at_most is not None else None,
        **document("message", one.effect.said),
    )


def _csv(found: Affected) -> str:
    """One line an instance; cells are made fit for terminals and spreadsheets."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for project in found.projects:
        shared = {
            "project_id": project.id,
            "project_name": project.name,
            "emails": " ".join(project.emails or ()),
            "region": found.region,
        }
        for one in project.instances:
            values = _of_instance(one) | shared
            writer.writerow([cell(values[name]) for name in COLUMNS])
    return out.getvalue()


# -- the text for customers --------------------------------------------------------------------


class _Letter(Plain):
    """For people of whom nobody knows the time zone."""

    def time(self, at: datetime) -> str:
        return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


_LETTER = _Letter()
#: The parts of a letter, in their order.
_PARTS = {
    Part.MOVING: "affected_heading_moving",
    Part.TO_MOVE: "affected_heading_to_move",
    Part.MOVED: "affected_heading_moved",
    Part.NOT_MOVED: "affected_heading_not_moved",
    Part.UNKNOWN: "affected_heading_unknown",
}
_RULE = "-" * 72


def letters(found: Affected) -> list[list[str]]:
    """A letter for each project, line by line, in the language that is active."""
    return [list(_letter(project)) for project in found.projects if project.instances]


def _text(found: Affected) -> str:
    # what could not be read is for who sends them
    lines = [f"# {english(one)}" for one in found.problems]
    for letter in letters(found):
        lines += [_RULE, *letter] if lines else letter
    return "".join(f"{printable(line)}\n" for line in lines)


def _letter(project: AffectedProject) -> Iterator[str]:
    def said(code: str, **values: object) -> str:
        return render(message(code, **values), _LETTER)

    emails = project.emails
    yield said("affected_to", emails=", ".join(emails)) if emails else said("affected_to_nobody")
    yield said("affected_subject", project=project.name or project.id or "?")
    yield ""
    ahead = [one for one in project.instances if one.effect.part in AHEAD]
    yield said("affected_before" if ahead else "affected_after")
    if ahead:
        yield said("affected_slower")
        yield said("affected_estimates")
    if any(one.may_move_again for one in project.instances):
        yield said("affected_again")
    for part, heading in _PARTS.items():
        if of_part := [one for one in project.instances if one.effect.part is part]:
            yield ""
            yield said(heading)
            yield from _listed(of_part)


def _listed(instances: Iterable[AffectedInstance]) -> Iterator[str]:
    def said(one: Message | None) -> str:
        return render(one, _LETTER) if one is not None else ""

    for one in instances:
        # one line each, whatever an instance is called
        told = " ".join(filter(None, [said(one.when), said(one.effect.said)]))
        yield f"- {printable(one.server_name or one.server_id)} ({one.server_id}): {told}"


def affected_text(found: Affected, form: str) -> str:
    """:func:`rendered` for a shell: in English, whatever language is active."""
    with override(None, deactivate=True):
        return rendered(found, form)


def affected_problems(found: Affected) -> list[str]:
    """What could not be read, in English."""
    return [english(one) for one in found.problems]

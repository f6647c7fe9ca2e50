"""The table of a drain's instances: the same rows for the first page and for every update."""

from collections.abc import Callable
from dataclasses import dataclass

from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from ukcloud_maintenance.core.copying.fraction import of_pass
from ukcloud_maintenance.core.drain import needs
from ukcloud_maintenance.core.states import (
    MIGRATION_IN_PROGRESS,
    Method,
    MigrationState,
)
from ukcloud_maintenance.services import DrainReport
from ukcloud_maintenance.store import InstanceMigration

from ..common import formats, labels
from ..common.addresses import PANEL, of_host
from ..common.elements import elapsed
from ..common.formats import NOTHING
from . import course
from . import labels as instance_labels
from .offers import Offers

#: longer messages are folded; less so where they tell a person what to do
MESSAGE_SHOWN = 70
STEP_SHOWN = 500
NEEDS_A_PERSON = (MigrationState.BLOCKED, MigrationState.FAILED, MigrationState.UNKNOWN)


@dataclass(frozen=True)
class Field:
    """One column of the progress table.

    :param cell: its HTML
    :param key: what it is sorted by, where that is not its text
    """

    slug: str
    title: str
    cell: Callable[[InstanceMigration, DrainReport], SafeString | str]
    key: Callable[[InstanceMigration], str | float] | None = None


def _name(row: InstanceMigration, report: DrainReport) -> SafeString:
    return format_html(
        '<a href="{}" title="{}">{}</a><button type="button" class="mnt-copy"'
        ' data-copy="{}" title="{}" aria-label="{}"><span class="fa fa-copy"'
        ' aria-hidden="true"></span></button>',
        reverse("horizon:admin:instances:detail", args=[row.server_id]),
        row.server_name or row.server_id,
        row.server_name or row.server_id,
        row.server_id,
        _("Copy the ID %(id)s") % {"id": row.server_id},
        _("Copy the ID of %(name)s") % {"name": row.server_name or row.server_id},
    )


def _state(row: InstanceMigration, report: DrainReport) -> SafeString:
    late = instance_labels.late(row, report.now)
    return format_html(
        "{}{}{}", instance_labels.state(row).html, instance_labels.method_mark(row), late
    )


#: what a person wants to see first
_STATE_ORDER = {
    state: place
    for place, state in enumerate(
        (
            MigrationState.UNKNOWN,
            MigrationState.FAILED,
            MigrationState.BLOCKED,
            MigrationState.CONFIRMING,
            MigrationState.MIGRATING,
            MigrationState.SUBMITTED,
            MigrationState.PENDING,
            MigrationState.STAYS,
            MigrationState.SKIPPED,
            MigrationState.CANCELLED,
            MigrationState.GONE,
            MigrationState.SUCCEEDED,
        )
    )
}


def _fraction(row: InstanceMigration) -> float:
    if row.state == MigrationState.SUCCEEDED:
        return 1
    if row.state not in MIGRATION_IN_PROGRESS:
        return 0
    return min(1.0, max(0.0, row.attempt.fraction or 0))


def _memory_copied(row: InstanceMigration, report: DrainReport) -> SafeString | str:
    if row.method not in ("", Method.LIVE):
        return NOTHING  # what is shut off has no memory to be copied
    if row.state == MigrationState.SUCCEEDED and row.started_at:
        percent, text = 100, ""
    elif row.state in MIGRATION_IN_PROGRESS:
        # Never full before it has arrived: memory that the guest writes is copied again.
        percent, text = min(99, int(100 * (of_pass(row.attempt) or 0))), _bytes(row)
    else:
        return NOTHING
    kind = "success" if percent == 100 else "primary"
    return format_html(
        '<div class="mnt-copied"><div class="progress mnt-small"><div class="progress-bar'
        ' progress-bar-{} mnt-w-{}" role="progressbar" aria-label="{}" aria-valuemin="0"'
        ' aria-valuemax="100" aria-valuenow="{}"></div></div>{}</div><small>{}</small>{}',
        kind,
        percent,
        _("Memory copied of %(name)s") % {"name": row.server_name},
        percent,
        course.sparkline(row),
        text,
        course.verdict(row),
    )


def _bytes(row: InstanceMigration) -> str:
    """1.2 of 4 GiB · 230 MiB/s; disk where only disk is copied so far."""
    total, remaining = row.attempt.memory_total_bytes, row.attempt.memory_remaining_bytes
    what = "%(size)s"
    if row.attempt.pass_bytes and course.remaining(row) is not None:
        total, remaining = row.attempt.pass_bytes, course.remaining(row)
        what = _("rewritten data: %(size)s")
    if not total and row.attempt.disk_total_bytes:
        total, remaining = row.attempt.disk_total_bytes, row.attempt.disk_remaining_bytes
        what = _("disk %(size)s")
    if not total or remaining is None:
        return ""
    said = what % {"size": formats.size_of(max(0, total - remaining), total)}
    speed = "" if needs.is_aborting(row) else formats.rate(row.attempt.rate_bytes)
    return f"{said} · {speed}" if speed else said


def _attempts(row: InstanceMigration, report: DrainReport) -> str:
    return formats.number(row.attempts) if row.attempts else NOTHING


def _said(row: InstanceMigration, report: DrainReport, offers: Offers) -> SafeString | str:
    """Nova's words or ours, and the admin's own; long ones folded, but never the one safe step
    that a person is to take."""
    text = labels.said(row.message)
    shown = STEP_SHOWN if row.state in NEEDS_A_PERSON else MESSAGE_SHOWN
    message: SafeString | str = text
    if len(text) > shown:
        message = format_html(
            '<details class="mnt-fold"><summary><span>{}</span></summary>{}</details>',
            formats.cut(text, shown),
            text,
        )
    lines = [
        *instance_labels.steered(row, report.now),
        course.times_out(row, report),
        _tried(row, report),
    ]
    asked = format_html_join(
        "", '<div class="mnt-asked">{}</div>', ((line,) for line in lines if line)
    )
    return format_html(
        "{}{}{}{}{}",
        message,
        asked,
        course.advice(row),
        _evidence(row, report, offers),
        instance_labels.chosen(row),
    )


def _evidence(row: InstanceMigration, report: DrainReport, offers: Offers) -> SafeString | str:
    """Where to look before anything is done about a server in ERROR."""
    if "reset" not in offers.of_row(row, report):
        return ""
    return format_html(
        '<div><a class="ajax-modal mnt-look" href="{}?row={}">{}\N{HORIZONTAL ELLIPSIS}</a></div>',
        reverse(f"{PANEL}:instances_reset", args=[report.drain.pk]),
        str(row.pk),
        _("View Evidence"),
    )


def _host(name: str, report: DrainReport) -> SafeString | str:
    if not name:
        return NOTHING
    try:
        address = of_host("host", name, report.drain.region)
    except NoReverseMatch:  # whatever Nova named is no name of a host
        return name
    return format_html('<a href="{}">{}</a>', address, name)


def _source(row: InstanceMigration) -> str:
    return row.source_compute


def _dest(row: InstanceMigration) -> str:
    return row.dest_compute


def _duration(row: InstanceMigration, report: DrainReport) -> SafeString | str:
    """How long this attempt takes, ticking; or took, with when it ended."""
    begun, ended = row.attempt.submitted_at, row.attempt.ended_at
    if begun is None:
        return NOTHING
    if row.state in MIGRATION_IN_PROGRESS:
        return elapsed(begun, None, report.now)
    if ended is None:
        return NOTHING
    return format_html(
        '<span title="{}">{}</span>',
        _("finished %(time)s") % {"time": formats.zoned_time(ended)},
        formats.duration(ended - begun),
    )


def _seconds(row: InstanceMigration) -> float:
    """What that is sorted by: what is in progress comes last, the longest first."""
    begun, ended = row.attempt.submitted_at, row.attempt.ended_at
    if begun is None:
        return 0
    if row.state in MIGRATION_IN_PROGRESS or ended is None:
        return 1e10 - begun.timestamp()
    return (ended - begun).total_seconds()


def _tried(row: InstanceMigration, report: DrainReport) -> str:
    """The hosts that it was to go to so far, where it has not left."""
    hosts = report.tried.get(row.pk, ())
    if not hosts:
        return ""
    return _("Tried: %(hosts)s.") % {"hosts": ", ".join(hosts)}


def _time_key(value) -> float:
    return value.timestamp() if value else 0


def fields(offers: Offers) -> list[Field]:
    """:param offers: what this actor may ask for"""
    return [
        Field("name", _("Instance"), _name, lambda r: r.server_name),
        Field("project", _("Project"), lambda r, _r: r.project_name or r.project_id),
        Field(
            "memory",
            _("Memory"),
            lambda r, _r: formats.size(r.memory_bytes),
            lambda r: r.memory_bytes,
        ),
        Field("state", _("State"), _state, lambda r: _STATE_ORDER[MigrationState(r.state)]),
        Field("nova", _("Nova status"), lambda r, _r: r.attempt.nova_status or NOTHING),
        Field("copied", _("Memory copied"), _memory_copied, _fraction),
        Field("source", _("Source"), lambda r, p: _host(r.source_compute, p), _source),
        Field("dest", _("Destination"), lambda r, p: _host(r.dest_compute, p), _dest),
        Field("attempts", _("Attempts"), _attempts, lambda r: r.attempts),
        Field(
            "started",
            _("Started"),
            lambda r, report: formats.when(r.attempt.submitted_at, report.now, seconds=True),
            lambda r: _time_key(r.attempt.submitted_at),
        ),
        Field("duration", _("Duration"), _duration, _seconds),
        Field("message", _("Message"), lambda r, report: _said(r, report, offers)),
    ]


@dataclass(frozen=True)
class Cell:
    slug: str
    html: SafeString
    key: str | float | None


@dataclass(frozen=True)
class ProgressRow:
    """One instance: its cells in the order of the columns.

    :param place: in the order of the table; where two have the same, the smaller id comes first
    :param verbs: what can be requested for it now, see `verbs`
    """

    id: int
    place: int
    name: str
    state: str
    verbs: list[str]
    cells: list[Cell]

    @property
    def verb_words(self) -> str:
        return " ".join(self.verbs)

    def as_json(self) -> dict:
        return {
            "id": self.id,
            "place": self.place,
            "name": self.name,
            "state": self.state,
            "verbs": self.verbs,
            "cells": [[cell.html, cell.key] for cell in self.cells],
        }


def rows(report: DrainReport, offers: Offers) -> list[ProgressRow]:
    """Those that are new to whoever has seen an earlier revision; all of them to others."""
    columns = fields(offers)
    return [
        ProgressRow(
            row.pk,
            row.position,
            row.server_name or row.server_id,
            row.state,
            offers.of_row(row, report),
            [
                Cell(
                    column.slug,
                    formats.as_html(column.cell(row, report)),
                    column.key(row) if column.key else None,
                )
                for column in columns
            ],
        )
        for row in report.news
    ]


def verbs(report: DrainReport, offers: Offers) -> dict[int, list[str]]:
    """What can be requested for each instance now, by its row's id."""
    return {row.pk: offers.of_row(row, report) for row in report.migrations}


def state_choices(report: DrainReport) -> list[tuple[str, str]]:
    """The states that the rows can be filtered by."""
    return [(state.value, labels.migration_state(state).text) for state in _STATE_ORDER]

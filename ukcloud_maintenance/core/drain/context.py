"""A pass: its inputs, its actions so far, and the rows as those actions change them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields as dataclass_fields
from dataclasses import replace
from datetime import datetime
from typing import Any

from ..attempt import ATTEMPT_FIELDS, AttemptView, RequestView, ends_requests
from ..copying.patience import bytes_to_copy, late_after_seconds
from ..facts import Server
from ..message import Message, message
from ..preflight.judge import judge
from ..preflight.verdicts import Choice, Chosen, Verdict
from ..states import (
    Direction,
    DrainState,
    MigrationState,
    RequestKind,
    RequestOrigin,
    RequestState,
)
from . import whereabouts
from .actions import Action, ChangeRow, MakeRequest
from .inputs import DrainView, Limits, Observation, Row


class Pass:
    """One call of :func:`decide`: the inputs, and the actions and row states as they grow."""

    def __init__(
        self,
        drain: DrainView,
        rows: Sequence[Row],
        seen: Observation,
        limits: Limits,
        now: datetime,
    ):
        self.drain = drain
        self.before = rows
        self.rows = {row.id: row for row in rows}
        self.seen = seen
        self.limits = limits
        self.now = now
        self.back = drain.direction == Direction.BACK
        self.actions: list[Action] = []
        #: the instances whose places would have to be known for them to start, by server id
        self.places_wanted: list[str] = []
        #: host by server id, once worked out: see `placing`
        self.places: Mapping[str, str] | None = None

    def source(self, row: Row) -> str:
        return row.source_compute or self.drain.host

    def place(self, row: Row) -> Message:
        """The source as it is called: on a drain's page it is the page's own host."""
        if self.back:
            return message("host_named", host=row.source_compute)
        return message("this_host")

    def change(
        self,
        row: Row,
        fields: Mapping[str, Any],
        kind: str = "",
        said: Message | None = None,
        *,
        ask_why: bool = False,
        request: Mapping[str, Any] | None = None,
    ) -> None:
        """Change a row, for the rest of this pass too; nothing that is as it was is written.

        :param fields: of the instance, or of its newest attempt
        :param request: fields of what is requested for it and not carried out yet
        """
        before = self.rows[row.id]
        changed = {k: v for k, v in fields.items() if _value(before, k) != v}
        if not changed and not kind and not request:
            return
        if request and before.requests.open:
            request = {"id": before.requests.open.id, **request}
        self.actions.append(ChangeRow(row.id, changed, kind, said, ask_why, request or {}))
        self.rows[row.id] = changed_row(before, changed, request or {})

    def count_who_left(self) -> None:
        """Those that this pass saw finish no longer count in what others leave to this drain."""
        counted = (MigrationState.SUBMITTED, MigrationState.MIGRATING)
        for row in self.before:
            if row.state in counted and self.rows[row.id].state not in counted:
                admission = self.seen.admission.with_more(-1, row.dest_compute)
                self.seen = replace(self.seen, admission=admission)

    def is_submitted(self, row: Row, host: str) -> None:
        """One more is in progress, for the rest of this pass.

        :param host: where it goes; empty: the scheduler chooses
        """
        self.rows[row.id] = replace(
            row,
            state=MigrationState.SUBMITTED,
            attempt=AttemptView(row.attempt.number, submitted_at=self.now),
        )
        admission = self.seen.admission.with_more(1, host)
        self.seen = replace(self.seen, admission=admission)

    def make_request(self, row: Row, kind: RequestKind, origin: RequestOrigin) -> None:
        """The drain requests something for a migration that Nova has."""
        migration_id = row.attempt.nova_migration_id
        made = RequestView(kind, origin, requested_at=self.now, nova_migration_id=migration_id)
        self.actions.append(MakeRequest(row.id, made))
        requests = self.rows[row.id].requests.with_new(made)
        self.rows[row.id] = replace(self.rows[row.id], requests=requests)

    def judge(self, server: Server, row: Row | None = None) -> Verdict:
        return judge(
            server,
            Chosen(
                choice=Choice(row.choice) if row else Choice.NONE,
                move_locked=self.drain.move_locked,
                opt_out_names=self.limits.opt_out_names,
            ),
            self.seen.around,
        )

    def since(self, moment: datetime | None) -> float:
        return (self.now - moment).total_seconds() if moment else 0.0

    def rows_in(self, states: Collection[MigrationState]) -> list[Row]:
        return [row for row in self.rows.values() if row.state in states]

    def settled(self, row: Row, seconds: float | None = None) -> bool:
        """Whether a doubtful sight has stood long enough; it begins to be timed when first seen."""
        wait = self.limits.settle_seconds if seconds is None else seconds
        if row.anomaly_since is None:
            self.change(row, {"anomaly_since": self.now})
            return wait == 0
        return self.since(row.anomaly_since) >= wait

    def named(self, row: Row) -> str:
        """The one host that an admin named for it, or for all, or empty."""
        return row.destination or self.drain.destination

    def may_retry(self) -> bool:
        return self.drain.state != DrainState.CANCELLING

    def look_on_both(self, row: Row) -> Message:
        """What a person is to do before anything else is done with the server."""
        return whereabouts.look_on_both(row.server_id, self.source(row), row.dest_compute)

    def patience(self, row: Row) -> float:
        """Seconds that Nova may take for a step of which nothing is seen."""
        return late_after_seconds(bytes_to_copy(row), self.limits)


def changed_row(row: Row, fields: Mapping[str, Any], request: Mapping[str, Any]) -> Row:
    """A row as it is after a change of it, its newest attempt and its open request."""
    old, new = row.state, str(fields.get("state", row.state))
    own = {k: v for k, v in fields.items() if k in _ROW_FIELDS}
    attempt = replace(row.attempt, **{k: v for k, v in fields.items() if k in ATTEMPT_FIELDS})
    requests = row.requests.with_open(**request)
    if ends_requests(old, new):
        requests = requests.with_open(state=RequestState.LAPSED)
    return replace(row, **own, attempt=attempt, requests=requests)


def _value(row: Row, name: str) -> Any:
    return getattr(row.attempt if name in ATTEMPT_FIELDS else row, name, _UNSET)


_ROW_FIELDS = frozenset(f.name for f in dataclass_fields(Row)) - {"attempt", "requests"}
_UNSET = object()

"""What becomes of an instance after a change was requested from Nova.

The worker records what it is about to ask for, asks, and hands in what came of it. Nothing here
reads or writes: each function takes the row as it is and answers with the fields to set.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from ..attempt import RequestView
from ..facts import Migration, Server
from ..message import Message, message, several
from ..states import MigrationState, RequestKind, RequestOrigin, RequestState
from .actions import ChangeRow
from .attempts import failed_attempt
from .causes import cause_of
from .inputs import Limits, Row
from .placing import fallen_back, falls_back
from .requests import ASK_AGAIN_TIMES

#: How what was requested for one instance is recorded: Nova's no, and no answer.
_KINDS = {
    RequestKind.ABORT: ("abort_refused", "abort_unanswered"),
    RequestKind.FORCE: ("force_refused", "force_unanswered"),
    RequestKind.RESET: ("reset_refused", "reset_unanswered"),
}

#: By these Nova may mean the host that it was asked for (api/openstack/compute/migrate_server.py).
_OF_THE_HOST = (400, 404)


@dataclass(frozen=True)
class Answer:
    """An answer to a request that is not the one that was hoped for, or that did not come.

    :param said: what went wrong, and which setting is to be changed
    :param words: the reason in Nova's own words; what went wrong where there are none
    :param request_id: Nova's, or empty
    :param status: the HTTP status; 0 where there was no answer
    :param retry_after: for how many seconds OpenStack asks to be left alone; None: it doesn't
    :param refuses: Nova says no: nothing was begun
    :param not_begun: nothing was begun for certain, for a reason that says nothing of the request
        itself: it was not sent, the token was refused, or Nova is busy
    """

    said: Message
    words: str | Message
    request_id: str = ""
    status: int = 0
    retry_after: float | None = None
    refuses: bool = False
    not_begun: bool = False

    @property
    def is_busy(self) -> bool:
        return self.retry_after is not None


@dataclass(frozen=True)
class Consequence:
    """What becomes of a row.

    :param fields: of the instance or of its newest attempt, `state` among them or not; empty: it
        stays as it is
    :param kind: what happened, in one word for the event and for the log; empty: nothing that is
        worth either
    :param said: of the event
    :param request_id: of the event
    :param detail: what the log says, where that is not said
    :param is_recorded: whether there is an event; else the log alone has it
    :param is_setback: whether it went otherwise than hoped for
    :param is_trouble: it is the drain's trouble rather than the row's, and ends the pass
    :param request: fields of what was requested for it and is not carried out yet
    """

    fields: Mapping[str, Any] = field(default_factory=dict)
    kind: str = ""
    said: Message | None = None
    request_id: str = ""
    detail: Message | None = None
    is_recorded: bool = True
    is_setback: bool = True
    is_trouble: bool = False
    request: Mapping[str, Any] = field(default_factory=dict)


# -- a migration is requested --------------------------------------------------------------------


def not_readable(row: Row, answer: Answer, limits: Limits, now: datetime) -> Consequence:
    """What Nova does not tell of this one server must not hold up the others. It counts as
    an attempt, so that it ends."""
    if answer.is_busy:
        return Consequence(is_trouble=True)  # it is busy, whatever it is asked
    tried = replace(row, attempts=row.attempts + 1)
    fields = failed_attempt(tried, answer.said, "not_readable", limits, now)
    return Consequence(
        {"attempts": tried.attempts, **fields}, _kind(fields), answer.said, answer.request_id
    )


def submit_failed(
    row: Row,
    answer: Answer,
    limits: Limits,
    now: datetime,
    *,
    patience_seconds: float,
    retry: bool,
    named: str = "",
) -> Consequence:
    """What becomes of a row whose migration was requested in vain: back in the line where it was
    not begun, a failed attempt where Nova said no, and looked for where that is not known.

    :param patience_seconds: for how long what was not begun counts as no attempt: for as long as
        an OpenStack that fails is waited for
    :param retry: whether a refused one may be tried again
    :param named: the host that an admin named for it, or for all, or empty
    """
    since = row.put_off_since
    may_put_off = since is None or now - since < timedelta(seconds=patience_seconds)
    if answer.not_begun and may_put_off:
        # Back in the line: it was not sent, the token was refused, or Nova was busy.
        said = message("put_off", why=answer.said)
        fields: dict[str, Any] = {
            "state": MigrationState.PENDING,
            "extra_attempts": row.extra_attempts + 1,  # it was no attempt
            "message": said,
            "submitted_at": None,
            "put_off_since": since or now,
            "not_before": now + timedelta(seconds=answer.retry_after or 0),
        }
        return Consequence(
            fields,
            "put_off",
            said,
            answer.request_id,
            detail=answer.said,
            is_recorded=since is None,  # what repeats itself is recorded once
            is_trouble=True,
        )
    if answer.refuses:
        said = message("nova_refused", words=answer.words)
        if retry and answer.status in _OF_THE_HOST and falls_back(row, named):
            said = several(message("host_refused", host=row.attempt.asked_host), said)
            fields = {**fallen_back(row, said), "request_id": answer.request_id}
            return Consequence(fields, "host_refused", said, answer.request_id)
        fields = failed_attempt(row, said, f"refused_{answer.status}", limits, now, retry=retry)
        fields["request_id"] = answer.request_id
        return Consequence(fields, _kind(fields), said, answer.request_id)
    # Whether Nova has it is not known; the row stays submitted, and is looked for. Where Nova
    # was busy, it counts as no attempt if it turns out that nothing was begun.
    fields = {"message": message("answer_lost", what=answer.said)}
    waits = answer.is_busy and may_put_off
    if waits:
        fields |= {"extra_attempts": row.extra_attempts + 1, "put_off_since": since or now}
    return Consequence(
        fields,
        "answer_lost",
        request_id=answer.request_id,
        detail=answer.said,
        is_recorded=False,
        is_trouble=waits,
    )


def submitted(host: str, request_id: str) -> Consequence:
    """Nova took it.

    :param host: the destination, or empty for the scheduler's choice
    """
    fields = {
        "state": MigrationState.MIGRATING,
        "request_id": request_id,
        "put_off_since": None,
    }
    said = message("moves_to", host=host) if host else message("moves_anywhere")
    return Consequence(fields, "submitted", said, request_id, is_setback=False)


# -- a resize is confirmed -----------------------------------------------------------------------


def to_confirm(row: Row, records: Iterable[Migration]) -> int | Consequence | None:
    """The id of the resize that is to be confirmed, or what becomes of the row instead; None
    where none is left: it was settled meanwhile, and the next pass sees how.

    Another resize of the server than the one that the row is about is somebody else's, and
    confirming cannot be taken back.
    """
    newest = max((m.id for m in records if m.status == "finished"), default=None)
    known = row.attempt.nova_migration_id
    if newest is None or known is None or newest == known:
        return newest
    said = message("resized_again")
    fields = {"state": MigrationState.FAILED, "code": said.code, "message": said}
    return Consequence(fields, "failed", said)


def confirm_taken(request_id: str) -> Consequence:
    """Nova took that a resize is confirmed."""
    fields = {"request_id": request_id}
    return Consequence(fields, "confirm_asked", request_id=request_id, is_setback=False)


def confirm_failed(row: Row, answer: Answer) -> Consequence:
    """It is requested again; a request that was not begun does not count as a try."""
    if answer.not_begun:
        fields = {"confirms": row.attempt.confirms - 1, "message": answer.said}
        return Consequence(fields, is_trouble=True)
    fields = {"message": answer.said, "request_id": answer.request_id}
    return Consequence(
        fields,
        "confirm_refused",
        request_id=answer.request_id,
        detail=answer.said,
        is_recorded=False,
    )


# -- what was requested for one instance ---------------------------------------------------------


def asking(request: RequestView, migration_id: int | None, now: datetime) -> dict[str, Any]:
    """What is recorded of a request before Nova is asked.

    :param migration_id: what Nova is asked about; it may not have been known when it was requested
    """
    about = request.nova_migration_id if migration_id is None else migration_id
    return {"tries": request.tries + 1, "tried_at": now, "nova_migration_id": about}


def request_taken(kind: str, request_id: str, now: datetime) -> Consequence:
    """Nova took an abort, or that a migration is forced."""
    return Consequence(
        kind="aborting" if kind == RequestKind.ABORT else "forced",
        request_id=request_id,
        is_setback=False,
        request={**_closed(RequestState.TAKEN, request_id), "taken_at": now, "answer": None},
    )


def request_failed(request: RequestView, answer: Answer) -> Consequence:
    """The request stays open, and does not count as a try, if Nova has not judged it; it is closed
    if Nova refused it, and sent again if the answer was lost. The abort of a cancelled drain is
    also sent again after a refusal, at intervals and a limited number of times: Nova may accept it
    in the next status."""
    if answer.not_begun:
        return Consequence(request={"tries": request.tries - 1}, is_trouble=True)
    refused, unanswered = _KINDS[RequestKind(request.kind)]
    if answer.refuses:
        stands = request.kind == RequestKind.ABORT and request.origin == RequestOrigin.CANCEL
        over = {} if stands else _closed(RequestState.REFUSED, answer.request_id)
        said = _refusal(request.kind, answer)
        return _answered(request, over, refused, said, answer.request_id)
    if request.kind != RequestKind.RESET:
        return _answered(request, {}, unanswered, answer.said, answer.request_id)
    if request.tries >= ASK_AGAIN_TIMES:
        return not_reset(request, answer.said, answer.request_id)
    return Consequence(
        kind=unanswered, request_id=answer.request_id, detail=answer.said, is_recorded=False
    )


def _closed(state: RequestState, request_id: str) -> dict[str, Any]:
    return {"state": state, "request_id": request_id}


def _refusal(kind: str, answer: Answer) -> Message:
    if kind == RequestKind.ABORT:
        return message("abort_refused", words=answer.words)
    if kind == RequestKind.FORCE:
        return message("force_refused", words=answer.words)
    return message("reset_refused", words=answer.words)


def _answered(
    request: RequestView, fields: Mapping[str, Any], kind: str, said: Message, request_id: str
) -> Consequence:
    """What Nova said; the same twice is recorded once."""
    if request.answer == said:
        return Consequence(request=fields)
    changed = {**fields, "answer": said}
    return Consequence(kind=kind, said=said, request_id=request_id, request=changed)


def is_reset(row: Row, server: Server | None) -> bool:
    """Whether a server is active by a reset whose answer got lost."""
    request = row.requests.open
    return (
        request is not None
        and request.tries > 0
        and server is not None
        and server.status == "ACTIVE"
        and server.host == row.source_compute
    )


def was_reset(row: Row, request: RequestView, request_id: str, now: datetime) -> Consequence:
    """Nova has set the server to active."""
    said = message("reset", who=request.requested_by, host=row.source_compute)
    fields = {
        "state": MigrationState.FAILED,
        "code": "reset",
        "message": said,
        "server_status": "ACTIVE",
    }
    taken = {**_closed(RequestState.TAKEN, request_id), "taken_at": now, "answer": None}
    return Consequence(fields, "reset", said, request_id, request=taken)


def not_reset(request: RequestView, why: Message, request_id: str = "") -> Consequence:
    """It is not reset, and that is over."""
    over = _closed(RequestState.REFUSED, request_id)
    return _answered(request, over, "reset_refused", message("not_reset", why=why), request_id)


# -- what Nova says of a failure -----------------------------------------------------------------


def with_reason(row: Row, action: ChangeRow, words: str) -> ChangeRow:
    """What was decided of a row, with Nova's own words about the attempt that failed.

    :param words: to the letter, or empty
    """
    if not words:
        return action
    reason = message("nova_says", words=words, request_id=row.attempt.request_id)
    said = several(action.message, reason)
    own = several(action.fields.get("message", action.message), reason)
    fields = {**action.fields, "message": own}
    # Read here and nowhere else: what is decided later goes by the cause, not by words.
    if (cause := cause_of(words)) and row.dest_compute:
        fields["unfit_hosts"] = {**row.unfit_hosts, row.dest_compute: cause}
    return replace(action, fields=fields, message=said)


def _kind(fields: Mapping[str, Any]) -> str:
    return "failed" if fields["state"] == MigrationState.FAILED else "attempt_failed"

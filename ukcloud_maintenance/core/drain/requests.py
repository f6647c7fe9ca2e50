"""Abort, force complete and reset as requested, and the deadline of a cancel."""

from .. import steering
from ..attempt import RequestView
from ..codes import LEFT_IN_PROGRESS, SOURCE_DOWN
from ..copying.patience import bytes_to_copy, late_after_seconds
from ..facts import NOVA_STATUS_WAITING
from ..message import Message, message, several
from ..states import (
    ABORTABLE,
    MIGRATION_IN_PROGRESS,
    MigrationState,
    RequestKind,
    RequestOrigin,
    RequestState,
)
from .actions import Abort, ForceComplete, Reset
from .context import Pass
from .inputs import Row

#: Seconds between two requests for the same, where Nova's answer got lost; and how often.
ASK_AGAIN_EVERY = 5.0
ASK_AGAIN_TIMES = 20


def carry_out_requests(p: Pass) -> None:
    """Abort, force complete, reset: what an admin, a timeout or a cancel requests of Nova."""
    for row in list(p.rows.values()):
        row = p.rows[row.id]
        request = row.requests.open
        if request is None:
            continue
        if request.kind == RequestKind.RESET:
            if row.state != MigrationState.UNKNOWN:
                p.change(row, {}, request={"state": RequestState.LAPSED})
            elif may_ask(p, request):
                p.actions.append(Reset(row.id, request.id))
        else:
            carry_out(p, row, request)


def carry_out(p: Pass, row: Row, request: RequestView) -> None:
    if row.state not in MIGRATION_IN_PROGRESS:
        give_up_request(p, row, request, message("was_over"))
        return
    known = row.attempt.nova_migration_id
    wanted = request.nova_migration_id or known
    if wanted is None:
        return  # Nova has no record of it yet
    if known != wanted:
        give_up_request(p, row, request, message("other_attempt"))
        return
    abort = row.requests.abort
    if abort is not None and abort.taken_at is not None:
        p.change(row, {}, request={"state": RequestState.LAPSED})
        return
    if request.kind == RequestKind.FORCE and p.drain.cancel_abort:
        give_up_request(p, row, request, message("cancel_aborts"))
        return
    if row.attempt.source_service == SOURCE_DOWN:
        return  # what it would do to the guest cannot be told while its host is silent
    status = row.attempt.nova_status
    if status in NOVA_STATUS_WAITING and status not in ABORTABLE:
        return  # accepted: the next status decides
    by_cancel = request.origin == RequestOrigin.CANCEL
    if request.tries >= ASK_AGAIN_TIMES and request.answer and by_cancel:
        refused = {"state": RequestState.REFUSED}
        p.change(row, {}, "abort_refused", request.answer, request=refused)
    elif request.tries >= ASK_AGAIN_TIMES:
        give_up_request(p, row, request, message("no_answer_to", count=request.tries))
    elif steering.nova_takes(request.kind, status):
        if may_ask(p, request):
            asks = Abort if request.kind == RequestKind.ABORT else ForceComplete
            p.actions.append(asks(row.id, wanted, request.id))
    elif steering.nova_may_take_later(request.kind, status):
        return  # queued or preparing: as soon as it runs
    elif request.kind == RequestKind.ABORT and request.tries and status == "cancelled":
        return  # its answer got lost, and it did its work: it is over with its attempt
    else:
        now = status or message("not_known_to_nova")
        give_up_request(p, row, request, message("status_by_now", status=now))


def may_ask(p: Pass, request: RequestView) -> bool:
    """The first time at once; where the answer got lost, again after a while."""
    return request.tries == 0 or p.since(request.tried_at) >= ASK_AGAIN_EVERY


def give_up_request(p: Pass, row: Row, request: RequestView, why: Message) -> None:
    """The request is given up. If one was sent and not answered, Nova's record shows what became of
    it."""
    if request.kind == RequestKind.ABORT:
        kind, text = "abort_refused", message("abort_not_taken", why=why)
    else:
        kind, text = "force_refused", message("force_not_taken", why=why)
    p.change(row, {}, kind, text, request={"state": RequestState.REFUSED, "answer": text})


def enforce_cancel_deadline(p: Pass) -> None:
    """For a drain that is being cancelled: abort migrations in progress if that was chosen, once
    each; what Nova refuses is retried like any request (see `carry_out`). And end in bounded time,
    whatever is still in progress."""
    moving = p.rows_in(MIGRATION_IN_PROGRESS)
    waited = p.since(p.drain.cancelling_since)
    if p.drain.cancel_abort:
        for row in moving:
            if is_to_abort(row):
                p.make_request(row, RequestKind.ABORT, RequestOrigin.CANCEL)
                migration_id = row.attempt.nova_migration_id
                assert migration_id is not None  # it can be aborted
                p.actions.append(Abort(row.id, migration_id))
    bound = (
        p.limits.abort_wait_seconds
        if p.drain.cancel_abort
        else max(
            [p.limits.cancel_wait_seconds]
            + [late_after_seconds(bytes_to_copy(row), p.limits) for row in moving]
        )
    )
    if p.drain.cancelling_since is None or waited < bound:
        return
    for row in p.rows_in(MIGRATION_IN_PROGRESS):
        status = row.attempt.nova_status or message("not_known_to_nova")
        left = message("left_under_way", status=status, seconds=round(bound))
        text = several(left, p.look_on_both(row))
        p.change(
            row,
            {"state": MigrationState.UNKNOWN, "code": LEFT_IN_PROGRESS, "message": text},
            "unknown",
            text,
        )


def is_to_abort(row: Row) -> bool:
    """Whether a cancel requests that it is aborted: it can be, and nobody did yet."""
    return steering.objection_of_nova(RequestKind.ABORT, row) is None and not row.requests.has(
        RequestKind.ABORT, RequestOrigin.CANCEL
    )

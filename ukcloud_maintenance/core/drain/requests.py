"""Abort, force complete and reset as requested, and the deadline of a cancel."""

from typing import Any

from ..copying.patience import bytes_to_copy, late_after_seconds
from ..facts import NOVA_STATUS_WAITING
from ..message import Message, message, several
from ..states import ABORTABLE, FORCIBLE, MIGRATION_UNDER_WAY, Method, MigrationState, Wish
from .actions import Abort, ChangeDrain, ForceComplete, Reset
from .attempts import NO_WISH
from .codes import SOURCE_DOWN
from .context import Pass
from .inputs import Row

#: Seconds between two requests for the same, where Nova's answer got lost; and how often.
ASK_AGAIN_EVERY = 5.0
ASK_AGAIN_TIMES = 20


def carry_out_requests(p: Pass) -> None:
    """Abort, force complete, reset: what an admin or a timeout asks of Nova."""
    for row in list(p.rows.values()):
        row = p.rows[row.id]
        if row.wish == Wish.RESET:
            if row.state == MigrationState.UNKNOWN:
                if may_ask(p, row):
                    p.actions.append(Reset(row.id, row.wish_by))
            else:
                p.change(row, NO_WISH)
        elif row.wish:
            carry_out(p, row)
    if p.drain.errand and not any(row.wish for row in p.rows.values()):
        p.actions.append(ChangeDrain({"errand": False}))


def carry_out(p: Pass, row: Row) -> None:
    if row.state not in MIGRATION_UNDER_WAY:
        give_up_request(p, row, message("was_over"))
        return
    wanted = row.wish_migration_id or row.nova_migration_id
    if wanted is None:
        return  # Nova has no record of it yet
    if row.nova_migration_id != wanted:
        give_up_request(p, row, message("other_attempt"))
        return
    if row.aborted_migration_id == wanted and row.aborted_at is not None:
        p.change(row, NO_WISH)
        return
    if row.wish == Wish.FORCE and p.drain.cancel_abort:
        give_up_request(p, row, message("cancel_aborts"))
        return
    if row.source_service == SOURCE_DOWN:
        return  # what it would do to the guest cannot be told while its host is silent
    status = row.nova_status
    if status in NOVA_STATUS_WAITING and status not in ABORTABLE:
        return  # accepted: the next status decides
    if row.wish_tries >= ASK_AGAIN_TIMES and row.answer and not row.wish_by:
        p.change(row, NO_WISH, "abort_refused", row.answer)
    elif row.wish_tries >= ASK_AGAIN_TIMES:
        give_up_request(p, row, message("no_answer_to", count=row.wish_tries))
    elif row.wish == Wish.ABORT and status in ABORTABLE:
        if may_ask(p, row):
            p.actions.append(Abort(row.id, wanted, row.wish_by))
    elif row.wish == Wish.FORCE and status in FORCIBLE:
        if may_ask(p, row):
            p.actions.append(ForceComplete(row.id, wanted, row.wish_by))
    elif row.wish == Wish.FORCE and status in ABORTABLE:
        return  # queued or preparing: as soon as it runs
    else:
        known = status or message("not_known_to_nova")
        give_up_request(p, row, message("status_by_now", status=known))


def may_ask(p: Pass, row: Row) -> bool:
    """The first time at once; where the answer got lost, again after a while."""
    return row.wish_tries == 0 or p.since(row.wish_at) >= ASK_AGAIN_EVERY


def give_up_request(p: Pass, row: Row, why: Message) -> None:
    """Nothing is asked any more. What was asked for without an answer is forgotten; what
    became of it, Nova's record tells."""
    if row.wish == Wish.ABORT:
        kind, text = "abort_refused", message("abort_not_taken", why=why)
    else:
        kind, text = "force_refused", message("force_not_taken", why=why)
    forgotten: dict[str, Any] = {"aborted_migration_id": None, "aborted_by": ""}
    # That a cancel asked for it is kept: it does not begin anew.
    kept = row.aborted_at is not None or not row.wish_by
    fields = NO_WISH | {"answer": text} | ({} if kept else forgotten)
    p.change(row, fields, kind, text)


def enforce_cancel_deadline(p: Pass) -> None:
    """A drain that is being cancelled: abort what flies, where that was chosen, once each: what
    Nova refuses is asked for again as any request (see `carry_out`). And end in bounded time,
    whatever flies."""
    flying = p.rows_in(MIGRATION_UNDER_WAY)
    waited = p.since(p.drain.cancelling_since)
    if p.drain.cancel_abort:
        for row in flying:
            known = row.nova_migration_id
            if (
                row.state == MigrationState.MIGRATING
                and row.method == Method.LIVE
                and row.wish != Wish.ABORT
                and row.source_service != SOURCE_DOWN
                and known is not None
                and row.aborted_migration_id != known
                and row.nova_status in ABORTABLE
            ):
                p.actions.append(Abort(row.id, known, ""))
    bound = (
        p.limits.abort_wait_seconds
        if p.drain.cancel_abort
        else max(
            [p.limits.cancel_wait_seconds]
            + [late_after_seconds(bytes_to_copy(row), p.limits) for row in flying]
        )
    )
    if p.drain.cancelling_since is None or waited < bound:
        return
    for row in p.rows_in(MIGRATION_UNDER_WAY):
        status = row.nova_status or message("not_known_to_nova")
        left = message("left_under_way", status=status, seconds=round(bound))
        text = several(left, p.look_on_both(row))
        p.change(
            row,
            {"state": MigrationState.UNKNOWN, "code": "left_flying", "message": text},
            "unknown",
            text,
        )

"""Actions on hosts: started once, followed to their end, and never started again by themselves
where it is not known how they ended."""

import contextlib
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from .. import settings, store
from ..actions import command, records, webhook
from ..actions.outcome import Ending, Outcome
from ..actions.webhook import Progress, Sending
from ..cloud import Cloud
from ..core.message import Message, message
from ..core.run.states import ACTION_OPEN, ActionKind, ActionState
from ..exceptions import ActionError
from ..log import log_event
from ..services.certificates import verified_after
from ..settings.actions import Action
from ..store import Run, RunAction, RunHost
from . import checks
from .views import action_of, is_safe, maintenance_of

#: What an ending makes of a try.
_STATES = {
    Ending.RUNNING: ActionState.RUNNING,
    Ending.DONE: ActionState.DONE,
    Ending.LATER: ActionState.LATER,
    Ending.FAILED: ActionState.FAILED,
    Ending.UNKNOWN: ActionState.UNKNOWN,
}
#: How long after its time limit the end of an action is waited for, that nobody here can look at.
GRACE = 120.0
#: How long what was seen of a host stands, in seconds, until its action is started.
INTENT_GOES_STALE = 20.0
#: The longest pause before a delivery that was not taken is sent again, in seconds.
RESEND = 30.0


class Acting:
    """Starts and follows actions, for one worker.

    :param worker: its name: the actor of its events
    :param machine: the one that it runs on
    :param clock: tells the time, aware and in UTC
    """

    def __init__(self, cloud: Cloud, worker: str, machine: str, clock: Callable[[], datetime]):
        self.cloud = cloud
        self.worker = worker
        self.machine = machine
        self.clock = clock

    # -- starting ----------------------------------------------------------------------------

    def act(self, run: Run, row: RunHost) -> None:
        """Record that the action is about to start; then start it, or hand the host over.

        :raises StaleState: somebody else got there first
        :raises CloudError: what is kept of the host before it cannot be read
        """
        action = action_of(run)
        if run.action and action is None:
            said = message("run_action_gone", action=run.action)
            event = ("run_host_failed", self.worker, of(row, said))
            store.change_host(run, row, self.clock(), stage="failed", message=said, event=event)
            return
        kind = ActionKind.HAND
        if action is not None:
            kind = ActionKind.COMMAND if action.command else ActionKind.WEBHOOK
        maintenance = maintenance_of(row)
        assert maintenance is not None  # it was verified
        before = checks.facts_before(self.cloud, row.host, action, row.before)
        now = self.clock()
        made = store.intend_to_act(
            run,
            row,
            now,
            maintenance=maintenance,
            verified_after=verified_after(now),
            name=run.action,
            kind=kind,
            machine=self.machine if kind is ActionKind.COMMAND else "",
            place=records.place(_records()) if kind is ActionKind.COMMAND else "",
            before=before,
            event=("run_host_acting", self.worker, of(row, _begins(run, row))),
        )
        log_event(logging.INFO, "action_begins", run=run.pk, host=row.host, action=run.action)
        self._start(run, row, made, action)

    def _start(self, run: Run, row: RunHost, made: RunAction, action: Action | None) -> None:
        if self.clock() - made.started_at > timedelta(seconds=INTENT_GOES_STALE):
            return  # stopped in between: what was seen may no longer be so; the next look tells
        if action is None:
            self._change(run, row, made, ActionState.RUNNING)
        elif action.command is not None:
            # where it is not known whether it was begun, the next look tells
            with contextlib.suppress(ActionError):
                command.begin(record_of(made), action.command, _values(run, row))
                self._change(run, row, made, ActionState.RUNNING)
        else:
            self._send(run, row, made, action)

    def _send(self, run: Run, row: RunHost, made: RunAction, action: Action) -> None:
        now = self.clock()
        content = webhook.body(action, _values(run, row))
        answer = webhook.send(action, made.token, content, now)
        if answer.kind is Sending.ACCEPTED:
            self._change(run, row, made, ActionState.RUNNING, answer.said, poll_url=answer.poll_url)
        elif (
            answer.kind is Sending.LATER
            and (action.idempotent or not answer.may_have_begun)
            and not self._is_late(made, action, now)
        ):
            # the same delivery, until it is taken
            pause = answer.retry_after or min(action.retry_after, RESEND)
            self._change(run, row, made, ActionState.INTENDED, answer.said, in_seconds=pause)
        else:
            state = ActionState.UNKNOWN if answer.may_have_begun else ActionState.FAILED
            self._change(run, row, made, state, answer.said)

    # -- following ---------------------------------------------------------------------------

    def follow(self, run: Run, row: RunHost) -> None:
        """Look how far the newest try of a host is that is not over.

        :raises StaleState: somebody else got there first
        """
        made = next(iter(reversed(store.tries_of(row))), None)
        if made is None or made.state not in ACTION_OPEN:
            return
        action = action_of(run)
        if made.kind == ActionKind.HAND:
            if made.state == ActionState.INTENDED:
                self._change(run, row, made, ActionState.RUNNING)
        elif made.kind == ActionKind.COMMAND:
            self._follow_command(run, row, made, action)
        else:
            self._follow_webhook(run, row, made, action)

    def _follow_command(
        self, run: Run, row: RunHost, made: RunAction, action: Action | None
    ) -> None:
        if made.machine != self.machine:
            # Nobody is left there who could look, or this would not be ours.
            if self._is_late(made, action, self.clock()):
                said = message("run_machine_lost", machine=made.machine)
                self._change(run, row, made, ActionState.UNKNOWN, said)
            elif not made.message:
                said = message("run_other_machine", machine=made.machine)
                store.change_action(run, row, made, self.clock(), message=said)
            return
        if records.place(_records()) != made.place:
            said = message("run_record_lost", machine=made.machine)
            self._change(run, row, made, ActionState.UNKNOWN, said)
            return
        record = record_of(made)
        try:
            look = command.look(record)
        except ActionError as error:
            if self._is_late(made, action, self.clock()):
                self._change(run, row, made, ActionState.UNKNOWN, error.said)
            elif made.message != error.said:
                store.change_action(run, row, made, self.clock(), message=error.said)
            return
        outcome = command.outcome(look)
        output = command.output(record)
        if output != made.output:
            store.change_action(run, row, made, self.clock(), output=output)
        self._end(run, row, made, outcome, action)
        # That of one that never began stays: it keeps whoever comes late from beginning it.
        # So does that of one which still runs though nobody watches it.
        if outcome.ending is not Ending.RUNNING and look.state is not command.State.NEVER_BEGAN:
            with contextlib.suppress(ActionError):
                command.forget(record)

    def _follow_webhook(
        self, run: Run, row: RunHost, made: RunAction, action: Action | None
    ) -> None:
        now = self.clock()
        is_late = self._is_late(made, action, now)
        if made.next_at is not None and now < made.next_at and not is_late:
            return
        if action is None or action.webhook is None:
            self._change(
                run, row, made, ActionState.UNKNOWN, message("run_action_gone", action=made.name)
            )
        elif made.state == ActionState.INTENDED and not is_safe(row, now):
            # returned meanwhile, say: nothing is begun there any longer
            state = ActionState.FAILED if made.next_at else ActionState.UNKNOWN
            self._change(run, row, made, state, message("run_no_longer_safe"))
        elif made.state == ActionState.INTENDED and made.next_at and is_late:
            # what would be taken now would not be followed to its end
            state = ActionState.UNKNOWN if action.idempotent else ActionState.FAILED
            self._change(run, row, made, state, made.message)
        elif (
            made.state == ActionState.INTENDED
            and (made.next_at or action.idempotent)
            and not is_late
        ):
            # what is about to be sent is not due: should nobody come back, it may have been sent
            store.change_action(run, row, made, now, next_at=None)
            self._send(run, row, made, action)
        elif made.state == ActionState.INTENDED:
            self._change(run, row, made, ActionState.UNKNOWN, message("run_maybe_sent"))
        elif is_late:
            said = message("run_action_too_long", seconds=int(action.time_limit))
            self._change(run, row, made, ActionState.UNKNOWN, said)
        elif action.webhook.poll is not None and made.poll_url:
            report = webhook.poll(action, made.poll_url)
            if report.kind is Progress.DONE:
                self._change(run, row, made, ActionState.DONE, report.said)
            elif report.kind is Progress.FAILED:
                self._change(run, row, made, ActionState.FAILED, report.said)
            else:
                pause = report.retry_after or action.webhook.poll.interval
                until = now + timedelta(seconds=pause)
                store.change_action(run, row, made, now, next_at=until, message=report.said)

    def _end(
        self, run: Run, row: RunHost, made: RunAction, outcome: Outcome, action: Action | None
    ) -> None:
        state = _STATES[outcome.ending]
        if state is ActionState.LATER:
            pause = action.retry_after if action else GRACE
            self._change(run, row, made, state, outcome.said, in_seconds=pause)
        elif state is not ActionState.RUNNING:
            self._change(run, row, made, state, outcome.said)
        elif made.state == ActionState.INTENDED:
            self._change(run, row, made, state)

    def _is_late(self, made: RunAction, action: Action | None, now: datetime) -> bool:
        limit = (action.time_limit if action else 0) + GRACE
        return now - made.started_at > timedelta(seconds=limit)

    def _change(
        self,
        run: Run,
        row: RunHost,
        made: RunAction,
        state: ActionState,
        said: Message | None = None,
        *,
        in_seconds: float | None = None,
        **fields: Any,
    ) -> None:
        now = self.clock()
        if in_seconds is not None:
            fields["next_at"] = now + timedelta(seconds=in_seconds)
        event = None
        if state not in ACTION_OPEN:
            event = (f"run_action_{state.value}", self.worker, of(row, said or _ended(state)))
        elif state is ActionState.RUNNING and made.kind == ActionKind.HAND:
            event = ("run_host_yours", self.worker, message("run_host_is_yours", host=row.host))
        store.change_action(
            run, row, made, now, state=state.value, message=said, event=event, **fields
        )


def of(row: RunHost, said: Message) -> Message:
    """What is said of one host, in the record of its run."""
    return message("run_of_host", host=row.host, said=said)


def record_of(made: RunAction) -> Path:
    """Where a command of this try is recorded on its machine."""
    return _records() / made.token


def _records() -> Path:
    return records.directory(settings.current().actions_directory)


def _values(run: Run, row: RunHost) -> dict[str, str]:
    return {"host": row.host, "run": str(run.pk), "reason": run.reason}


def _begins(run: Run, row: RunHost) -> Message:
    if not run.action:
        return message("run_host_is_yours", host=row.host)
    return message("run_action_begins", action=run.action)


def _ended(state: ActionState) -> Message:
    return message("run_action_done" if state is ActionState.DONE else "run_no_reason")

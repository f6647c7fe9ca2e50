"""One pass over one run: observe, decide, apply."""

import logging
import time
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from .. import settings, store
from ..cloud import Cloud
from ..core.facts import Service
from ..core.message import Message, message
from ..core.run import decide as d
from ..core.run.domains import OTHERS_OUT
from ..core.run.states import ACTION_OPEN, STAGES_IN_PROGRESS, STAGES_OVER, RunState, Stage
from ..core.run.view import HostView
from ..exceptions import AlertsUnknown, CloudError, ConfigurationError, Refused, StaleState
from ..log import log_event
from ..services import drains, returning, steering
from ..services.run_forecast import expectation
from ..store import Run, RunAction, RunHost
from . import checks, gates
from .acting import Acting, of
from .actor import actor_of
from .canary import Canaries
from .resting import BEGINNING, Guard, Resting
from .views import action_of, host_view, maintenance_of, notice_service, run_view

#: How often it is asked whether what holds the next host back is over, in seconds: it takes some
#: ten requests.
HELD_SECONDS = 30.0
#: In these stages the service of a host is looked at in each pass.
_WATCHED = frozenset({Stage.ACTING, Stage.SETTLING, Stage.RETURNING})


@dataclass(frozen=True)
class RunOutcome:
    """How a pass went.

    :param pause_seconds: when the run is due again
    :param problem: what keeps the worker from its work, or None
    :param bug: what it fails on by an error that nobody expected, in this pass or since an earlier
        one: one of the hosts; or None
    :param had_bug: it did in this pass
    """

    pause_seconds: float
    problem: Message | None = None
    bug: Message | None = None
    had_bug: bool = False


class RunReconciler:
    """Works on runs of one region.

    :param cloud: the region, logged in as the worker
    :param worker: the worker's name: the actor of its events
    :param machine: the one that it runs on
    :param clock: tells the time, aware and in UTC
    :param alive: called between the steps of a pass; raises where it is no longer ours
    :param held_until: by run, until when what holds its next host is not asked again, by the
        monotonic clock; shared by the passes of a worker
    :param acted: told of each try of an action that is over, once
    :param resting: the hosts on which a worker failed; shared by the passes of a worker
    """

    def __init__(
        self,
        cloud: Cloud,
        worker: str,
        machine: str,
        clock: Callable[[], datetime],
        alive: Callable[[Run], None] = lambda run: None,
        held_until: MutableMapping[int, float] | None = None,
        acted: Callable[[RunAction], None] = lambda tried: None,
        resting: Resting | None = None,
    ):
        self.cloud = cloud
        self.worker = worker
        self.clock = clock
        self.alive = alive
        self.held_until = {} if held_until is None else held_until
        self.acted = acted
        #: what kept it from one of the hosts
        self.problem: Message | None = None
        #: a canary is awaited, for which a host may be taken for enabled
        self.is_quick = False
        self.acting = Acting(cloud, worker, machine, clock)
        self.canaries = Canaries(cloud, worker, clock)
        self.guard = Guard(resting or Resting(), clock)

    def run(self, run: Run) -> RunOutcome:
        """One pass. An OpenStack that does not answer is an outcome, and so is a bug in what is
        done with one host; any other bug is raised."""
        before = run.revision
        try:
            self._pass(run)
        except StaleState as error:
            log_event(logging.INFO, "overtaken", run=run.pk, detail=error)
            return self._outcome(settings.current().poll_seconds)
        except CloudError as error:
            if run.state == RunState.RUNNING:  # what else is said of it goes on being true
                self._say(run, error.trouble)
            pause = max(settings.current().idle_seconds, error.retry_after or 0)
            return self._outcome(pause, error.said)
        now = store.run(run.pk)
        has_changed = self.is_quick or (now is not None and now.revision != before)
        current = settings.current()
        pause = current.poll_seconds if has_changed else current.idle_seconds
        return self._outcome(pause, self.problem)

    def _outcome(self, pause: float, problem: Message | None = None) -> RunOutcome:
        return RunOutcome(pause, problem, self.guard.bug, self.guard.had_bug)

    def _pass(self, run: Run) -> None:
        rows = store.run_hosts(run, outputs=False)
        if store.set_back_run(run, rows, self.clock()):
            log_event(logging.WARNING, "clock_set_back", run=run.pk)
        services: list[Service] | None = None
        if any(row.stage in _WATCHED for row in rows):
            services = self.cloud.services()
        wrong: ConfigurationError | None = None
        for row in rows:
            if row.stage not in STAGES_OVER or checks.canary_is_left(row):
                try:
                    self.guard.do(run, row, partial(self._one, run, row, services))
                except ConfigurationError as error:  # it keeps no other one, and none begins
                    wrong = wrong or error
        if wrong is not None:
            raise wrong
        rows = store.run_hosts(run, outputs=False)
        views = [self._view(run, row) for row in rows]
        if (found := d.of_run(run_view(run), views)) is not None:
            self._be(run, *found)
        if run.state == RunState.RUNNING:
            self._begin_next(run, rows, views, services)

    def _view(self, run: Run, row: RunHost) -> HostView:
        action = action_of(run)
        return host_view(row, bool(action and action.idempotent), self.clock())

    # -- one host ----------------------------------------------------------------------------

    def _one(self, run: Run, row: RunHost, services: Sequence[Service] | None) -> None:
        """One step of one host. That OpenStack does not answer for it keeps no other one."""
        try:
            self._step(run, row, services)
        except CloudError as error:
            said = error.trouble
            if row.message != said and row.stage not in STAGES_OVER:
                store.change_host(run, row, self.clock(), message=said)
            self.problem = error.said

    def _step(self, run: Run, row: RunHost, services: Sequence[Service] | None) -> None:
        if row.stage in STAGES_IN_PROGRESS:
            self.alive(run)
        if row.stage == Stage.ACTING:
            self.acting.follow(run, row)
        service: Service | None = None
        if row.stage in _WATCHED and services is not None:
            service = next((one for one in services if one.host == row.host), None)
            notice_service(run, row, service, self.clock())
        waits = self.canaries.follow(run, row)
        if waits is None and row.stage == Stage.SETTLING:
            waits = self._check(run, row, service)
        if waits is not None:
            self.is_quick = True
            if row.message != waits and row.stage not in STAGES_OVER:
                store.change_host(run, row, self.clock(), message=waits)
            return
        step = d.of_host(run_view(run), self._view(run, row), self.clock())
        if step is not None:
            self._apply(run, row, step)

    def _check(self, run: Run, row: RunHost, service: Service | None) -> Message | None:
        """Look at what is to be looked at before the host is returned, once it is up for long
        enough; what is waited for, or None."""
        now, settle = self.clock(), run_view(run).settle_seconds
        if row.checked_at or row.up_since is None:
            return None
        if (now - max(row.up_since, row.since)).total_seconds() < settle:
            return None
        tries = store.tries_of(row)
        began = tries[-1].started_at if tries else row.since
        wrong: Message | None
        try:
            wrong = checks.standing_against(self.cloud, run.action, row, began, now)
            if wrong is None and checks.wants_canary(run.action):
                wrong, is_known = self.canaries.standing_against(run, row, service)
                if not is_known:
                    return wrong
        except CloudError as error:
            wrong = error.trouble
        if wrong is None:
            store.change_host(run, row, now, checked_at=now, objection=None)
        elif row.objection != wrong:
            store.change_host(run, row, now, objection=wrong)
        return None

    def _apply(self, run: Run, row: RunHost, step: d.Step) -> None:
        now = self.clock()
        match step:
            case d.Move():
                self._move(run, row, step.to, step.message)
            case d.Fail():
                self._move(run, row, Stage.FAILED, step.message)
            case d.Act():
                if self._is_empty_now(run, row):
                    self.acting.act(run, row)
            case d.ReturnToService():
                self._return_to_service(run, row)
            case d.CancelDrain():
                assert row.drain is not None
                self._cancel(run, row)
            case d.Say():
                if row.message != step.message:
                    store.change_host(run, row, now, message=step.message)
            case d.Remind():
                newest = store.tries_of(row)[-1]
                event = ("run_reminder", self.worker, step.message)
                store.change_action(run, row, newest, now, reminded_at=now, event=event)

    def _move(self, run: Run, row: RunHost, to: Stage, said: Message | None) -> None:
        fields: dict[str, Any] = {"message": said}
        if to is Stage.READY and row.maintenance is None:
            fields["maintenance"] = maintenance_of(row)
        if to is Stage.SETTLING:
            fields |= {"checked_at": None, "objection": None}
        # how an action ended is an event of its own already
        what = None if to is Stage.SETTLING else said
        told = of(row, what or message(f"run_stage_{to.value}"))
        event = (f"run_host_{to.value}", self.worker, told)
        newest = next(reversed(store.tries_of(row)), None) if row.stage == Stage.ACTING else None
        store.change_host(run, row, self.clock(), stage=to.value, event=event, **fields)
        # whoever ended it, a person or the worker, the host leaves it once
        if newest is not None and newest.state not in ACTION_OPEN:
            self.acted(newest)
        level = logging.WARNING if to is Stage.FAILED else logging.INFO
        log_event(level, "host_of_run", run=run.pk, host=row.host, stage=to.value, detail=said)

    def _is_empty_now(self, run: Run, row: RunHost) -> bool:
        """Whether Nova still says what the certificate does, at this moment: the service takes no
        instances, and there is none. Two requests. Where not, the host is verified anew."""
        service = self.cloud.service(row.host)
        is_disabled = service is not None and service.status == "disabled"
        if is_disabled and not self.cloud.servers_on(row.host):
            return True
        if (maintenance := maintenance_of(row)) is not None:
            store.verify_soon(maintenance)
        said = message("run_not_empty_now")
        if row.message != said:
            store.change_host(run, row, self.clock(), message=said)
        return False

    def _return_to_service(self, run: Run, row: RunHost) -> None:
        request = returning.ReturnRequest(
            row.host,
            bring_back=run.bring_back,
            max_concurrent=run.max_concurrent,
        )

        try:
            returning.return_host(actor_of(run), self.cloud, request)
        except Refused as error:
            self._move(run, row, Stage.FAILED, error.said)
        else:
            self._move(run, row, Stage.RETURNING, None)

    def _cancel(self, run: Run, row: RunHost) -> None:
        assert row.drain is not None
        said = message("run_drain_cancelled", drain=row.drain.pk)
        try:
            steering.cancel_drain(actor_of(run), row.drain.pk, enable=True)
        except Refused as error:  # it was over just then, and the next pass sees that
            said = error.said
        if row.message != said:
            store.change_host(run, row, self.clock(), message=said)

    # -- the next host -----------------------------------------------------------------------

    def _begin_next(
        self,
        run: Run,
        rows: Sequence[RunHost],
        views: Sequence[HostView],
        services: Sequence[Service] | None,
    ) -> None:
        expected, now = expectation(run, rows, self.clock()), self.clock()
        by_key = {one.pk: one for one in rows}
        waiting = {one.pk: (one.host, expected(one)) for one in rows if one.stage == Stage.WAITING}
        too_long = gates.fit_no_window(run, waiting, now)  # the others go on
        found = d.next_host(run_view(run), views, too_long)
        if found is None:
            # all have had their turn, but for those that never will
            self._say(run, next((too_long[key] for key in waiting if key in too_long), None))
            return
        if not isinstance(found, HostView):
            self._say(run, found)
            return
        row = by_key[found.key]
        if (failed := self.guard.keeps_from(row)) is not None:
            self._say(run, failed)
            return
        shut = gates.window_is_shut(run, expected(row), row.host, now)
        if shut is not None:
            self._say(run, shut)
            return
        if time.monotonic() < self.held_until.get(run.pk, 0.0):
            return  # what was said of it stands
        if run.message is not None and run.message.code in OTHERS_OUT:
            self._say(run, None)  # they are back; to look for room takes a while
        listed = list(services) if services is not None else self.cloud.services()
        self.alive(run)
        if (held := self._held_back(run, row, rows, listed)) is not None:
            self.held_until[run.pk] = time.monotonic() + HELD_SECONDS
            self._say(run, held)
            return
        self.guard.do(run, row, partial(self._begin, run, row), BEGINNING)
        if (failed := self.guard.keeps_from(row)) is not None:
            self._say(run, failed)

    def _held_back(
        self, run: Run, row: RunHost, rows: Sequence[RunHost], services: Sequence[Service]
    ) -> Message | None:
        """Why it may not begin although it is its turn; the first reason that is found."""
        in_progress = sum(host_view(one, False, self.clock()).is_in_progress for one in rows)
        waiting = [one.host for one in rows if one.stage == Stage.WAITING and one.pk != row.pk]
        # what has not left those yet that are being drained needs a place as well
        draining = [one.host for one in rows if one.stage == Stage.DRAINING]
        names = [row.host, *draining, *waiting[: max(run.at_once - in_progress - 1, 0)]]
        by_name = {service.host: service for service in services}
        if row.host not in by_name:
            self._move(run, row, Stage.FAILED, message("run_host_gone", host=row.host))
            raise StaleState("the host is gone")
        together = [by_name[name] for name in names if name in by_name]
        if why := gates.hosts_are_down(run, services):
            return why
        if why := gates.instances_are_in_error(run, self.cloud):
            return why
        try:
            if why := gates.alerts_fire():
                return why
        except AlertsUnknown as error:
            return error.said
        return gates.room_is_missing(run, self.cloud, together, services)

    def _begin(self, run: Run, row: RunHost) -> None:
        actor = actor_of(run)
        request = gates.request_of(run, row.host)
        now = self.clock()
        counted: dict[str, Any] = {}
        try:
            [(checked, plan)] = drains.ready_to_request(actor, self.cloud, [request])
            if row.started_at is None:  # since the run was requested, some came and some went
                counted["instances"] = len(plan.planned)
            with store.in_turn(run.region):
                drain = drains.write_request(actor, run.region, checked, plan)
                event = ("run_host_draining", self.worker, of(row, message("run_begins")))
                store.change_host(
                    run,
                    row,
                    now,
                    stage=Stage.DRAINING.value,
                    drain=drain,
                    maintenance=None,
                    started_at=row.started_at or now,
                    finished_at=None,
                    message=None,
                    event=event,
                    expect={"is_unwanted": False},
                    run_state=RunState.RUNNING,
                    **counted,
                )
        except Refused as error:
            self._move(run, row, Stage.FAILED, error.said)
            return
        self._say(run, None)
        log_event(logging.INFO, "host_of_run", run=run.pk, host=row.host, stage="draining")

    # -- the run -----------------------------------------------------------------------------

    def _be(self, run: Run, state: RunState, said: Message | None) -> None:
        event = (f"run_{state.value}", self.worker, said or message("run_goes_on"))
        if state is RunState.RUNNING:
            event = ("run_resumed", self.worker, message("run_goes_on"))
        fields: dict[str, Any] = {"state": state.value, "message": said}
        store.change_run(run, self.clock(), event=event, none_open=True, **fields)
        log_event(logging.INFO, "run_state", run=run.pk, state=state.value, detail=said)

    def _say(self, run: Run, said: Message | None) -> None:
        if run.message != said and run.finished_at is None:
            event = None
            kind = "run_waits_for_approval"
            if said is not None and said.code == kind and not store.was_told(run, kind, said):
                event = (kind, self.worker, said)
            store.change_run(run, self.clock(), message=said, event=event)

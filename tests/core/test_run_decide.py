"""Any history of a run: whatever fails, is pressed or is lost, few hosts are out, nothing is acted
on that is not safe, nothing is run twice by itself, and each host ends in service or is named."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import some
from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.run import decide as d
from ukcloud_maintenance.core.run import steering
from ukcloud_maintenance.core.run.domains import DomainKind
from ukcloud_maintenance.core.run.states import (
    ACTION_OPEN,
    RUN_TERMINAL,
    RUN_TRANSITIONS,
    STAGE_TRANSITIONS,
    STAGES_OUT,
    ActionKind,
    ActionState,
    Approval,
    HostVerb,
    OnFailure,
    RunState,
    RunVerb,
    Stage,
)
from ukcloud_maintenance.core.run.view import ActionView, HostView, RunView
from ukcloud_maintenance.core.states import DRAIN_TERMINAL, DrainState, ReturnResult
from ukcloud_maintenance.messages import english

START = datetime(2026, 11, 2, 22, tzinfo=UTC)
SAID = message("run_no_reason")


@dataclass
class World:
    """What the rows, Nova and a machine hold: steps are applied to it as the worker does."""

    run: RunView
    hosts: dict[int, HostView]
    idempotent: bool = False
    now: datetime = START
    #: those of which a person said that they are tried again
    retried: set[int] = field(default_factory=set)
    begun: list[str] = field(default_factory=list)

    def set(self, key: int, **fields) -> None:
        self.hosts[key] = replace(self.hosts[key], **fields)

    def move(self, key: int, to: Stage) -> None:
        host = self.hosts[key]
        assert to in STAGE_TRANSITIONS[host.stage], f"{host.stage} -> {to}"
        failed_in = host.stage if to is Stage.FAILED else None
        self.set(key, stage=to, since=self.now, failed_in=failed_in, is_accepted=False)
        if to is Stage.SETTLING:
            self.set(key, is_checked=False)

    def apply(self, key: int, step: d.Step | None) -> None:
        host = self.hosts[key]
        match step:
            case d.Move():
                self.move(key, step.to)
            case d.Fail():
                self.move(key, Stage.FAILED)
            case d.Act():
                assert host.stage is Stage.READY
                assert host.is_safe
                assert not host.is_unwanted
                assert self.run.state is RunState.RUNNING
                if host.action is not None:
                    assert host.action.state not in ACTION_OPEN
                    unknown = host.action.state is ActionState.UNKNOWN
                    assert not unknown or self.idempotent or key in self.retried
                self.retried.discard(key)
                self.move(key, Stage.ACTING)
                tries = host.action.tries + 1 if host.action else 1
                kind = ActionKind.COMMAND if self.idempotent else ActionKind.HAND
                action = ActionView(
                    ActionState.RUNNING, kind, tries, self.now, is_idempotent=self.idempotent
                )
                self.set(key, action=action, up_since=None, is_up=False, is_checked=False)
            case d.ReturnToService():
                self.set(key, is_returning=True, is_safe=False)
                self.move(key, Stage.RETURNING)
            case d.CancelDrain():
                self.set(key, drain=DrainState.CANCELLING)
            case d.Remind():
                assert host.action is not None
                self.set(key, action=replace(host.action, reminded_at=self.now))

    def one_pass(self, lost: bool = False) -> None:
        """:param lost: the worker dies after the first step"""
        for key in list(self.hosts):
            step = d.of_host(self.run, self.hosts[key], self.now)
            self.apply(key, step)
            if lost and step is not None:
                return
        views = list(self.hosts.values())
        if (found := d.of_run(self.run, views)) is not None:
            state, _said = found
            assert state in RUN_TRANSITIONS[self.run.state], f"{self.run.state} -> {state}"
            self.run = replace(self.run, state=state)
        if self.run.state is not RunState.RUNNING:
            return
        host = d.next_host(self.run, views)
        if isinstance(host, HostView):
            self.check_begin(host)
            self.begun.append(host.host)
            self.move(host.key, Stage.DRAINING)
            self.set(host.key, drain=DrainState.RUNNING, is_in_maintenance=True, returned=None)

    def check_begin(self, host: HostView) -> None:
        """A host is about to go out. One that failed is out already, and a person may have gone on
        with it meanwhile."""
        in_progress = [one for one in self.hosts.values() if one.is_in_progress]
        assert len(in_progress) < self.run.at_once
        each = self.run.per_domain or self.run.at_once
        assert d.stopping(self.run, list(self.hosts.values())) == []
        zones = {zone for one in (host, *in_progress) for zone in one.domains}
        if self.run.domain is not DomainKind.NONE:
            for zone in host.domains:
                assert sum(zone in one.domains for one in in_progress) < each
            assert len(zones) <= -(-self.run.at_once // each)

    # -- what happens outside ----------------------------------------------------------------

    def happens(self, what: str, key: int) -> None:
        host = self.hosts[key]
        if what == "later":
            self.now += timedelta(seconds=400)
        elif what == "much later":
            self.now += timedelta(hours=3)
        elif host.stage is Stage.DRAINING and host.drain not in DRAIN_TERMINAL:
            if host.drain is DrainState.CANCELLING:
                self.set(key, drain=DrainState.CANCELLED, is_in_maintenance=False)
            elif what == "well":
                self.set(key, drain=DrainState.SUCCEEDED, is_safe=True)
            elif what == "badly":
                self.set(key, drain=DrainState.FAILED)
        elif host.stage is Stage.READY:
            self.set(key, is_safe=what == "well")
        elif host.stage is Stage.ACTING and host.action is not None:
            if host.action.state in ACTION_OPEN:
                ends = {"well": ActionState.DONE, "badly": ActionState.FAILED}
                ends |= {"unknown": ActionState.UNKNOWN, "again": ActionState.LATER}
                if what in ends:
                    action = replace(host.action, state=ends[what], message=SAID, next_at=self.now)
                    self.set(key, action=action)
        elif host.stage is Stage.SETTLING:
            if what == "well":
                since = host.up_since or self.now
                self.set(key, is_up=True, up_since=since, is_checked=True, objection=None)
            elif what == "badly":
                self.set(key, is_up=False, up_since=None)
            elif what == "unknown":
                self.set(key, objection=message("run_no_reboot"), is_checked=False)
        elif host.stage is Stage.RETURNING and host.is_returning:
            if what == "well":
                back = DrainState.RUNNING if self.run.bring_back else None
                self.set(
                    key,
                    is_returning=False,
                    is_in_maintenance=False,
                    returned=ReturnResult.IN_SERVICE,
                    back=back,
                )
            elif what == "badly":
                self.set(key, is_returning=False, returned=ReturnResult.REFUSED)
        elif host.stage is Stage.BRINGING_BACK:
            ends = {"well": DrainState.SUCCEEDED, "badly": DrainState.FAILED}
            if what in ends:
                self.set(key, back=ends[what])

    def press(self, what: str, key: int) -> None:
        host = self.hosts[key]
        if what in list(RunVerb):
            verb = RunVerb(what)
            waits = any(h.stage is Stage.WAITING and not h.is_approved for h in self.hosts.values())
            if verb is RunVerb.ADD or steering.run_objection(
                verb, self.run.state, self.run.approval, waits
            ):
                return
            if verb is RunVerb.APPROVE:
                waiting = (h for h in self.hosts.values() if h.stage is Stage.WAITING)
                first = next(h for h in waiting if not h.is_approved)
                self.set(first.key, is_approved=True)
                return
            to = {"pause": RunState.PAUSED, "resume": RunState.RUNNING}.get(what)
            to = to or RunState.CANCELLING
            assert to in RUN_TRANSITIONS[self.run.state]
            if verb is RunVerb.RESUME and self.run.state is RunState.STOPPED:
                for one in d.failed(self.hosts.values()):
                    self.set(one.key, is_accepted=True)
            self.run = replace(self.run, state=to)
            return
        verb = HostVerb(what)
        kind = host.action.kind if host.action else ""
        failed_in = host.failed_in or ""
        if steering.host_objection(verb, self.run.state, host.stage, failed_in, kind):
            return
        if verb is HostVerb.SKIP:
            self.set(key, is_unwanted=True)
            if host.stage in (Stage.WAITING, Stage.FAILED):
                self.move(key, Stage.SKIPPED)
        elif verb is HostVerb.RETRY:
            is_drained = host.drain is DrainState.SUCCEEDED
            self.retried.add(key)
            self.move(key, steering.retry_stage(failed_in, is_drained))
            self.set(key, is_checked=False, objection=None, is_unwanted=False)
        elif host.stage is Stage.FAILED:
            self.move(key, Stage.SETTLING)
        else:
            assert host.action is not None
            self.set(key, action=replace(host.action, state=ActionState.DONE))


EVENTS = ("well", "well", "well", "badly", "unknown", "again", "later", "much later")
PRESSES = (*(v.value for v in RunVerb), *(v.value for v in HostVerb))


@st.composite
def histories(draw):
    number = draw(st.integers(1, 5))
    hosts = {
        key: HostView(
            key,
            f"cmp{key}",
            Stage.WAITING,
            START,
            frozenset({draw(st.sampled_from(["az1", "az2"]))}),
        )
        for key in range(number)
    }
    run = RunView(
        RunState.RUNNING,
        at_once=draw(st.integers(1, 3)),
        domain=draw(st.sampled_from([DomainKind.ZONE, DomainKind.NONE])),
        per_domain=draw(st.integers(0, 3)),
        on_failure=draw(st.sampled_from(list(OnFailure))),
        failures=draw(st.integers(0, 2)),
        approval=draw(st.sampled_from(list(Approval))),
        bring_back=draw(st.booleans()),
    )
    world = World(run, hosts, idempotent=draw(st.booleans()))
    steps = draw(
        st.lists(
            st.tuples(
                st.sampled_from(("pass", "pass", "dies", "event", "event", "event", "press")),
                st.sampled_from(EVENTS),
                st.sampled_from(PRESSES),
                st.integers(0, number - 1),
            ),
            min_size=15,
            max_size=80,
        )
    )
    return world, steps


@settings(max_examples=some(600))
@given(histories())
def test_whatever_happens_few_are_out_and_none_is_lost(history):
    world, steps = history
    for what, event, pressed, key in steps:
        before = [h.key for h in world.hosts.values() if h.stage in STAGES_OUT]
        stopped = d.stopping(world.run, list(world.hosts.values()))
        if in_progress := [h.key for h in world.hosts.values() if h.is_in_progress]:
            touched = in_progress[key % len(in_progress)]
        else:
            touched = key
        if what in ("pass", "dies"):
            world.one_pass(lost=what == "dies")
            begun = [
                h.key for h in world.hosts.values() if h.stage in STAGES_OUT and h.key not in before
            ]
            if stopped:
                assert begun == []  # a failure takes no other host out
        elif what == "event":
            world.happens(event, touched)
        else:
            world.press(pressed, key)
        if world.run.state in RUN_TERMINAL:
            break

    # from here on all goes well, and a person says what has to be said
    for _ in range(40 * len(world.hosts) + 40):
        if world.run.state in RUN_TERMINAL:
            break
        world.now += timedelta(seconds=100)
        for key in world.hosts:
            world.happens("well", key)
        world.one_pass()
        if world.run.state in (RunState.PAUSED, RunState.STOPPED):
            world.press("resume", 0)
        world.press("approve", 0)
    assert world.run.state in RUN_TERMINAL, [h.stage for h in world.hosts.values()]
    named = {
        RunState.SUCCEEDED: {Stage.DONE, Stage.SKIPPED},
        RunState.CANCELLED: {Stage.DONE, Stage.SKIPPED, Stage.FAILED},
        RunState.FAILED: {Stage.DONE, Stage.SKIPPED, Stage.FAILED},
    }[world.run.state]
    assert {host.stage for host in world.hosts.values()} <= named
    for host in world.hosts.values():
        if host.stage is Stage.DONE:
            assert not host.is_in_maintenance


def test_hosts_begin_in_their_order_and_only_in_one_failure_domain():
    zones = ("az1", "az2", "az1")
    hosts = {
        key: HostView(key, f"cmp{key}", Stage.WAITING, START, frozenset({zone}))
        for key, zone in enumerate(zones)
    }
    world = World(RunView(RunState.RUNNING, at_once=2), hosts)
    world.one_pass()
    world.one_pass()
    assert world.begun == ["cmp0", "cmp2"]


@pytest.mark.parametrize(
    ("at_once", "per_domain", "begun"),
    [
        (1, 1, ["cmp0"]),
        (2, 0, ["cmp0", "cmp1"]),
        (2, 2, ["cmp0", "cmp1"]),
        (2, 1, ["cmp0", "cmp2"]),  # one of each of two zones
        (3, 1, ["cmp0", "cmp2", "cmp4"]),
        (3, 2, ["cmp0", "cmp1", "cmp2"]),
        (4, 2, ["cmp0", "cmp1", "cmp2", "cmp3"]),
    ],
)
def test_several_failure_domains_have_hosts_out_where_fewer_of_one_may_be(
    at_once, per_domain, begun
):
    zones = ("az1", "az1", "az2", "az2", "az3")
    hosts = {
        key: HostView(key, f"cmp{key}", Stage.WAITING, START, frozenset({zone}))
        for key, zone in enumerate(zones)
    }
    world = World(RunView(RunState.RUNNING, at_once=at_once, per_domain=per_domain), hosts)
    for _ in zones:
        world.one_pass()
    assert world.begun == begun


@pytest.mark.parametrize("verb", list(RunVerb))
@pytest.mark.parametrize("state", sorted(RUN_TERMINAL))
def test_nothing_can_be_done_with_a_run_that_is_over(verb, state):
    assert steering.run_objection(verb, state, Approval.EACH, True).code == "run_is_over"


def decided(run: RunView, **fields) -> d.Step | None:
    host = HostView(1, "cmp1", since=START, **fields)
    return d.of_host(run, host, START + timedelta(seconds=5))


RUNNING = RunView(RunState.RUNNING)


def action(state: ActionState, **more) -> ActionView:
    return ActionView(state, ActionKind.COMMAND, message=SAID, **more)


def test_what_may_be_repeated_is_so_only_where_the_host_is_safe_still_and_a_number_of_times():
    unknown = action(ActionState.UNKNOWN, is_idempotent=True)
    step = decided(RUNNING, stage=Stage.ACTING, action=unknown)
    assert step == d.Move(1, Stage.READY, SAID)
    cancelled = replace(RUNNING, state=RunState.CANCELLING)
    assert isinstance(decided(cancelled, stage=Stage.ACTING, action=unknown), d.Fail)
    often = replace(unknown, tries=21)
    assert isinstance(decided(RUNNING, stage=Stage.ACTING, action=often), d.Fail)


def test_a_host_settles_from_the_end_of_its_action_on():
    up = {"is_up": True, "up_since": START - timedelta(hours=1), "is_checked": True}
    step = decided(RUNNING, stage=Stage.SETTLING, is_in_maintenance=True, **up)
    assert isinstance(step, d.Say)


def test_a_reboot_that_is_not_seen_is_waited_for_before_it_is_called_missing():
    up = {"is_up": True, "up_since": START, "objection": message("run_no_reboot", host="cmp1")}
    known = {"stage": Stage.SETTLING, "is_in_maintenance": True, **up}
    host = HostView(1, "cmp1", since=START, **known)
    assert isinstance(d.of_host(RUNNING, host, START + timedelta(seconds=90)), d.Say)
    assert isinstance(d.of_host(RUNNING, host, START + timedelta(seconds=200)), d.Fail)


@pytest.mark.parametrize(
    ("known", "stage"),
    [
        ({}, Stage.SKIPPED),
        ({"action": action(ActionState.LATER)}, Stage.SKIPPED),
        ({"action": action(ActionState.DONE)}, Stage.DONE),
        ({"action": action(ActionState.FAILED), "is_checked": True}, Stage.DONE),
    ],
)
def test_only_a_host_with_which_something_was_done_is_done(known, stage):
    step = decided(RUNNING, stage=Stage.RETURNING, returned=ReturnResult.IN_SERVICE, **known)
    assert isinstance(step, d.Move)
    assert step.to is stage


def failed(key: int, **more) -> HostView:
    return HostView(key, f"cmp{key}", Stage.FAILED, START, failed_in=Stage.ACTING, **more)


def waiting(key: int) -> HostView:
    return HostView(key, f"cmp{key}", Stage.WAITING, START)


def test_a_failure_that_was_accepted_excuses_no_other_one():
    accepted = failed(1, is_accepted=True)
    assert d.of_run(RUNNING, [accepted, waiting(3)]) is None
    state, _said = d.of_run(RUNNING, [accepted, failed(2), waiting(3)])
    assert state is RunState.STOPPED


def test_a_run_that_is_paused_stays_so_after_a_failure():
    paused = replace(RUNNING, state=RunState.PAUSED)
    assert d.of_run(paused, [failed(1), waiting(2)]) is None


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        ((Stage.DONE,), "Over: its host is back in service."),
        ((Stage.DONE, Stage.DONE), "Over: all 2 hosts are back in service."),
        (
            (Stage.DONE, Stage.SKIPPED),
            "Over: 1 host is back in service; left out as requested: cmp2.",
        ),
        ((Stage.SKIPPED, Stage.SKIPPED), "Over: all hosts were left out, as requested."),
    ],
)
def test_a_run_that_went_well_says_what_became_of_its_hosts(stages, said):
    hosts = [HostView(n, f"cmp{n}", stage, START) for n, stage in enumerate(stages, 1)]
    state, told = d.of_run(RunView(RunState.RUNNING), hosts)
    assert (state, english(told)) == (RunState.SUCCEEDED, said)


@pytest.mark.parametrize(
    ("state", "over", "said"),
    [
        (RunState.CANCELLING, Stage.DONE, "run_cancelled"),
        (RunState.CANCELLING, Stage.FAILED, "run_cancelled_but_out"),
        (RunState.CANCELLING, Stage.SKIPPED, "run_cancelled_but_out"),
        (RunState.RUNNING, Stage.SKIPPED, "run_over_but_out"),
    ],
)
def test_no_run_says_that_nobody_is_out_while_a_host_is(state, over, said):
    """One that failed stays out of service, also after it was left out."""
    is_out = over is not Stage.DONE
    hosts = [
        HostView(1, "cmp1", over, START, is_in_maintenance=is_out),
        HostView(2, "cmp2", Stage.DONE, START),
    ]
    _state, told = d.of_run(replace(RUNNING, state=state), hosts)
    assert told.code == said
    assert ("cmp1" in english(told)) is is_out


@pytest.mark.parametrize(
    ("stage", "more", "by_hand"),
    [
        (Stage.SETTLING, {"is_checked": True}, False),
        (Stage.SETTLING, {}, True),
        (Stage.READY, {"is_unwanted": True}, False),
        (Stage.READY, {}, True),
    ],
)
def test_a_return_of_our_own_is_nobody_elses(stage, more, by_hand):
    """The worker was killed after it had asked for it."""
    step = decided(RUNNING, stage=stage, is_in_maintenance=True, is_returning=True, **more)
    assert step == d.Move(1, Stage.RETURNING, step.message)
    assert (step.message is not None) is by_hand

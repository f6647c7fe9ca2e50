"""The words for runs: their states, the stages of their hosts, and what may be chosen."""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ukcloud_maintenance.core.run.domains import DomainKind
from ukcloud_maintenance.core.run.order import Order
from ukcloud_maintenance.core.run.states import (
    ActionKind,
    ActionState,
    Approval,
    OnFailure,
    RunState,
    Stage,
)
from ukcloud_maintenance.store import Run, RunAction, RunHost

from ..common import formats
from ..common.labels import Label, needs_you


def run_state(run: Run, needs: int = 0) -> Label:
    """The state of a run in a word or two.

    :param needs: how many things of it need a person
    """
    state = run.state
    if state == RunState.RUNNING and needs:
        return Label(_("Running"), "warning", "exclamation-triangle", needs_you(needs))
    return {
        RunState.RUNNING: Label(
            _("Running"), "primary", "arrow-right", _("Hosts are taken out one after another.")
        ),
        RunState.PAUSED: Label(
            _("Paused"), "warning", "pause", _("No further host begins, and no action starts.")
        ),
        RunState.STOPPED: Label(
            _("Stopped"), "danger", "exclamation-triangle", _("A host failed: nothing begins.")
        ),
        RunState.CANCELLING: Label(
            _("Cancelling"),
            "warning",
            "hourglass-half",
            _("Hosts that have begun are finished or returned to service."),
        ),
        RunState.SUCCEEDED: Label(_("Finished"), "success", "check"),
        RunState.FAILED: Label(_("Finished, hosts failed"), "danger", "times"),
        RunState.CANCELLED: Label(_("Cancelled"), "default", "ban"),
    }.get(state, Label(str(state)))


def stage_words(stage: str) -> str:
    words: dict[str, str] = {
        Stage.WAITING: _("waiting"),
        Stage.DRAINING: _("being drained"),
        Stage.READY: _("drained"),
        Stage.ACTING: _("being maintained"),
        Stage.SETTLING: _("being watched"),
        Stage.RETURNING: _("being returned"),
        Stage.BRINGING_BACK: _("instances being brought back"),
        Stage.DONE: _("done"),
        Stage.FAILED: _("failed"),
        Stage.SKIPPED: _("left out"),
    }
    return words.get(stage, str(stage))


def stage_label(host: RunHost, *, is_yours: bool = False) -> Label:
    """The stage of a host, as the table shows it."""
    if is_yours:
        return Label(_("Yours"), "warning", "eye", _("It waits for you: empty, safe to power off."))
    kind, icon, words = {
        Stage.WAITING: ("default", "", ""),
        Stage.DRAINING: ("primary", "arrow-right", _("Its instances are being moved.")),
        Stage.READY: ("primary", "check", _("It is empty, and verified safe to power off next.")),
        Stage.ACTING: ("primary", "wrench", _("The maintenance action is in progress.")),
        Stage.SETTLING: (
            "info",
            "heartbeat",
            _("Its compute service must stay up for a while before its return."),
        ),
        Stage.RETURNING: ("info", "rotate-left", _("Its compute service is being enabled.")),
        Stage.BRINGING_BACK: ("info", "rotate-left", _("It is in service again.")),
        Stage.DONE: ("success", "check", _("It is in service again.")),
        Stage.FAILED: ("danger", "times", _("It stays as it is until a person looks at it.")),
        Stage.SKIPPED: ("default", "ban", ""),
    }.get(host.stage, ("default", "", ""))
    text = stage_words(host.stage)
    return Label(text[:1].upper() + text[1:], kind, icon, words)


def action_name(name: str) -> str:
    return name or _("by hand")


def action_state(action: RunAction) -> str:
    """How far one try of the action is."""
    if action.kind == ActionKind.HAND and action.state == ActionState.RUNNING:
        return _("waiting for a person")
    return {
        ActionState.INTENDED: _("about to start"),
        ActionState.RUNNING: _("in progress"),
        ActionState.DONE: _("done"),
        ActionState.LATER: _("to be tried again"),
        ActionState.FAILED: _("failed"),
        ActionState.UNKNOWN: _("end unknown"),
    }.get(action.state, str(action.state))


# -- what may be chosen ----------------------------------------------------------------------


def order_choices() -> list[tuple[str, str]]:
    return [
        (Order.BY_HAND.value, _("As listed here")),
        (Order.FEWEST.value, _("Fewest instances first")),
        (Order.FEW_MOVES.value, _("So that few instances move twice")),
    ]


def domain_choices() -> list[tuple[str, str]]:
    return [
        (DomainKind.ZONE.value, _("Availability zone")),
        (DomainKind.AGGREGATE.value, _("Host aggregates")),
        (DomainKind.NONE.value, _("None: the region is one")),
    ]


def failure_choices() -> list[tuple[str, str]]:
    return [
        (OnFailure.STOP.value, _("Stop: no further host begins until a person decides")),
        (OnFailure.SKIP.value, _("Go on with the next host, up to this many failed hosts:")),
    ]


def approval_choices() -> list[tuple[str, str]]:
    return [
        (Approval.NONE.value, _("Not needed")),
        (Approval.FIRST.value, _("Before the first host")),
        (Approval.EACH.value, _("Before each host")),
    ]


def chosen(choices: list[tuple[str, str]], value: str) -> str:
    return dict(choices).get(value, str(value))


def pace(run: Run) -> str:
    """How many hosts are out at a time, and of one failure domain."""
    n = run.at_once
    text = (
        _("one at a time")
        if n == 1
        else ngettext("%(n)s at a time", "%(n)s at a time", n) % {"n": formats.number(n)}
    )
    if run.domain == DomainKind.NONE:
        return text
    if run.per_domain and run.per_domain < n:
        more = ngettext(
            "at most %(n)s of one failure domain",
            "at most %(n)s of one failure domain",
            run.per_domain,
        ) % {"n": formats.number(run.per_domain)}
        return f"{text}, {more}"
    one_by_one = _("one failure domain at a time")
    return f"{text}, {one_by_one}" if n > 1 else text


def on_failure(run: Run) -> str:
    if run.on_failure == OnFailure.SKIP:
        return ngettext(
            "go on with the next host, at most %(n)s failed host",
            "go on with the next host, at most %(n)s failed hosts",
            run.failures,
        ) % {"n": formats.number(run.failures)}
    return _("stop until a person decides")

"""Of what somebody is told outside the pages, and how often it is tried. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

#: How a notice is coloured where it is shown: the words that Apprise has for it.
INFO, SUCCESS, WARNING, FAILURE = "info", "success", "warning", "failure"


@dataclass(frozen=True)
class Kind:
    """What is told of a kind of event.

    :param topic: what the settings and webhooks call it
    :param tone: how it is coloured
    :param title: the code of its title
    :param title_back: … of a run that brings instances back; empty: nobody is told of that
    """

    topic: str
    tone: str
    title: str
    title_back: str = ""

    def title_of(self, *, back: bool) -> str:
        return self.title_back if back else self.title


#: Whatever somebody is told of, by the kind of the event in the record.
TOLD: Mapping[str, Kind] = {
    "drain_started": Kind("drain_started", INFO, "told_drain_started"),
    "needs_you": Kind("needs_you", WARNING, "told_needs_you", "told_needs_you_back"),
    "drain_succeeded": Kind("drained", SUCCESS, "told_drained"),
    "safe_to_power_off": Kind("safe", SUCCESS, "told_safe"),
    "safe_withdrawn": Kind("withdrawn", WARNING, "told_withdrawn"),
    "drain_failed": Kind("failed", FAILURE, "told_failed", "told_failed_back"),
    "host_returned": Kind("host_back", SUCCESS, "told_host_back"),
    "run_host_yours": Kind("needs_you", WARNING, "told_run_yours"),
    "run_reminder": Kind("needs_you", WARNING, "told_run_yours"),
    "run_waits_for_approval": Kind("needs_you", WARNING, "told_run_approval"),
    "run_stopped": Kind("needs_you", FAILURE, "told_run_stopped"),
    "run_host_failed": Kind("action_failed", FAILURE, "told_run_host_failed"),
    "run_succeeded": Kind("run_finished", SUCCESS, "told_run_succeeded"),
    "run_failed": Kind("run_finished", FAILURE, "told_run_failed"),
    "run_cancelled": Kind("run_finished", INFO, "told_run_cancelled"),
    "worker_silent": Kind("worker_silent", FAILURE, "told_worker_silent"),
}
TOPICS = tuple(dict.fromkeys(kind.topic for kind in TOLD.values()))
#: The topic of a notice that only tells that it arrives.
TEST = "test"


def topic_of(kind: str, *, back: bool) -> str:
    """What an event of that kind is called where somebody is told of it, or empty.

    :param back: it is of a run that brings instances back
    """
    told = TOLD.get(kind)
    return told.topic if told and told.title_of(back=back) else ""


#: Pause after the first failed attempt to deliver a notice, in seconds; it doubles each time, up
#: to …
RETRY_SECONDS = 10.0
RETRY_MAX_SECONDS = 600.0
#: A notice that is older, in seconds, is given up when an attempt fails.
GIVE_UP_SECONDS = 86400.0
#: Answers of a webhook that refuse this notice, and would again: others behind it may be taken.
_FOR_GOOD = frozenset({400, 413, 422})


def retry_after(attempts: int, age: float, status: int | None) -> float | None:
    """The seconds until the next attempt to deliver a notice; None: it is given up.

    :param attempts: how many there were, the one that failed among them
    :param age: of what it tells, in seconds
    :param status: what a webhook answered, or None
    """
    if age >= GIVE_UP_SECONDS or status in _FOR_GOOD:
        return None
    return float(min(RETRY_SECONDS * 2 ** min(attempts - 1, 10), RETRY_MAX_SECONDS))

"""What somebody is told outside the pages, and what kept it from them."""

from collections.abc import Mapping

from ..template import Template

_TITLES: Mapping[str, Template] = {
    "told_drain_started": Template("{host}: drain started"),
    "told_needs_you": Template("{host}: the drain needs you"),
    "told_needs_you_back": Template("{host}: the return of its instances needs you"),
    "told_drained": Template("{host}: drained"),
    "told_safe": Template("{host}: safe to power off"),
    "told_withdrawn": Template("{host}: no longer safe to power off"),
    "told_failed": Template("{host}: the drain ended, and the host is not empty"),
    "told_failed_back": Template("{host}: not all instances came back"),
    "told_host_back": Template("{host}: back in service"),
    "told_run_yours": Template("{host}: yours to maintain"),
    "told_run_approval": Template("{host}: the run waits for an approval"),
    "told_run_stopped": Template("{host}: stopped"),
    "told_run_host_failed": Template("{host}: failed in its run"),
    "told_run_succeeded": Template("{host}: finished"),
    "told_run_failed": Template("{host}: over, with hosts that failed"),
    "told_run_cancelled": Template("{host}: cancelled"),
    "told_worker_silent": Template("{host}: the maintenance worker is silent"),
    "told_test": Template("Test of the notifications of hypervisor maintenance"),
}

TEMPLATES = {
    **_TITLES,
    "told_test_text": Template("Nothing has happened, and nothing is to be done."),
    "told_of_drain": Template(
        "Drain {drain} in region {region}, requested by {who}. Reason: {reason}"
    ),
    "told_of_run": Template("Run {run} in region {region}, requested by {who}. Reason: {reason}"),
    "needs_you": Template(
        "{count} instance needs you: {names}.", plural="{count} instances need you: {names}."
    ),
    "needs_you_for": Template("{name} ({need:word})", cause="An instance, and why it needs you."),
    "worker_silent": Template(
        "Worker {worker} on {host} has not reported since {since:time}.",
        remedy="Check its service and its log on that machine. Other workers take over its drains.",
    ),
    # -- why a notice did not arrive
    "told_refused": Template("The web server answered with status {status}."),
    "told_not_sent": Template(
        "It could not be sent ({fault}).",
        cause="The kind of the fault alone: its words would show the address.",
    ),
    "told_not_in_time": Template("It was not taken within {seconds} s."),
    "told_not_by_apprise": Template(
        "Apprise could not deliver it.",
        remedy="Test the same URL with the `apprise` command for its reason.",
    ),
    "told_url_unknown": Template("Apprise does not know this kind of URL, or a part is missing."),
    "no_receivers": Template(
        "Nobody is told of anything: the settings name no receiver.",
        remedy="Add one to NOTIFY or WEBHOOKS.",
    ),
}

"""The words for events: what each kind of them means, and whether it is good news."""

import re

from django.utils.translation import gettext_lazy

from ukcloud_maintenance.store import Event

from ..common import formats, labels

GOOD, BAD, WARN, PLAIN = "good", "bad", "warn", "plain"
ICONS = {GOOD: "check", BAD: "times", WARN: "exclamation-triangle", PLAIN: ""}
#: What each kind of event means, and whether it is good news.
KINDS = {
    "drain_requested": (gettext_lazy("Drain requested"), PLAIN),
    "drain_started": (gettext_lazy("Drain started"), PLAIN),
    "drain_paused": (gettext_lazy("Drain paused"), WARN),
    "drain_resumed": (gettext_lazy("Drain resumed"), PLAIN),
    "drain_reopened": (gettext_lazy("Drain reopened"), PLAIN),
    "drain_cancelled": (gettext_lazy("Drain cancelled"), WARN),
    "drain_succeeded": (gettext_lazy("Drained: the host is empty"), GOOD),
    "drain_failed": (gettext_lazy("Drain ended, the host is not empty"), BAD),
    "drain_changed": (gettext_lazy("Pace, destinations or window changed"), PLAIN),
    "limit_changed": (gettext_lazy("Number of migrations at once changed"), PLAIN),
    "limit_learned": (gettext_lazy("Number of migrations that Nova runs at once learned"), PLAIN),
    "window_closed": (gettext_lazy("The window ended: no new migrations start"), WARN),
    "waiting_for_blocked": (gettext_lazy("Waiting for blocked instances"), WARN),
    "needs_you": (gettext_lazy("Needs you"), WARN),
    "not_proved_yet": (gettext_lazy("Not verified empty yet"), WARN),
    "service_disabled": (gettext_lazy("Compute service disabled"), PLAIN),
    "service_enabled": (gettext_lazy("Compute service enabled"), PLAIN),
    "service_enabled_by_other": (gettext_lazy("Somebody enabled the compute service"), WARN),
    "safe_to_power_off": (gettext_lazy("Safe to power off"), GOOD),
    "safe_withdrawn": (gettext_lazy("No longer safe to power off"), WARN),
    "allocation_remove_asked": (
        gettext_lazy("Removal of a leftover allocation requested"),
        PLAIN,
    ),
    "allocation_removed": (gettext_lazy("Leftover allocation removed"), PLAIN),
    "allocation_not_removed": (gettext_lazy("Leftover allocation not removed"), BAD),
    "return_requested": (gettext_lazy("Return to service requested"), PLAIN),
    "return_refused": (gettext_lazy("Return to service refused"), BAD),
    "host_returned": (gettext_lazy("The host is back in service"), GOOD),
    "return_run_requested": (gettext_lazy("Bring-back of instances requested"), PLAIN),
    "host_down": (gettext_lazy("The host went down"), BAD),
    "host_back": (gettext_lazy("The host is up again"), GOOD),
    "cloud_down": (gettext_lazy("OpenStack does not answer"), BAD),
    "cloud_back": (gettext_lazy("OpenStack answers again"), GOOD),
    "worker_failed": (gettext_lazy("The worker failed on this drain"), BAD),
    "worker_silent": (gettext_lazy("A worker is silent"), BAD),
    "came_late": (gettext_lazy("A request was answered too late"), BAD),
    "put_off": (gettext_lazy("Postponed: OpenStack does not accept requests"), WARN),
    "joined": (gettext_lazy("Joined the drain"), PLAIN),
    "came_back": (gettext_lazy("Came back to the host"), WARN),
    "submitted": (gettext_lazy("Migration requested from Nova"), PLAIN),
    "adopted": (gettext_lazy("Found in Nova after the answer was lost"), PLAIN),
    "copying": (gettext_lazy("Nova started the migration"), PLAIN),
    "changed": (gettext_lazy("Migration method changed"), PLAIN),
    "late": (gettext_lazy("Running longer than expected"), WARN),
    "host_refused": (gettext_lazy("Host refused; left to the scheduler"), WARN),
    "attempt_failed": (gettext_lazy("Attempt failed"), BAD),
    "failed": (gettext_lazy("Failed"), BAD),
    "succeeded": (gettext_lazy("Arrived"), GOOD),
    "gone": (gettext_lazy("Gone from the host"), GOOD),
    "unknown": (gettext_lazy("Unknown where it runs"), BAD),
    "cancelled": (gettext_lazy("Not moved: the drain was cancelled"), WARN),
    "stays": (gettext_lazy("Stays on the host"), PLAIN),
    "blocked": (gettext_lazy("Blocked"), WARN),
    "unblocked": (gettext_lazy("No longer blocked"), GOOD),
    "confirm_asked": (gettext_lazy("Confirmation of the resize requested from Nova"), PLAIN),
    "resize_settled": (gettext_lazy("Resize settled"), GOOD),
    "abort_asked": (gettext_lazy("Abort requested"), PLAIN),
    "abort_refused": (gettext_lazy("Nova refused the abort"), BAD),
    "abort_unanswered": (gettext_lazy("Nova did not answer the abort"), WARN),
    "aborting": (gettext_lazy("Abort sent to Nova"), PLAIN),
    "aborted": (gettext_lazy("Aborted"), WARN),
    "force_asked": (gettext_lazy("Force complete requested"), PLAIN),
    "force_refused": (gettext_lazy("Nova refused force complete"), BAD),
    "force_unanswered": (gettext_lazy("Nova did not answer force complete"), WARN),
    "forced": (gettext_lazy("Force complete sent to Nova"), WARN),
    "timed_out": (gettext_lazy("Timeout exceeded"), WARN),
    "retried": (gettext_lazy("Retry requested"), PLAIN),
    "skipped": (gettext_lazy("Skipped"), PLAIN),
    "first": (gettext_lazy("Moved to the front"), PLAIN),
    "reset_asked": (gettext_lazy("Reset to active requested"), PLAIN),
    "reset_refused": (gettext_lazy("Nova refused the reset"), BAD),
    "reset": (gettext_lazy("Reset to active"), WARN),
}
#: The same of a run that brings instances back to their host.
_KINDS_BACK = {
    "drain_started": (gettext_lazy("Bring-back of instances started"), PLAIN),
    "drain_succeeded": (gettext_lazy("All instances to bring back have arrived"), GOOD),
    "drain_failed": (gettext_lazy("Finished, but not all instances came back"), BAD),
}


def kind_words(kind: str, back: bool = False) -> str:
    """A kind of event in words; one that is not known, by its own name.

    :param back: the run brings instances back to the host
    """
    known = (back and _KINDS_BACK.get(kind)) or KINDS.get(kind)
    return str(known[0]) if known else kind.replace("_", " ")


def kind_tone(kind: str) -> str:
    if kind in KINDS:
        return KINDS[kind][1]
    return BAD if kind.endswith(("_refused", "_failed")) else PLAIN


def kind_class(kind: str) -> str:
    """A kind of event as a part of a class name."""
    return re.sub(r"[^a-z0-9_-]", "", kind.lower())


def event_text(event: Event) -> str:
    """What was said of it."""
    said = labels.said(event.message)
    # What is said of an instance may be Nova's own words, which are left as they are.
    return said if event.migration_id else formats.in_zone(said)

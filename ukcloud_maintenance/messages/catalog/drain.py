"""What is said of a drain and its events."""

from collections.abc import Mapping

from ..template import Template

TEMPLATES: Mapping[str, Template] = {
    # -- it begins, waits, is kept from its work
    "waits_for_worker": Template("Waiting for a worker."),
    "waits_for_services": Template(
        "Waiting: the services of all hosts of the plan are disabled first ({hosts})."
    ),
    "waits_for_hosts": Template("Waiting for other hosts: {hosts} first."),
    "region_full": Template(
        "Waiting: the region has as many migrations in progress as MAX_IN_REGION allows."
    ),
    "destinations_full": Template(
        "Waiting: {hosts} has as many incoming migrations in progress as MAX_PER_DESTINATION"
        " allows.",
        plural="Waiting: {hosts} have as many incoming migrations in progress as"
        " MAX_PER_DESTINATION allows.",
    ),
    "destinations_unknown_full": Template(
        "Waiting: as many migrations with a still unknown destination are in progress as"
        " MAX_PER_DESTINATION allows."
    ),
    "limit_learned": Template("Nova runs {count} at a time on this host."),
    "not_given_back": Template(
        "The host was not returned to service, so no instances are brought back to it."
    ),
    "window_over": Template(
        "Its window ended before a worker could start it.",
        remedy="Set a new window and resume the drain.",
    ),
    "window_closed": Template(
        "The window has ended, so no new migrations start.",
        remedy="Resume the drain to continue without a window, set a new window and then resume"
        " it, or cancel it.",
    ),
    "service_enabled_by_other": Template(
        "Somebody enabled the compute service during the drain: new instances may be placed on"
        " the host.",
        remedy="Disable the service again (openstack compute service set --disable), or cancel"
        " the drain. The drain does not change it.",
    ),
    "no_service": Template("Nova no longer lists a compute service for host {host}."),
    "cell_not_reached": Template("Nova does not reach the cell of host {host}."),
    "host_down": Template("Host {host} is down."),
    "host_disabled": Template("The compute service of host {host} is disabled."),
    "nothing_new_until_back": Template("No new migrations start until it is back."),
    "openstack_trouble": Template("OpenStack returned an error. {detail}"),
    "openstack_busy": Template("OpenStack is busy and asks the worker to wait. {detail}"),
    "worker_failed": Template("The worker failed on this drain. {detail}"),
    "all_blocked": Template(
        "All remaining instances are blocked; they are checked again for a limited time."
    ),
    "waiting_for": Template("Waiting: {what:clauses}."),
    "verifying_empty": Template("Verifying that the host is empty."),
    "cancelling": Template("Cancelling; waiting for the migrations in progress to finish."),
    "nothing_was_touched": Template("Cancelled before it started; nothing was changed."),
    "aborts_and_enables": Template(
        "Migrations in progress are aborted; the service is enabled again."
    ),
    "aborts": Template("Migrations in progress are aborted; the service stays unchanged."),
    "lands_and_enables": Template("Migrations in progress finish; the service is enabled again."),
    "lands": Template("Migrations in progress finish; the service stays unchanged."),
    "waits_for_service": Template("Waiting for the host to be back in service."),
    "drain_asked_for": Template("A drain of this host was requested."),
    "tried_again": Template("The failed instances of this host are retried."),
    "came_late": Template(
        "A request by {worker} was answered after {seconds:duration}, when the worker no longer"
        " held this drain. Check the instance's migrations in Nova: the request may have been"
        " made twice."
    ),
    # -- it is changed
    "changed": Template("{what:clauses}"),
    "pace_changed": Template(
        "{count} migration at once, was {before}",
        plural="{count} migrations at once, was {before}",
    ),
    "placed_evenly": Template("destinations kept even, was chosen by the scheduler"),
    "placed_by_scheduler": Template("destinations chosen by the scheduler, was kept even"),
    "timeout_changed": Template("timeout action {action}, was {before}"),
    "window_start_removed": Template("window start removed, was {before:time}"),
    "window_end_removed": Template("window end removed, was {before:time}"),
    "window_start_set": Template("window start {at:time}"),
    "window_end_set": Template("window end {at:time}"),
    "window_start_moved": Template("window start {at:time}, was {before:time}"),
    "window_end_moved": Template("window end {at:time}, was {before:time}"),
    # -- how it ended
    "not_back_in_time": Template("The host did not come back in time."),
    "cancelled": Template("Cancelled."),
    "drained": Template("Drained."),
    "host_is_empty": Template("The host is empty."),
    "not_over": Template("Still in progress: {what:clauses}."),
    "unconfirmed_holds_both": Template(
        "A resize or cold migration that is not confirmed keeps its disk and allocation on both"
        " hosts: confirm or revert it (openstack server resize confirm or revert)."
    ),
    "not_enabled_cell": Template(
        "Nova does not reach the cell of host {host}, so the service was not enabled."
    ),
    "service_is_enabled": Template("The compute service is enabled."),
    "service_stays_disabled": Template("The compute service stays disabled."),
    "service_disabled_by_other": Template(
        "The compute service stays disabled, because somebody else gave a reason for it ({reason})."
    ),
    "service_disabled_without_reason": Template(
        "The compute service stays disabled, because somebody else disabled it (without a reason)."
    ),
    "service_not_known": Template("It is unknown whether the compute service is enabled again."),
    "left_host": Template("{done} of {total} left the host."),
    "stay_where_they_are": Template(
        "{count} instance stays where it is.", plural="{count} instances stay where they are."
    ),
    "back_on_host": Template(
        "{done} of {total} is back on {host}.", plural="{done} of {total} are back on {host}."
    ),
    "instance_left": Template("{name} ({state:word}): {why}"),
    "instance_left_without_reason": Template("{name} ({state:word})"),
    "instance_not_of_drain": Template("{name} ({status}): not part of the drain."),
    "not_known_where": Template(
        "It is unknown where {names} runs.", plural="It is unknown where {names} run."
    ),
    "arrived_unlike_before": Template(
        "Arrived in status {status}, which differs from before the migration: {names}."
    ),
}

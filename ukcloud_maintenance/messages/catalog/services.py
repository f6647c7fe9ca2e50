"""What is said of requests that are refused."""

from collections.abc import Mapping

from ..template import Template

_TAKE_FROM_LIST = "Host names must match exactly; copy the name from the Hosts page."
_BY_SCHEDULER = "Choose another host, or let the scheduler choose."
_EVACUATE = (
    "{known_as} Bring the host back up. Or use evacuation (openstack server evacuate), but"
    " only after it is certain that the machine is off (fenced): if it still runs, a second"
    " copy of each guest starts on the same disk."
)

#: A host, as it is for a drain or for what else is asked for.
HOSTS = {
    "unknown_host": Template(
        "There is no compute host named '{host}' in region {region}.",
        remedy="{known_as} " + _TAKE_FROM_LIST,
    ),
    "host_not_recorded": Template(
        "There is no record of a host named '{host}' in region {region}.", remedy=_TAKE_FROM_LIST
    ),
    "host_without_hypervisor": Template(
        "Nova does not report a hypervisor for host '{host}', so its allocations are unknown.",
        remedy=_TAKE_FROM_LIST,
    ),
    "drain_instead": Template(
        "Its hypervisor {hypervisor} belongs to the service of host {host}: drain that host.",
        cause="The service was renamed, or the hypervisor's name was given as the host's.",
    ),
    "host_unknown": Template(
        "Nova does not reach the cell of host {host}, so its state is unknown.",
        remedy="Restore the cell first.",
    ),
    "host_is_down": Template(
        "Host {host} is down, and live migration needs both hosts up.", remedy=_EVACUATE
    ),
    "host_is_forced_down": Template(
        "Host {host} is forced down, and live migration needs both hosts up.", remedy=_EVACUATE
    ),
    "host_bare_metal": Template(
        "The instances of host {host} are bare metal nodes (Ironic), which Nova cannot move.",
        remedy="Ask the owner of each node to move the workload, then take the node out of"
        " service in Ironic (openstack baremetal node maintenance set).",
    ),
    "host_returning": Template(
        "Host {host} is being returned to service (requested by {who}).",
        remedy="Wait until the return has finished, then drain the host again.",
    ),
    "host_is_destination": Template(
        "Drain {drain} of {source}, requested by {who}, moves instances to host {host}.",
        remedy="Wait until that drain has finished, or cancel it first.",
    ),
    "drain_open": Template(
        "Host {host} is already being drained (drain {drain}, requested by {who}).",
        remedy="Follow that drain, or cancel it first.",
    ),
    "drain_just_over": Template(
        "Host {host} was already being drained; that drain has just ended.",
        remedy="Reload the page; if the host is not empty, drain it again.",
        cause="Another drain was open when this one was requested, and has ended since.",
    ),
    "run_back_open": Template(
        "Instances are being brought back to host {host} (drain {drain}, requested by {who}).",
        remedy="Wait until that drain has finished, or cancel it first.",
    ),
    "host_not_in_maintenance": Template(
        "Host {host} is not in maintenance.", remedy="Drain the host first."
    ),
    "no_maintenance": Template(
        "Host {host} is not in maintenance: no drain of it was started since it was last"
        " returned to service.",
        remedy="To enable its service anyway: openstack compute service set --enable {host}"
        " nova-compute.",
    ),
    "unknown_maintenance": Template(
        "There is no maintenance {id}.", remedy="The page of the host shows its maintenances."
    ),
    "maintenance_busy": Template(
        "The maintenance of host {host} is being modified.", remedy="Try again."
    ),
    "returning": Template(
        "Host {host} is already being returned to service (requested by {who}): {what}",
        remedy="Wait until the return has finished.",
    ),
    "return_choice_unknown": Template(
        "'{choice}' is not a valid choice.", remedy="Choose one of: {known}."
    ),
    "choice_missing": Template("Choose what to do with the compute service."),
    "bring_back_needs_service": Template(
        "Instances cannot be brought back to host {host}, because its service stays disabled.",
        remedy="Choose to enable the service, or do not bring the instances back.",
    ),
    "allocation_in_use": Template(
        "The allocation of consumer {consumer} may still be in use: {why}",
        remedy="Remove it once every check of it passes.",
    ),
}

#: The host that instances are to go to.
DESTINATIONS = {
    "destination_in_maintenance": Template(
        "Destination {host} is in maintenance.",
        remedy="Return it to service first, choose another host, or let the scheduler choose.",
    ),
    "destination_is_drained": Template(
        "Destination {host} is being drained itself.", remedy=_BY_SCHEDULER
    ),
    "destination_to_be_drained": Template(
        "Destination {host} is one of the hosts to be drained.", remedy=_BY_SCHEDULER
    ),
    "destination_bare_metal": Template(
        "The nodes of destination {host} are bare metal (Ironic): instances cannot be moved there.",
        remedy=_BY_SCHEDULER,
    ),
    "destination_is_source": Template(
        "The destination is the host to be drained.",
        remedy="Choose another host, or let the scheduler choose.",
    ),
    "destination_unknown": Template(
        "There is no compute host named '{host}' to use as destination.",
        remedy="Host names must match exactly.",
    ),
    "destination_down": Template(
        "Destination {host} is down.", remedy="Choose another host, or let the scheduler choose."
    ),
    "destination_disabled": Template(
        "Destination {host} is disabled: {reason}.", remedy=_BY_SCHEDULER
    ),
    "destination_disabled_without_reason": Template(
        "Destination {host} is disabled.", remedy=_BY_SCHEDULER
    ),
    # said by releases that could follow the estimate of the start
    "destination_and_plan": Template(
        "Instances can either go to one named host or follow the plan, not both."
    ),
    "destination_not_taken": Template(
        "A destination can be given only for a retry.",
        remedy="Retry the instance to send it to a host of your choice.",
    ),
    "destination_is_set": Template(
        "All instances of this drain go to {host}.",
        remedy="To send instances elsewhere, cancel the drain and drain the host again without a"
        " destination.",
    ),
    "destination_missing": Template(
        "No destination is chosen.",
        remedy="Choose a host, or use Retry, which lets the scheduler choose.",
    ),
}

#: What a request says.
REQUESTS = {
    "reason_missing": Template(
        "A reason is required; everybody sees it as the service's disabled reason."
    ),
    "reason_too_long": Template(
        "The reason has {length} characters; Nova accepts at most {most}.", remedy="Shorten it."
    ),
    "note_too_long": Template(
        "The note has {length} characters; at most {most} are stored.", remedy="Shorten it."
    ),
    "characters_not_stored": Template(
        "The database cannot store these characters: {characters}",
        remedy="Remove them, or set up the database with the character set utf8mb4.",
    ),
    "order_unknown": Template("'{order}' is not a valid order.", remedy="Choose one of: {known}."),
    "max_concurrent_out_of_range": Template(
        "The number of migrations at once must be from 1 to {most}."
    ),
    "max_concurrent_no_number": Template(
        "The number of migrations at once is not a number: {words}.", remedy="Enter a whole number."
    ),
    "window_without_zone": Template(
        "{time} has no time zone.", remedy="Add one, for example +00:00."
    ),
    "window_out_of_range": Template("The year is out of range.", remedy="Choose another year."),
    "window_is_over": Template("The window ends in the past.", remedy="Choose a later end."),
    "window_is_empty": Template(
        "The window ends before it starts.", remedy="Choose a later end or an earlier start."
    ),
    "window_has_begun": Template(
        "The drain has started, so its start time can no longer be changed.",
        remedy="Pause the drain instead.",
    ),
    "timeout_action_unknown": Template(
        "'{action}' is not a valid timeout action.", remedy="Choose one of: {known}."
    ),
    "choice_unknown": Template(
        "'{choice}' is not a valid choice for server {server}.", remedy="Choose one of: {known}."
    ),
    "no_host_selected": Template("No host is selected.", remedy="Select at least one host."),
    "too_many_hosts": Template(
        "{count} hosts are too many for one plan; the maximum is {most}.",
        remedy="Request several plans.",
    ),
    "hosts_at_once_out_of_range": Template(
        "The number of hosts at a time must be from 0 (all) to {most}."
    ),
    "host_twice": Template("Host {host} is listed twice.", remedy="Name each host once."),
    "days_out_of_range": Template(
        "The number of days must be from 1 to {most}, not {days}.",
        remedy="Drains that are in progress or ended today are never removed.",
    ),
    "region_without_worker": Template(
        "No worker is configured for region {region}.",
        remedy='Add the region to {setting}["CLOUDS"].',
    ),
    "not_allowed": Template(
        "{name} is not permitted to do this (policy {rule}).",
        remedy="Ask whoever assigns roles for one that the policy permits.",
    ),
    "other_region": Template(
        "This belongs to region {theirs}, but region {region} is selected.",
        remedy="Switch to region {theirs} at the top of the page, and try again.",
    ),
}

#: A drain, a plan, and what can be done with them.
DRAINS = {
    "unknown_drain": Template(
        "There is no drain {id}.",
        remedy="The list of drains and `drain_status` show those that are recorded.",
    ),
    "drain_of_other_region": Template(
        "Drain {drain} belongs to region {region}.",
        remedy="Switch to region {region} at the top of the page to see it.",
    ),
    "drain_over": Template(
        "Drain {drain} has ended ({state:word}).",
        remedy="Retry instances that failed, or drain the host again if others are still on it.",
    ),
    "unexpected_error": Template(
        "An unexpected error occurred ({fault}).",
        remedy="Try again. If it occurs again, report it with the log, which has its details.",
    ),
    "drain_busy": Template("Drain {drain} is being modified.", remedy="Try again."),
    "drain_cannot": Template("Drain {drain}: {why}"),
    "nothing_failed": Template("Drain {drain} has no failed instances to retry."),
    "unknown_plan": Template(
        "There is no plan {id}.", remedy="The list of plans shows those that are recorded."
    ),
    "plan_of_other_region": Template(
        "Plan {plan} belongs to region {region}.",
        remedy="Switch to region {region} at the top of the page to see it.",
    ),
    # what was said by earlier versions
    "nothing_to_cancel": Template("Drain {drain} has ended; there is nothing to cancel."),
    "is_over": Template("The drain has ended ({state:word})."),
    "plan_not_changed": Template("The drains of a plan can only be changed one by one."),
    "plan_over": Template("Plan {plan} has ended."),
    "verb_unknown": Template("This action is not available for a plan.", remedy="Reload the page."),
    "paused_already": Template("The drain is already paused."),
    "nothing_to_pause": Template("The drain is {state:word}; there is nothing to pause."),
    "not_paused": Template("The drain is {state:word}, not paused."),
    "cancelled_already": Template(
        "The drain is already being cancelled, and its migrations in progress are being aborted."
    ),
    "nothing_to_retry": Template("The drain is {state:word}; drain the host again."),
    "nothing_to_change": Template("The drain is {state:word}; there is nothing to change."),
}

#: An instance of a drain, and what can be done with it.
INSTANCES = {
    "unknown_instance": Template(
        "Instance {id} is not part of drain {drain}.", remedy="Reload the page."
    ),
    "selected_elsewhere": Template(
        "A selected instance is not part of this drain.", remedy="Reload the page."
    ),
    "no_instance_selected": Template(
        "No instance is selected.", remedy="Select at least one instance."
    ),
    "none_in_table_selected": Template(
        "No instance is selected.", remedy="Select at least one in the table."
    ),
    "one_by_one": Template(
        "Instances can only be reset one by one, each on its own evidence.",
        remedy="Select one instance.",
    ),
    "instance_cannot": Template("{name}: {why}"),
    "instance_busy": Template("The instance is being modified. Try again."),
    "given_back_since": Template(
        "The host was returned to service after this drain ended; the instances on it now are"
        " not part of this drain.",
        remedy="Drain the host again.",
    ),
    "drain_has_state": Template("The drain is {state:word}."),
    "drain_has_state_again": Template("The drain is {state:word}; drain the host again."),
    "forced_already": Template("Its migration is already being forced to complete."),
    "forces_only_running": Template(
        "It is {status}; only the migration of a running instance can be forced to complete.",
        remedy="Wait until the migration is over, or abort it.",
    ),
    "no_migration_under_way": Template("No migration of it is in progress."),
    "no_live_migration": Template("No live migration of it is in progress."),
    "guest_not_known": Template(
        "It is unknown where its guest runs, and another migration could destroy it.",
        remedy="Check both hosts first, as described in the message of this instance.",
    ),
    "retries_only_failed": Template(
        "Only failed, skipped or blocked instances can be retried; it is {state:word}."
    ),
    "wrong_where_it_is": Template("It has already moved; repair it on the host where it is now."),
    "skips_only_waiting": Template(
        "Only waiting, blocked or failed instances can be skipped; it is {state:word}."
    ),
    "moved_already": Template("It has already moved."),
    "first_only_waiting": Template(
        "Only waiting instances can be moved to the front; it is {state:word}."
    ),
    "resets_only_errors": Template(
        "Only instances that Nova set to ERROR after a migration can be reset here.",
        remedy="The message of the instance says what to do with it.",
    ),
    "asked_already": Template("This was already requested."),
    "request_under_way": Template(
        "Another request to Nova is already in progress for it.",
        remedy="Wait until Nova has answered it.",
    ),
    "source_service_down": Template(
        "The compute service of its host is down, so it is unknown where the guest runs: it may"
        " already be at the destination.",
        remedy="Bring nova-compute back up first.",
    ),
    "no_record_yet": Template(
        "Nova has no record of its migration yet.", remedy="Try again in a moment."
    ),
    "aborted_already": Template("Its migration is already being aborted."),
    "abort_only_while": Template(
        "Its migration is {status}; Nova accepts an abort only while it is {known}.",
        remedy="Try again when it is.",
    ),
    "force_only_while": Template(
        "Its migration is {status}; Nova accepts force complete only while it is {known}.",
        remedy="Try again when it is.",
    ),
}

TEMPLATES: Mapping[str, Template] = {**HOSTS, **DESTINATIONS, **REQUESTS, **DRAINS, **INSTANCES}

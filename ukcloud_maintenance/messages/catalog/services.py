"""What is said of requests that are refused."""

from collections.abc import Mapping

from ..template import Template

_TAKE_FROM_LIST = "Host names are compared exactly; take the name from the list of hosts."
_BY_SCHEDULER = "Choose another one, or leave the choice to the scheduler."
_EVACUATE = (
    "{known_as} Bring it back. Or, but only after it is certain that the machine is off (fenced),"
    " use evacuation (openstack server evacuate): while it still runs, a second copy of each guest"
    " would start on the same disk."
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
        "Nova does not name the hypervisor of host '{host}', so that what is held of it is not"
        " known.",
        remedy=_TAKE_FROM_LIST,
    ),
    "drain_instead": Template(
        "Its hypervisor {hypervisor} belongs to the service of host {host}: drain that one.",
        cause="The service was renamed, or the hypervisor's name was taken for the host's.",
    ),
    "host_unknown": Template(
        "Nova does not reach the cell of host {host}, so its state is unknown.",
        remedy="Bring the cell back first.",
    ),
    "host_is_down": Template(
        "Host {host} is down: live migration needs both hosts alive.", remedy=_EVACUATE
    ),
    "host_is_forced_down": Template(
        "Host {host} was forced down: live migration needs both hosts alive.", remedy=_EVACUATE
    ),
    "host_bare_metal": Template(
        "The instances of host {host} are bare metal nodes of Ironic's: Nova moves them in no way.",
        remedy="Take a node out of service in Ironic (openstack baremetal node maintenance set),"
        " after its owner has moved what runs on it.",
    ),
    "host_returning": Template(
        "Host {host} is being given back to service (asked for by {who}).",
        remedy="Wait until that is over, then drain it again.",
    ),
    "host_is_destination": Template(
        "Drain {drain} of {source}, requested by {who}, sends instances to host {host}.",
        remedy="Wait until that is over, or cancel it first.",
    ),
    "drain_open": Template(
        "Host {host} is being drained already (drain {drain}, asked for by {who}).",
        remedy="Watch that drain, or cancel it first.",
    ),
    "drain_just_over": Template(
        "Host {host} is being drained already.",
        remedy="Watch that drain, or cancel it first.",
        cause="It was when this was asked for, and is over meanwhile.",
    ),
    "run_back_open": Template(
        "Instances are being brought back to host {host} (drain {drain}, asked for by {who}).",
        remedy="Wait until that is over, or cancel it first.",
    ),
    "host_not_in_maintenance": Template("Host {host} is not in maintenance."),
    "no_maintenance": Template(
        "Host {host} is not in maintenance: no drain of it was begun since it was last given back.",
        remedy="To enable its service all the same: openstack compute service set --enable {host}"
        " nova-compute.",
    ),
    "unknown_maintenance": Template("There is no maintenance {id}."),
    "maintenance_busy": Template(
        "The maintenance of host {host} changes too fast.", remedy="Try again."
    ),
    "returning": Template(
        "Host {host} is being given back already (asked for by {who}): {what}",
        remedy="Wait until that is over.",
    ),
    "return_choice_unknown": Template(
        "'{choice}' cannot be chosen.", remedy="Choose one of: {known}."
    ),
    "choice_missing": Template("Choose what becomes of the compute service."),
    "bring_back_needs_service": Template(
        "Instances cannot be brought back to host {host}: its service stays disabled.",
        remedy="Choose to enable the service, or leave the instances where they are.",
    ),
    "allocation_in_use": Template(
        "The allocation of consumer {consumer} is not proved to hold nothing: {why}"
    ),
}

#: The host that instances are to go to.
DESTINATIONS = {
    "destination_in_maintenance": Template(
        "The destination {host} is in maintenance.",
        remedy="Return it to service first, choose another one, or leave the choice to the"
        " scheduler.",
    ),
    "destination_is_drained": Template(
        "The destination {host} is being drained itself.", remedy=_BY_SCHEDULER
    ),
    "destination_to_be_drained": Template(
        "The destination {host} is to be drained itself.", remedy=_BY_SCHEDULER
    ),
    "destination_bare_metal": Template(
        "The nodes of the destination {host} are bare metal (Ironic): no instance can go there.",
        remedy=_BY_SCHEDULER,
    ),
    "destination_is_source": Template("The destination is the host that is to be drained."),
    "destination_unknown": Template(
        "There is no compute host named '{host}' to go to.",
        remedy="Host names are compared exactly.",
    ),
    "destination_down": Template("The destination {host} is down."),
    "destination_disabled": Template(
        "The destination {host} is disabled: {reason}.", remedy=_BY_SCHEDULER
    ),
    "destination_disabled_without_reason": Template(
        "The destination {host} is disabled.", remedy=_BY_SCHEDULER
    ),
    "destination_and_plan": Template(
        "The instances can go to one named host or follow the plan, not both."
    ),
    "destination_not_taken": Template("A destination can be named for a retry alone."),
    "destination_is_set": Template("All instances of this run go to {host}."),
    "destination_missing": Template(
        "No host is chosen.",
        remedy="Choose one, or use Retry, which leaves it to the scheduler.",
    ),
}

#: What a request says.
REQUESTS = {
    "reason_missing": Template(
        "A reason is needed; it is shown to everybody as the service's disabled reason."
    ),
    "reason_too_long": Template(
        "The reason is {length} characters long; Nova takes at most {most}."
    ),
    "note_too_long": Template("A note is {length} characters long; {most} are kept."),
    "order_unknown": Template("'{order}' is no order.", remedy="Choose one of: {known}."),
    "max_concurrent_out_of_range": Template(
        "The number of migrations at once must be from 1 to {most}."
    ),
    "max_concurrent_no_number": Template(
        "The number of migrations at once is not a number: {words}."
    ),
    "window_without_zone": Template(
        "{time} has no time zone.", remedy="Name one, for example +00:00."
    ),
    "window_is_over": Template("The end of the window is past."),
    "window_is_empty": Template("The window ends before it begins."),
    "window_has_begun": Template(
        "The drain has begun; the time of its beginning cannot be changed any more."
    ),
    "timeout_action_unknown": Template(
        "'{action}' is no timeout action.", remedy="Choose one of: {known}."
    ),
    "choice_unknown": Template(
        "'{choice}' cannot be chosen for server {server}.", remedy="Choose one of: {known}."
    ),
    "no_host_selected": Template("No host is selected."),
    "too_many_hosts": Template("{count} hosts are too many for one plan; it takes {most}."),
    "hosts_at_once_out_of_range": Template(
        "The number of hosts at a time must be from 0 (all) to {most}."
    ),
    "host_twice": Template("Host {host} is named twice."),
    "days_out_of_range": Template(
        "The number of days must be from 1 to {most}, not {days}.",
        remedy="What is under way, or was over today, is never removed.",
    ),
    "region_without_worker": Template(
        "No worker is set up for region {region}.",
        remedy='Add the region to {setting}["CLOUDS"].',
    ),
    "not_allowed": Template("{name} is not allowed to do this (policy {rule})."),
    "other_region": Template(
        "This is of region {theirs}, and region {region} is chosen now.",
        remedy="Switch to region {theirs} at the top of the page, and try again.",
    ),
}

#: A drain, a plan, and what can be done with them.
DRAINS = {
    "unknown_drain": Template("There is no drain {id}."),
    "drain_of_other_region": Template(
        "Drain {drain} belongs to region {region}.",
        remedy="Switch to region {region} at the top of the page to see it.",
    ),
    "drain_over": Template("Drain {drain} is over ({state:word})."),
    "nothing_to_cancel": Template("Drain {drain} is over; there is nothing left to cancel."),
    "drain_busy": Template("Drain {drain} changes too fast to be changed.", remedy="Try again."),
    "drain_cannot": Template("Drain {drain}: {why}"),
    "nothing_failed": Template("Nothing of drain {drain} failed that can be tried again."),
    "unknown_plan": Template("There is no plan {id}."),
    "plan_of_other_region": Template(
        "Plan {plan} belongs to region {region}.",
        remedy="Switch to region {region} at the top of the page to see it.",
    ),
    "plan_over": Template("Plan {plan} is over; there is nothing left to cancel."),
    "plan_not_changed": Template("The drains of a plan are changed one by one."),
    "verb_unknown": Template("This cannot be done with a plan."),
    "paused_already": Template("It is paused already."),
    "nothing_to_pause": Template("It is {state:word}; there is nothing to pause."),
    "not_paused": Template("It is {state:word}, not paused."),
    "cancelled_already": Template(
        "It is being cancelled already, and what flies is being aborted."
    ),
    "is_over": Template("It is over ({state:word})."),
    "nothing_to_retry": Template("It is {state:word}; drain the host again."),
    "nothing_to_change": Template("It is {state:word}; there is nothing to change."),
}

#: An instance of a drain, and what can be done with it.
INSTANCES = {
    "unknown_instance": Template(
        "Instance {id} is not part of drain {drain}.", remedy="Reload the page."
    ),
    "selected_elsewhere": Template(
        "An instance that was selected is not part of this drain.", remedy="Reload the page."
    ),
    "no_instance_selected": Template("No instance is selected."),
    "none_in_table_selected": Template(
        "No instance is selected.", remedy="Select at least one in the table."
    ),
    "one_by_one": Template(
        "Instances are reset one by one, each on its own evidence.", remedy="Select one."
    ),
    "instance_cannot": Template("{name}: {why}"),
    "instance_busy": Template("It changes too fast; try again."),
    "given_back_since": Template(
        "The host was given back to service since this drain ended; what runs on it now was never"
        " part of it.",
        remedy="Drain the host again.",
    ),
    "drain_has_state": Template("The drain is {state:word}."),
    "drain_has_state_again": Template("The drain is {state:word}; drain the host again."),
    "forced_already": Template("It is being forced to complete already."),
    "forces_only_running": Template("It is {status}, and Nova forces only what runs."),
    "no_migration_under_way": Template("No migration of it is under way."),
    "no_live_migration": Template("No live migration of it is under way."),
    "guest_not_known": Template(
        "Where its guest runs is not known, and another migration could destroy it.",
        remedy="Look on both hosts first, as its row says.",
    ),
    "retries_only_failed": Template(
        "Only what failed or was skipped is tried again; it is {state:word}."
    ),
    "wrong_where_it_is": Template(
        "It has moved; what is wrong with it is on the host where it is now."
    ),
    "skips_only_waiting": Template(
        "Only what waits, is blocked or failed is skipped; it is {state:word}."
    ),
    "moved_already": Template("It has moved already."),
    "first_only_waiting": Template("Only what waits can be the next; it is {state:word}."),
    "resets_only_errors": Template(
        "Only what Nova set to ERROR after its migration is reset from here."
    ),
    "asked_already": Template("This is asked for already."),
    "request_under_way": Template("Something is asked of Nova for it already."),
    "source_service_down": Template(
        "The compute service of its host is down, so where the guest runs is not known: it may be"
        " at the destination already.",
        remedy="Bring nova-compute back first.",
    ),
    "no_record_yet": Template("Nova has no record of its migration yet."),
    "aborted_already": Template("Its migration is being aborted already."),
    "abort_only_while": Template(
        "Its migration is {status:word}; Nova takes an abort only while it is {known}."
    ),
    "force_only_while": Template(
        "Its migration is {status:word}; Nova takes force complete only while it is {known}."
    ),
}

TEMPLATES: Mapping[str, Template] = {**HOSTS, **DESTINATIONS, **REQUESTS, **DRAINS, **INSTANCES}

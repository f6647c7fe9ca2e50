"""What is said of rolling runs: their hosts, their actions, and what holds them back."""

from collections.abc import Mapping

from ..template import Template

_LOOK = "Look at it, then retry the host, leave it out, or say that it is done."
_RETURN = "Look at it, then return it to service on its page (or use host_return)."

_HOSTS: Mapping[str, Template] = {
    "run_of_host": Template("{host}: {said:inline}."),
    "run_stage_waiting": Template("It is waiting again."),
    "run_stage_draining": Template("Its drain begins."),
    "run_stage_ready": Template("It is drained."),
    "run_stage_acting": Template("It is being maintained."),
    "run_stage_settling": Template("Its maintenance is done."),
    "run_stage_returning": Template("It is being returned to service."),
    "run_stage_bringing_back": Template("It is in service; its instances are brought back."),
    "run_stage_done": Template("It is in service."),
    "run_stage_failed": Template("It failed."),
    "run_stage_skipped": Template("It is left out."),
    "run_begins": Template("Its drain begins."),
    "run_host_left_out": Template("It was left out, as requested."),
    "run_drain_missing": Template(
        "Its drain is no longer on record.",
        remedy=_LOOK,
        cause="The record of the drain was cleared while the run was in progress.",
    ),
    "run_drain_failed": Template(
        "It was not emptied: {why:inline}.",
        remedy="See its drain for what is still on the host, then retry the host or leave it out.",
    ),
    "run_drain_cancelled": Template("Drain {drain} is cancelled, and the service enabled again."),
    "run_no_reason": Template("No reason is known."),
    "run_given_back_by_hand": Template("It was returned to service outside the run."),
    "run_given_back_undone": Template(
        "It was returned to service before anything was done with it."
    ),
    "run_drained_again": Template("It is being drained again; the run waits for that."),
    "run_host_is_empty": Template("It is empty and out of service, and waits for the run."),
    "run_waits_for_certificate": Template("It is being verified that it is safe to power off."),
    "run_not_empty_now": Template(
        "It is no longer safe to power off: its service is enabled, or an instance is on it. It"
        " is verified again."
    ),
    "run_never_safe": Template(
        "It was drained {seconds:duration} ago, and is not verified safe to power off.",
        remedy="See the checks on the host's page, then retry the host or leave it out.",
    ),
    "run_action_begins": Template("Action {action} begins."),
    "run_action_done": Template("The action is done."),
    "run_action_later": Template("The action is tried again at {at:time}."),
    "run_action_never_ready": Template(
        "The action asked {count} times to be tried again later.",
        plural="The action asked {count} times to be tried again later.",
        remedy=_LOOK,
    ),
    "run_action_gone": Template(
        "The settings of the worker no longer have an action {action}.",
        remedy="Define it in ACTIONS again and retry the host, or maintain the host by hand and"
        " say that it is done.",
    ),
    "run_action_too_long": Template(
        "No end of the action was reported within {seconds:duration}.", remedy=_LOOK
    ),
    "run_no_longer_safe": Template(
        "The host is no longer safe to power off, so the action is not begun.", remedy=_LOOK
    ),
    "run_maybe_sent": Template(
        "The worker was stopped while it sent the webhook, so it is unknown whether it was"
        " accepted.",
        remedy=_LOOK,
    ),
    "run_machine_lost": Template(
        "The command began on {machine}, where no worker runs now, so it is unknown how it ended.",
        remedy=_LOOK,
    ),
    "run_record_lost": Template(
        "The record of the command on {machine} is lost, so it is unknown how it ended.",
        remedy=_LOOK,
        cause="The directory of ACTIONS_DIRECTORY was replaced while a command ran, e.g. with a"
        " container.",
    ),
    "run_other_machine": Template(
        "The command began on {machine}, and can only be looked at by a worker there."
    ),
    "run_host_is_yours": Template(
        "Host {host} is yours: it is empty and safe to power off.",
        remedy="Press Maintenance Done (or use host_done {host}) when it may go back to service.",
    ),
    "run_host_is_yours_still": Template(
        "Host {host} has been yours for {seconds:duration}.",
        remedy="Press Maintenance Done (or use host_done {host}) when it may go back to service.",
    ),
    "run_waits_until_up": Template("Waiting until Nova reports its service up."),
    "run_settles": Template("Its service is up; it is watched until {until:time}."),
    "run_host_not_back": Template(
        "Nova has not reported its service up for {seconds:duration} after its maintenance.",
        remedy="Repair it, then retry the host.",
    ),
    "run_no_reboot": Template(
        "The action was to reboot {host}, but nothing shows that it did: its service was not"
        " seen down, and its uptime was not reset.",
        remedy=_LOOK,
    ),
    "run_same_uptime": Template("The uptime of {host} does not show a restart.", remedy=_LOOK),
    "run_same_version": Template(
        "The hypervisor of {host} still has version {version}.", remedy=_LOOK
    ),
    "run_agents_down": Template(
        "A network agent of {host} is not up: {agents:clauses}.",
        plural="{count} network agents of {host} are not up: {agents:clauses}.",
        remedy="Start what is not up, then retry the host, leave it out, or say that it is done.",
        cause="One that was not up before the action either is not counted.",
    ),
    "agent_dead_since": Template("{agent} ({kind}), last heard of at {at:time}"),
    "agent_dead": Template("{agent} ({kind}), never heard of"),
    "agent_off": Template("{agent} ({kind}), alive, but disabled in Neutron"),
    "agent_gone": Template("{agent}, no longer listed by Neutron"),
    "run_agents_unknown": Template(
        "Neutron lists no agent of {host}, and it is unknown which ones it had before the action.",
        remedy=_LOOK,
        cause="The list could not be read right before the action.",
    ),
    "run_canary_built": Template("A canary instance is being built on {host}."),
    "run_canary_deleted": Template("The canary instance on {host} is being deleted."),
    "run_canary_fine": Template("A canary instance ran on {host}."),
    "run_canary_failed": Template(
        "No canary instance ran on {host}: {why:inline}.",
        remedy="Repair the host, then retry it or leave it out.",
        cause="The reason is Nova's, or one of those below. The canary was deleted.",
    ),
    "run_canary_left": Template(
        "The canary instance of {host} could not be deleted: {server}.",
        remedy="Delete it, then retry the host or leave it out.",
    ),
    "run_canary_not_set": Template(
        "The settings of the worker have no CANARY.",
        remedy="Set it, or take canary out of the checks of the action.",
    ),
    "canary_vanished": Template("somebody else deleted it"),
    "canary_never_seen": Template("Nova does not list it"),
    "canary_late": Template("an earlier one was still there"),
    "canary_elsewhere": Template("Nova built it on {host}"),
    "canary_too_late": Template("it is {status} after {seconds:duration}"),
    "canary_no_hypervisor": Template(
        "the host needs exactly one hypervisor that is no bare metal, and has {count}"
    ),
    "run_return_refused": Template(
        "Its return to service was refused.",
        remedy="See why on the host's page, return it to service there, or leave it out.",
    ),
    "run_returned_not_up": Template(
        "It was enabled, but Nova does not report its service up.",
        remedy="Repair it, then retry the host.",
    ),
    "run_left_as_found": Template("Its maintenance is over; its service was left as it was found."),
    "run_in_service": Template("It is in service."),
    "run_brought_back": Template("It is in service, and its instances are back."),
    "run_some_not_back": Template(
        "It is in service, but not all instances were brought back: {why:inline}."
    ),
    "run_host_gone": Template("Nova no longer has a compute service of host {host}."),
}

_HOLDS: Mapping[str, Template] = {
    "run_waits_for_approval": Template(
        "Host {host} waits for an approval.",
        remedy="Press Approve (or use maintenance_run approve).",
    ),
    "run_waits_for_window": Template("Waiting for the next window, which opens at {at:time}."),
    "run_no_window": Template(
        "None of the windows opens in the next days.", remedy="Check the windows of the run."
    ),
    "run_too_long_for_window": Template(
        "Host {host} is forecast to take {seconds:duration}, which is longer than the window is"
        " still open."
    ),
    "run_fits_no_window": Template(
        "Host {host} is forecast to take {seconds:duration}, which is longer than every window.",
        remedy="Leave the host out, or cancel the run and request another one with longer windows"
        " or more migrations at once.",
        cause="Those that were done took longer than was thought. Other hosts begin before it.",
    ),
    "run_hosts_down": Template(
        "A host is down that was up when the run was requested: {hosts}.",
        plural="{count} hosts are down that were up when the run was requested: {hosts}.",
        remedy="Repair them; or set GATE_HOSTS_DOWN to False.",
    ),
    "run_instances_in_error": Template(
        "An instance is in ERROR that was not when the run was requested: {instances}.",
        plural="{count} instances are in ERROR that were not when the run was requested:"
        " {instances}.",
        remedy="Repair or delete them; or set GATE_ERRORS to False.",
    ),
    "run_no_room": Template(
        "There is no room elsewhere for an instance: {instances}. {relief:sentences}",
        plural="There is no room elsewhere for {count} instances: {instances}. {relief:sentences}",
        cause="Checked before each host, for as many hosts as may be out at a time.",
    ),
    "run_paused": Template("Paused by {who}: no host begins, and no action is started."),
    "run_being_cancelled": Template(
        "Cancelled by {who}: no host begins; those that have begun are returned to service."
    ),
    "run_cancelled": Template("Cancelled; no host is out of service because of the run."),
    "run_cancelled_but_out": Template(
        "Cancelled; a host is still out of service: {hosts}.",
        plural="Cancelled; {count} hosts are still out of service: {hosts}.",
        remedy=_RETURN,
    ),
    "run_stopped": Template(
        "Stopped because a host failed: {hosts}.",
        plural="Stopped because {count} hosts failed: {hosts}.",
        remedy="Retry the host or leave it out; or resume the run without it.",
    ),
    "run_failed": Template(
        "Over, with a host that failed: {hosts}.",
        plural="Over, with {count} hosts that failed: {hosts}.",
    ),
    "run_succeeded": Template(
        "Over: {count} host, in service or left out as requested.",
        plural="Over: {count} hosts, all in service or left out as requested.",
    ),
    "run_all_done": Template(
        "Over: its host is back in service.",
        plural="Over: all {count} hosts are back in service.",
    ),
    "run_over_but_out": Template(
        "Over; a host that was left out is still out of service: {hosts}.",
        plural="Over; {count} hosts that were left out are still out of service: {hosts}.",
        remedy=_RETURN,
    ),
    "run_all_skipped": Template("Over: all hosts were left out, as requested."),
    "run_done_but": Template(
        "Over: {count} host is back in service; left out as requested: {hosts}.",
        plural="Over: {count} hosts are back in service; left out as requested: {hosts}.",
    ),
    "worker_failed_on_run": Template("The worker failed on this run: {detail:inline}."),
    "run_named": Template("run {run}"),
    "run_host_named": Template("host {host} of run {run}"),
}

_ASKED: Mapping[str, Template] = {
    "run_requested": Template("{reason} ({count} host)", plural="{reason} ({count} hosts)"),
    "run_goes_on": Template("Run resumed."),
    "run_asked_pause": Template("Pause."),
    "run_asked_resume": Template("Resume; hosts that failed stay as they are."),
    "run_asked_cancel": Template("Cancel."),
    "run_approved": Template("Host {host} may begin."),
    "run_host_skipped": Template("Host {host} is left out."),
    "run_host_retried": Template("Host {host} is tried again."),
    "run_host_done_by": Template("{who} says that the maintenance of {host} is done."),
    "run_hosts_added": Template("Added: {hosts}."),
    "unknown_run": Template(
        "There is no run {id}.",
        remedy="The list of runs and `maintenance_run list` show those that are recorded.",
    ),
    "run_host_unknown": Template(
        "Run {run} has no host {host}.", remedy="See `maintenance_run status {run}`."
    ),
    "run_host_in_none": Template(
        "Host {host} is in no run that is not over.",
        remedy="`maintenance_run list` shows the runs.",
    ),
    "run_host_taken": Template(
        "Host {host} is in run {run} already.",
        remedy="Wait until that run is over, or leave the host out of it.",
    ),
    "run_acts_on_host": Template(
        "Host {host} is being maintained in run {run}.",
        remedy="Wait until that is done, or say that it is; the run then returns it to service.",
    ),
    "run_busy": Template("Run {run} is being modified.", remedy="Try again."),
    "run_is_over": Template("The run is over ({state:word})."),
    "run_is_cancelled": Template("The run is being cancelled."),
    "run_not_running": Template("The run is not running ({state:word})."),
    "run_runs_already": Template("The run is running already."),
    "run_needs_no_approval": Template("No host of the run waits for an approval."),
    "run_host_not_to_be_left_out": Template(
        "A host that is {stage:word} is finished first.", remedy="Wait for it."
    ),
    "run_host_has_not_failed": Template(
        "Only a host that failed can be tried again; this one is {stage:word}."
    ),
    "run_command_runs": Template(
        "A command runs on this host.", remedy="Wait for its end, which the run sees by itself."
    ),
    "run_host_not_acted_on": Template(
        "Nothing is being done on this host that could be done; it is {stage:word}."
    ),
    "run_action_unknown": Template(
        "There is no action {action}.",
        remedy="Use one of those in the settings (ACTIONS), or leave the work to a person."
        " Available: {known}.",
    ),
    "run_choice_unknown": Template("'{choice}' is none of {known}."),
    "run_number_out_of_range": Template("Must be a number from {least} to {most}."),
    "run_no_aggregate": Template(
        "No aggregate is named.", remedy="Name those whose hosts fail together."
    ),
    "run_aggregate_unknown": Template(
        "There is no aggregate {name}.", remedy="Available: {known}."
    ),
    "run_never_fits": Template(
        "No window is long enough for these hosts: {hosts}.",
        remedy="Use longer windows, or more migrations at once.",
    ),
}

TEMPLATES: Mapping[str, Template] = {**_HOSTS, **_HOLDS, **_ASKED}

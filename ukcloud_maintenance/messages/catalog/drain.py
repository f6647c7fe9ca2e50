"""What is said of a drain, its instances and its events."""

from collections.abc import Mapping

from ..template import Template

_LOOK = "Confirm or revert the resize."

_INSTANCE: Mapping[str, Template] = {
    # -- where it is
    "this_host": Template("this host"),
    "host_named": Template("host {host}"),
    "every_destination": Template("every host that it was migrated to"),
    "another_host": Template("another host"),
    "no_host_yet": Template("no host yet"),
    "no_record": Template("no record"),
    "not_known_to_nova": Template("not known to Nova"),
    "somebody_else": Template("somebody else"),
    "the_drain": Template("the drain"),
    "run_back": Template("run {drain}, which brings instances back to {host}"),
    "drain_of": Template("drain {drain} of {host}"),
    "runs_on": Template("It runs on {host}."),
    "is_on": Template("It is {status} on {host}."),
    "is_now": Template("It is {status} now."),
    "look_on_both": Template(
        "Look on {source} and on {dest} with `virsh list --all --uuid`: which of them has domain"
        " {server_id}, and on which does it run? Until that is known do not start, stop, reboot,"
        " rebuild, evacuate, migrate or reset it. Where its disks are local, the newest data are on"
        " the host on which the guest runs, and the copy on the other host is out of date."
    ),
    # -- it leaves without us, or is back
    "deleted": Template("It was deleted."),
    "no_host": Template("It is on no host any more ({status})."),
    "moved_by": Template("It was moved to {host} by {who}."),
    "moved_by_into_error": Template(
        "It was moved by {who}, and arrived on {host} in ERROR. {fault}"
    ),
    "arrived_error": Template("It arrived on {host} in ERROR. {fault}"),
    "arrived_other": Template("It arrived on {host} as {status}; it was {before} before."),
    "nova_moves_it": Template("Nova moves it to {host} for {who} (task {task})."),
    "resize_holds_here": Template(
        "It runs on {host}, but a resize or cold migration of it waits for its confirmation, and"
        " its disk is still on {place}.",
        remedy=_LOOK,
    ),
    "arrived_unconfirmed": Template(
        "It is on {host} in VERIFY_RESIZE, and Nova does not confirm it; its disk is still on"
        " {place}.",
        remedy=_LOOK,
    ),
    "joined": Template("It appeared on the host after the drain began."),
    "came_back": Template("It is on this host again."),
    "moved_and_here_again": Template(
        "It was moved {count} time and is on {place} again.",
        plural="It was moved {count} times and is on {place} again.",
    ),
    "method_changed": Template("It is {status} now: {method:word} migration."),
    "leftovers_at_destination": Template(
        "Files of it from an earlier attempt are left on {hosts}, and it can go nowhere else. It is"
        " not sent there again.",
        remedy="Find out on both hosts where its guest runs (`virsh list --all`); where it is"
        " certain that it does not run on {hosts}, move the files there out of the way, and retry"
        " it. Or retry it to another host.",
    ),
    "still_blocked": Template("Still blocked: {why}"),
    # -- how an attempt goes
    "moves_to": Template("To {host}.", cause="Nova began to copy it, or was asked to."),
    "moves_anywhere": Template("To a host of the scheduler's choice."),
    "late": Template(
        "It takes longer than the {seconds:duration} that its memory and disk explain."
    ),
    "timed_out": Template("It has been copied for more than its timeout of {seconds:duration}."),
    "timeout_aborts": Template("It is aborted."),
    "timeout_forces": Template("It is forced to complete."),
    "timeout_lets_go_on": Template("It is to end soon, and is let go on until {until:time}."),
    "source_down": Template(
        "The compute service of {host} is not up: until it is back, whether the guest still runs"
        " there is not known, and Nova is asked for nothing."
    ),
    "put_off": Template("Not requested yet. {why}"),
    "answer_lost": Template("The answer got lost: {what}"),
    "nova_refused": Template("Nova refused: {words}"),
    "adopted": Template("Nova has the request whose answer got lost."),
    "never_sent": Template("The request never reached Nova."),
    "resized_again": Template(
        "Another resize of it has begun since, which is not ours to confirm."
    ),
    "group_on_its_way": Template(
        "It waits for a member of its anti-affinity group that is on its way."
    ),
    "limits_reached": Template("It waits, because as many are under way as the settings allow."),
    "cancelled_before_its_turn": Template("The drain was cancelled before its turn came."),
    "cancelled_before_it_began": Template("The drain was cancelled before it began."),
    "skipped_by": Template("Taken off the list by {who}."),
    # -- how it ended
    "nothing_begun": Template("Nova took the request and began nothing."),
    "record_gone": Template(
        "Nova's record of the migration is gone, and the server is still here."
    ),
    "without_record": Template("Nova has no record of the migration."),
    "not_begun_yet": Template(
        "Nova took the request and has not begun the migration ({status}): its message was lost, or"
        " nova-conductor does not work."
    ),
    "migration_over": Template("The migration is over ({status})."),
    "record_left_open": Template(
        "Nova no longer does anything with the server, but its record of migration {record} to"
        " {dest} says {status} still."
    ),
    "completed_at_source": Template(
        "Nova says that the migration is completed, but has the server on its source."
    ),
    "migration_aborted": Template("The migration was aborted."),
    "rolled_back": Template("The migration failed and was rolled back."),
    "ended_in_error": Template("The migration ended in error."),
    "reverted": Template("The migration was reverted by somebody else."),
    "task_does_not_end": Template(
        "{what:inline}, but Nova's task {task} on the server does not end."
    ),
    "restart_ends_task": Template(
        "Look into the log of nova-compute on {host}: a restart of it ends the task."
    ),
    "task_stuck_elsewhere": Template(
        "It is on {host} by now, but Nova's task {task} on it does not end."
    ),
    "waits_for_word": Template(
        "{what:inline}. libvirt may finish the copy alone: whether the guest runs on {host} is"
        " asked {seconds:duration} after that."
    ),
    "asked_again": Template("It is asked again."),
    "never_left": Template("The hypervisor says that its guest runs on {place}: it never left."),
    "guest_runs_here": Template("The hypervisor of {host} says that the guest runs there."),
    "guest_not_found": Template("The hypervisor of {host} has no running guest of it."),
    "guest_doubtful": Template(
        "The hypervisor of {host} says that the guest runs there, but Nova's own words or its power"
        " state say otherwise."
    ),
    "guest_paused": Template("It is PAUSED, and Nova tells only of guests that run."),
    "guest_shut_off": Template(
        "It is shut off, so no hypervisor can tell where its newest disk is."
    ),
    "no_word": Template("The hypervisor of {host} did not say whether the guest runs there."),
    "no_word_because": Template(
        "The hypervisor of {host} did not say whether the guest runs there ({why})."
    ),
    "error_after_migration": Template(
        "The server is in ERROR after its {method:word} migration ({record})."
    ),
    "error_at_source": Template(
        "The server is in ERROR on {place} after its {method:word} migration ({record})."
    ),
    "error_after_abort": Template(
        "Its migration was aborted, and Nova set the server to ERROR afterwards (record: {status})."
    ),
    "error_left_by_nova": Template(
        "Nova 33 and 34 leave servers so after an abort. Look at the evidence: where it is"
        " complete, Reset to Active corrects Nova's database, and the instance can be retried. Do"
        " not start or rebuild it: its guest is alive."
    ),
    "aborted_by_cancel": Template(
        "Its migration was aborted, because the drain was cancelled. {where}"
    ),
    "aborted_as_asked": Template("Its migration was aborted, as {who} asked. {where}"),
    "aborted_after_timeout": Template("Its migration was aborted, after its timeout. {where}"),
    "left_under_way": Template(
        "Its migration was still in progress ({status}) when the wait of {seconds:duration} for it"
        " ended. Nova may finish it."
    ),
    "cannot_be_told": Template("Where the guest runs cannot be told from here."),
    "lost_with_worker": Template(
        "The worker failed while it was migrated, so where the guest runs is not known."
    ),
    "lost_with_openstack": Template(
        "OpenStack stopped answering while it was migrated, so where the guest runs is not known."
    ),
    # -- what was requested of Nova for it
    "abort_refused": Template("Nova refused the abort: {words}"),
    "force_refused": Template("Nova refused to force it: {words}"),
    "reset_refused": Template("Nova refused to reset it: {words}"),
    "reset_sent": Template("Nova was asked to set it to active."),
    "not_reset": Template("It was not reset: {why}"),
    "reset": Template("Its state was reset to active, as {who} asked; it runs on {host}."),
    "abort_not_taken": Template("Nova did not take an abort: {why}"),
    "force_not_taken": Template("Nova did not take force complete: {why}"),
    "was_over": Template("it was over before."),
    "other_attempt": Template("another attempt has begun since."),
    "cancel_aborts": Template("the drain is cancelled, and what is under way is aborted."),
    "no_answer_to": Template(
        "it did not answer {count} request.", plural="it did not answer {count} requests."
    ),
    "status_by_now": Template("it is {status} by now."),
    # -- what stands against asking Nova to move it
    "migration_still_open": Template(
        "Nova's record of migration {record} to {dest} is still {status}, though Nova does nothing"
        " with the server. The copy may still be in progress: check with `virsh domjobinfo"
        " {server_id}` on {source}. If no copy is in progress and the guest runs on {host}, set"
        " that record to error in Nova's database, then retry."
    ),
    "left_in_doubt_started": Template(
        "When migration {record} to {dest} ended as {status}, Nova did not find the guest on"
        " {host}. What is on {host} now may have been started anew from an older disk, while the"
        " guest with the newest data is on {dest}. {look} Once it is on no host but {host}, a"
        " migration by hand that arrives ends this doubt."
    ),
    "left_in_doubt": Template(
        "Migration {record} to {dest} ended as {status}, and of a server that is {server_status} no"
        " hypervisor's word can be had. Its newest disk may be on {dest}. {look}"
    ),
    "guest_silent": Template(
        "The hypervisor of {host} did not say whether the guest runs there, so Nova is not asked to"
        " migrate it. {why} {look}"
    ),
    "guest_power_state": Template(
        "The hypervisor of {host} says that the guest runs there, but Nova's power state of it is"
        " {power} (1 is running). Nova corrects it by itself within sync_power_state_interval (10"
        " minutes by default) where the guest is well."
    ),
    "guest_not_here": Template(
        "Nova has it as {status} on {host}, but the hypervisor of {host} has no running guest of"
        " it. {look}"
    ),
    "guest_not_here_shut_down": Template(
        "Nova has it as {status} on {host}, but the hypervisor of {host} has no running guest of"
        " it. If it was shut down from within, Nova notices within sync_power_state_interval (10"
        " minutes by default). Otherwise look for it with `virsh list --all --uuid` on {host}."
    ),
}

#: What can be done about a copy that does not end, and what it costs.
_WAYS: Mapping[str, Template] = {
    "way_wait": Template("Wait.", remedy="The guest is not interrupted."),
    "way_wait_long": Template(
        "Wait, or give the migration more time.",
        remedy="The guest is not interrupted; the drain takes longer, and other instances wait"
        " meanwhile.",
    ),
    "way_wait_in_vain": Template(
        "Wait for the guest to write less.",
        remedy="The guest is not interrupted; as long as it writes like this, the copy does not"
        " end.",
    ),
    "way_wait_stalled": Template(
        "Look at the network between the two hosts and at nova-compute on both.",
        remedy="The guest is not interrupted; nothing is copied until the cause is gone.",
    ),
    "way_abort": Template(
        "Abort the migration.",
        remedy="As long as nova-compute of the source is up, the guest keeps running there,"
        " uninterrupted; what was copied so far is discarded, and the instance is still to be"
        " moved. Nova 33 and 34 may set the server to ERROR two seconds later, although its guest"
        " runs.",
    ),
    "way_force": Template(
        "Force the migration to complete.",
        remedy="The guest is paused until the rest is copied. Where Nova permits post-copy it is"
        " not: the guest goes on at the destination within seconds, slower at first, and is lost if"
        " the network fails then.",
    ),
    "way_force_in_vain": Template(
        "Force the migration to complete, once bytes are sent again.",
        remedy="The guest is paused until the rest is copied: while nothing is sent, for as long as"
        " that lasts.",
    ),
}

_DRAIN: Mapping[str, Template] = {
    # -- it begins, waits, is kept from its work
    "waits_for_worker": Template("Waiting for a worker."),
    "waits_for_services": Template(
        "Waits for its turn: the services of all hosts of the plan are disabled first ({hosts})."
    ),
    "waits_for_hosts": Template("Waits for its turn: {hosts} first."),
    "region_full": Template(
        "Waits for its turn: as many are under way in the region as MAX_IN_REGION allows."
    ),
    "destinations_full": Template(
        "Waits for its turn: as many are under way to {hosts} as MAX_PER_DESTINATION allows."
    ),
    "destinations_unknown_full": Template(
        "Waits for its turn: as many are under way whose destination is not known yet as"
        " MAX_PER_DESTINATION allows."
    ),
    "limit_learned": Template("Nova runs {count} at once here."),
    "not_given_back": Template("The host was not given back, so nothing is brought back to it."),
    "window_over": Template(
        "Its window was over before a worker could begin.",
        remedy="Give it a new one, and resume it.",
    ),
    "window_closed": Template(
        "The window is over, and nothing new is started.",
        remedy="Resume it to go on without a window, give it a new one and resume it then, or"
        " cancel it.",
    ),
    "service_enabled_by_other": Template(
        "The compute service was enabled by somebody while the drain runs: new instances may land"
        " on the host.",
        remedy="It is left as it is; disable it again, or cancel the drain.",
    ),
    "no_service": Template("Nova lists no compute service for host {host} any more."),
    "cell_not_reached": Template("Nova does not reach the cell of host {host}."),
    "host_down": Template("Host {host} is down."),
    "host_disabled": Template("The compute service of host {host} is disabled."),
    "nothing_new_until_back": Template("Nothing new is started until it is back."),
    "openstack_trouble": Template("OpenStack does not answer as it should. {detail}"),
    "openstack_busy": Template("OpenStack is busy and asks the worker to wait. {detail}"),
    "worker_failed": Template("The worker cannot work on this drain. {detail}"),
    "all_blocked": Template("All that is left is blocked, and looked at again for a time."),
    "waiting_for": Template("Waiting: {what:clauses}."),
    "verifying_empty": Template("Verifying that it is empty."),
    "cancelling": Template("Cancelled; waiting for the migrations under way to end."),
    "nothing_was_touched": Template("Cancelled before it began; nothing was touched."),
    "aborts_and_enables": Template("What is under way is aborted; the service is enabled again."),
    "aborts": Template("What is under way is aborted; the service is left as it is."),
    "lands_and_enables": Template("What is under way lands; the service is enabled again."),
    "lands": Template("What is under way lands; the service is left as it is."),
    "waits_for_service": Template("Waiting for the host to be back in service."),
    "drain_asked_for": Template("A drain of this host was asked for."),
    "tried_again": Template("What had failed on this host is tried again."),
    "came_late": Template(
        "A request of {worker} was answered after {seconds:duration}, when its claim on this drain"
        " was over. Look at Nova's record of it: it may have been requested twice."
    ),
    # -- it is changed
    "changed": Template("{what:clauses}"),
    "pace_changed": Template("{count} migrations at once, was {before}"),
    "timeout_changed": Template("timeout action {action}, was {before}"),
    "window_start_removed": Template("window start removed, was {before:time}"),
    "window_end_removed": Template("window end removed, was {before:time}"),
    "window_start_set": Template("window start {at:time}"),
    "window_end_set": Template("window end {at:time}"),
    "window_start_moved": Template("window start {at:time}, was {before:time}"),
    "window_end_moved": Template("window end {at:time}, was {before:time}"),
    # -- how it ended
    "not_back_in_time": Template("It did not come back in time."),
    "cancelled": Template("Cancelled."),
    "drained": Template("Drained."),
    "host_is_empty": Template("The host is empty."),
    "not_over": Template("Not over: {what:clauses}."),
    "unconfirmed_holds_both": Template(
        "A resize or cold migration that is not confirmed holds its disk and allocation on both"
        " hosts: confirm or revert it."
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
        "The compute service stays disabled, because somebody else gave a reason for it (without a"
        " word)."
    ),
    "service_not_known": Template("Whether the compute service is enabled again is not known."),
    "left_host": Template("{done} of {total} left the host."),
    "back_on_host": Template("{done} of {total} are back on {host}."),
    "instance_left": Template("{name} ({state:word}): {why}"),
    "instance_left_without_reason": Template("{name} ({state:word})"),
    "instance_not_of_drain": Template("{name} ({status}): it is not part of the drain."),
    "not_known_where": Template(
        "It is not known where {names} runs.", plural="It is not known where {names} run."
    ),
    "arrived_unlike_before": Template("Arrived in status {status}, unlike before: {names}."),
}

TEMPLATES: Mapping[str, Template] = {**_INSTANCE, **_WAYS, **_DRAIN}

"""What is said of an instance of a drain: where it is, how its attempts go, how it ended."""

from collections.abc import Mapping

from ..template import Template

_LOOK = "Confirm or revert the resize (openstack server resize confirm or revert)."

_INSTANCE: Mapping[str, Template] = {
    # -- where it is
    "this_host": Template("this host"),
    "host_named": Template("host {host}"),
    "every_destination": Template("every host that it was migrated to"),
    "another_host": Template("another host"),
    "no_host_yet": Template("no host yet"),
    "no_record": Template("no record"),
    "not_known_to_nova": Template("unknown to Nova"),
    "somebody_else": Template("somebody else"),
    "the_drain": Template("the drain"),
    "run_back": Template("run {drain}, which brings instances back to {host}"),
    "drain_of": Template("drain {drain} of {host}"),
    "runs_on": Template("It runs on {host}."),
    "is_on": Template("It is {status} on {host}."),
    "is_now": Template("It is {status} now."),
    "look_on_both": Template(
        "Run `virsh list --all --uuid` on {source} and on {dest}: which of them has domain"
        " {server_id}, and on which does it run? Until this is known, do not start, stop,"
        " reboot, rebuild, evacuate, migrate or reset the instance. If its disks are local, the"
        " newest data is on the host where the guest runs; the copy on the other host is out of"
        " date."
    ),
    # -- it leaves without us, or is back
    "deleted": Template("It was deleted."),
    "no_host": Template("It is no longer on any host ({status})."),
    "moved_by": Template("It was moved to {host} by {who}."),
    "moved_by_into_error": Template(
        "It was moved by {who} and arrived on {host} in ERROR. {fault}"
    ),
    "arrived_error": Template("It arrived on {host} in ERROR. {fault}"),
    "arrived_other": Template(
        "It arrived on {host} as {status}; before the migration it was {before}."
    ),
    "nova_moves_it": Template("Nova is moving it to {host} for {who} (task {task})."),
    "resize_holds_here": Template(
        "It runs on {host}, but it has a resize or cold migration that is not confirmed yet, and"
        " its disk is still on {place}.",
        remedy=_LOOK,
    ),
    "arrived_unconfirmed": Template(
        "It is on {host} in VERIFY_RESIZE, and Nova did not confirm the resize; its disk is"
        " still on {place}.",
        remedy=_LOOK,
    ),
    "joined": Template("It appeared on the host after the drain began."),
    "came_back": Template("It is back on this host."),
    "moved_and_here_again": Template(
        "It was moved {count} time and is back on {place}.",
        plural="It was moved {count} times and is back on {place}.",
    ),
    "method_changed": Template("It is now {status}, so its migration is now {method:word}."),
    "leftovers_at_destination": Template(
        "Files of an earlier attempt are still on {hosts}, and no other host can take it. It is"
        " not sent there again.",
        remedy="Run `virsh list --all` on both hosts. If its guest certainly does not run on"
        " {hosts}, move the files there out of the way and retry it. Or retry it to another"
        " host.",
    ),
    "still_blocked": Template("Still blocked: {why}"),
    # -- how an attempt goes
    "moves_to": Template("To {host}.", cause="Nova began to copy it, or was told to."),
    "moves_anywhere": Template("To a host chosen by the scheduler."),
    "late": Template(
        "Running longer than the {seconds:duration} expected for its memory and disk."
    ),
    "timed_out": Template("Its migration exceeded its timeout of {seconds:duration}."),
    "timeout_aborts": Template("The migration is aborted."),
    "timeout_forces": Template("The migration is forced to complete."),
    "timeout_lets_go_on": Template(
        "The copy should finish soon, so it may continue until {until:time}."
    ),
    "source_down": Template(
        "The compute service of {host} is down: until it is back, it is unknown whether the"
        " guest still runs there, and nothing is requested from Nova."
    ),
    "put_off": Template("Not requested from Nova yet. {why}"),
    "answer_lost": Template("Nova's answer was lost: {what}"),
    "nova_refused": Template("Nova refused the request: {words}"),
    "nova_says": Template(
        "Nova: {words} ({request_id})", cause="Nova's own words about an attempt that failed."
    ),
    "host_refused": Template(
        "Nova did not accept {host} as its destination; the scheduler chooses another host.",
        cause="The host was chosen to keep the region even, and something that only Nova knows"
        " stands against it.",
    ),
    "adopted": Template("Nova did receive the request whose answer was lost."),
    "never_sent": Template("The request never reached Nova."),
    "resized_again": Template(
        "Another resize of it has begun since, which the drain does not confirm."
    ),
    "group_on_its_way": Template(
        "Waiting for a member of its anti-affinity group that is being migrated."
    ),
    "limits_reached": Template(
        "Waiting: the limits in the settings allow no further migrations at once."
    ),
    "cancelled_before_its_turn": Template(
        "The drain was cancelled before this instance was moved."
    ),
    "cancelled_before_it_began": Template("The drain was cancelled before it started."),
    "skipped_by": Template("Skipped by {who}."),
    # -- how it ended
    "nothing_begun": Template("Nova accepted the request but started no migration."),
    "record_gone": Template(
        "Nova's record of the migration is gone, and the server is still on this host."
    ),
    "without_record": Template("Nova has no record of the migration."),
    "not_begun_yet": Template(
        "Nova accepted the request but has not started the migration ({status}): its message was"
        " lost, or nova-conductor does not work."
    ),
    "migration_over": Template("The migration has ended ({status})."),
    "record_left_open": Template(
        "Nova has no task in progress for the server, but its record of migration {record} to"
        " {dest} still says {status}."
    ),
    "completed_at_source": Template(
        "Nova reports the migration as completed, but the server as still on its source."
    ),
    "migration_aborted": Template("The migration was aborted."),
    "rolled_back": Template("The migration failed and was rolled back."),
    "ended_in_error": Template("The migration ended with an error."),
    "reverted": Template("The migration was reverted by somebody else."),
    "task_does_not_end": Template(
        "{what:inline}, but Nova's task {task} on the server does not finish."
    ),
    "restart_ends_task": Template(
        "Read the log of nova-compute on {host}: a restart of nova-compute ends the task."
    ),
    "task_stuck_elsewhere": Template(
        "It has arrived on {host}, but Nova's task {task} on it does not finish."
    ),
    "waits_for_word": Template(
        "{what:inline}. libvirt may still finish the copy by itself: after {seconds:duration}"
        " the worker checks whether the guest runs on {host}."
    ),
    "asked_again": Template("The worker checks again."),
    "never_left": Template("The hypervisor reports that its guest runs on {place}: it never left."),
    "guest_runs_here": Template("The hypervisor of {host} reports that the guest runs there."),
    "guest_not_found": Template("The hypervisor of {host} has no running guest for it."),
    "guest_doubtful": Template(
        "The hypervisor of {host} reports that the guest runs there, but Nova's status or power"
        " state contradicts that."
    ),
    "guest_paused": Template("It is PAUSED, and Nova reports only on running guests."),
    "guest_shut_off": Template(
        "It is shut off, so no hypervisor can tell where its newest disk is."
    ),
    "no_word": Template("The hypervisor of {host} did not report whether the guest runs there."),
    "no_word_because": Template(
        "The hypervisor of {host} did not report whether the guest runs there ({why})."
    ),
    "error_after_migration": Template(
        "The server is in ERROR after its {method:word} migration ({record})."
    ),
    "error_at_source": Template(
        "The server is in ERROR on {place} after its {method:word} migration ({record})."
    ),
    "error_after_abort": Template(
        "Its migration was aborted, and Nova then set the server to ERROR (record: {status})."
    ),
    "error_left_by_nova": Template(
        "Nova 33 and 34 do this to servers after an abort. Read the evidence: if it is complete,"
        " Reset to Active corrects Nova's database, and the instance can be retried. Do not"
        " start or rebuild it: its guest is alive."
    ),
    "aborted_by_cancel": Template(
        "Its migration was aborted, because the drain was cancelled. {where}"
    ),
    "aborted_as_asked": Template("Its migration was aborted, as requested by {who}. {where}"),
    "aborted_after_timeout": Template(
        "Its migration was aborted because it exceeded its timeout. {where}"
    ),
    "left_under_way": Template(
        "Its migration was still in progress ({status}) after {seconds:duration} of waiting."
        " Nova may still finish it."
    ),
    "cannot_be_told": Template("It is unknown where the guest runs."),
    "lost_with_worker": Template(
        "The worker failed while it was being migrated, so it is unknown where the guest runs."
    ),
    "lost_with_openstack": Template(
        "OpenStack stopped answering while it was being migrated, so it is unknown where the"
        " guest runs."
    ),
    # -- what was requested of Nova for it
    "abort_refused": Template("Nova refused the abort: {words}"),
    "force_refused": Template("Nova refused to force the migration to complete: {words}"),
    "reset_refused": Template("Nova refused to reset its state: {words}"),
    "reset_sent": Template("Nova was told to set it to active."),  # said by earlier versions
    "not_reset": Template("Its state was not reset: {why}"),
    "reset": Template("Its state was reset to active, as requested by {who}; it runs on {host}."),
    "abort_not_taken": Template("The migration was not aborted: {why}"),
    "force_not_taken": Template("The migration was not forced to complete: {why}"),
    "was_over": Template("it had already ended."),
    "other_attempt": Template("another attempt has started since."),
    "cancel_aborts": Template(
        "the drain is being cancelled, and migrations in progress are aborted."
    ),
    "no_answer_to": Template(
        "Nova did not answer {count} request.", plural="Nova did not answer {count} requests."
    ),
    "status_by_now": Template("it is now {status}."),
    # -- what stands against asking Nova to move it
    "migration_still_open": Template(
        "Nova's record of migration {record} to {dest} is still {status}, although Nova has no"
        " task in progress for the server. The copy may still be in progress: check with `virsh"
        " domjobinfo {server_id}` on {source}. If no copy is in progress and the guest runs on"
        " {host}, set that record to error in Nova's database, then retry."
    ),
    "left_in_doubt_started": Template(
        "When migration {record} to {dest} ended as {status}, Nova did not find the guest on"
        " {host}. What is now on {host} may have been started from an older disk, while the"
        " guest with the newest data is on {dest}. {look} Once it is on no host but {host},"
        " migrate it by hand: a migration that arrives settles this doubt."
    ),
    "left_in_doubt": Template(
        "Migration {record} to {dest} ended as {status}, and no hypervisor reports on a server"
        " that is {server_status}. Its newest disk may be on {dest}. {look}"
    ),
    "guest_silent": Template(
        "The hypervisor of {host} did not report whether the guest runs there, so no migration"
        " is requested from Nova. {why} {look}"
    ),
    "guest_power_state": Template(
        "The hypervisor of {host} reports that the guest runs there, but Nova's power state for"
        " it is {power} (1 means running). If the guest is well, Nova corrects this by itself"
        " within sync_power_state_interval (10 minutes by default)."
    ),
    "guest_not_here": Template(
        "According to Nova it is {status} on {host}, but the hypervisor of {host} has no running"
        " guest for it. {look}"
    ),
    "guest_not_here_shut_down": Template(
        "According to Nova it is {status} on {host}, but the hypervisor of {host} has no running"
        " guest for it. If it was shut down from within, Nova notices within"
        " sync_power_state_interval (10 minutes by default). Otherwise look for it with `virsh"
        " list --all --uuid` on {host}."
    ),
}

#: What can be done about a copy that does not end, and what it costs.
_WAYS: Mapping[str, Template] = {
    "way_wait": Template("Wait.", remedy="The guest is not interrupted."),
    "way_wait_long": Template(
        "Wait, or give the migration more time.",
        remedy="The guest is not interrupted. The drain takes longer, and other instances wait"
        " meanwhile.",
    ),
    "way_wait_in_vain": Template(
        "Wait until the guest writes less.",
        remedy="The guest is not interrupted. While it writes at this rate, the copy does not"
        " finish.",
    ),
    "way_wait_stalled": Template(
        "Check the network between the two hosts, and nova-compute on both.",
        remedy="The guest is not interrupted. Nothing is copied until the cause is removed.",
    ),
    "way_abort": Template(
        "Abort the migration.",
        remedy="While nova-compute on the source is up, the guest keeps running there without"
        " interruption. The data copied so far is discarded, and the instance still has to be"
        " moved. Nova 33 and 34 may set the server to ERROR two seconds later, although its"
        " guest runs.",
    ),
    "way_force": Template(
        "Force the migration to complete.",
        remedy="The guest is paused until the rest is copied. If Nova permits post-copy, it is"
        " not paused: it continues on the destination within seconds, slower at first, and is"
        " lost if the network fails during that time.",
    ),
    "way_force_in_vain": Template(
        "Force the migration to complete once data is transferred again.",
        remedy="The guest is paused until the rest is copied. While nothing is transferred, it"
        " stays paused.",
    ),
}

TEMPLATES: Mapping[str, Template] = {**_INSTANCE, **_WAYS}

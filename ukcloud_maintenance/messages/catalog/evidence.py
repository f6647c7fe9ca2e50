"""What is said of the evidence of where a guest runs, before its server is reset."""

from collections.abc import Mapping

from ..template import Template

TEMPLATES: Mapping[str, Template] = {
    "instance_gone": Template("The instance no longer exists."),
    "instance_not_in_error": Template("The instance is {status}, not ERROR."),
    "of_no_status": Template("without a status"),
    "instance_has_task": Template("Nova has a task in progress for the instance: {task}."),
    "instance_in_error": Template(
        "The instance is in ERROR, and Nova has no task in progress for it."
    ),
    "at_source": Template("According to Nova it is on {host}."),
    "not_at_source": Template("According to Nova it is on {host}, not on {source}."),
    "service_of_host_up": Template("The compute service of {host} is up."),
    "service_of_host_not_up": Template("The compute service of {host} is not up."),
    "abort_taken": Template("Nova accepted the abort of this migration."),
    "cancelled_before_error": Template(
        "The migration was cancelled before the instance went to ERROR."
    ),
    "error_of_other_cause": Template(
        "There is no record of an abort of this migration: the ERROR has another cause."
    ),
    "migration_not_known": Template("The migration is unknown."),
    "migration_of_other": Template("Migration {record} is not known to belong to this instance."),
    "migration_not_live": Template(
        "Migration {record} is not a live migration from {source} (it is {type} from {host})."
    ),
    "nowhere": Template("nowhere"),
    "migration_is_over": Template("Migration {record} is over: {status}."),
    "migration_is_not_over": Template("Migration {record} is not over: {status}."),
    "migration_ended_otherwise": Template("Migration {record} ended differently: {status}."),
    "newer_not_known": Template("It is unknown whether the instance was migrated since."),
    "not_migrated_since": Template("The instance was not migrated since."),
    "migrated_since": Template("The instance was migrated since."),
    "migration_from_to": Template("migration {record} ({type}, {status}) from {source} to {dest}"),
    "guest_not_told": Template("{host} did not report that the guest runs there."),
    "guest_told_too_long_ago": Template(
        "The report of {host} on the guest is {seconds:duration} old. Reload the page to get a"
        " new one."
    ),
    "guest_state": Template("The hypervisor of {host} reports that the guest is {state}."),
    "guest_state_by_driver": Template(
        "The hypervisor of {host} ({driver}) reports that the guest is {state}."
    ),
    # -- what it means
    "nothing_to_reset_gone": Template("The instance no longer exists: there is nothing to reset."),
    "nothing_to_reset": Template("The instance is not in ERROR: there is nothing to reset."),
    "error_without_harm": Template(
        "Nova 33 and 34 do this after an abort: they set the instance to ERROR a moment after"
        " the migration was cancelled, while the guest keeps running. {host} has just confirmed"
        " that the guest runs there.",
        remedy="Reset to Active corrects Nova's database. The guest is not touched.",
    ),
    "guest_may_be_elsewhere": Template(
        "It is not certain where the guest of this instance runs. According to Nova it is on"
        " {source}, but the guest may run on {dest}, on both hosts or on neither. Find out where"
        " it runs first: until then, no repair is offered here."
    ),
    # -- what to look at by hand
    "by_hand_leave_it": Template(
        "Until this is settled, do not start, reboot, rebuild, evacuate or migrate the instance,"
        " and do not reset its state. If its guest runs elsewhere, any of these could start a"
        " second copy from the same or an outdated disk, or destroy the running guest."
    ),
    "by_hand_paused": Template(
        "The instance was PAUSED before the migration, and Nova reports only on running guests:"
        " check on the hosts themselves whether the paused guest is there."
    ),
    "by_hand_where": Template(
        "On {source} and on {there}, run `virsh list --all --uuid --name`. Which of them has the"
        " domain {server_id}?"
    ),
    "by_hand_state": Template(
        "On each host that has the domain, run `virsh domstate {server_id}`. On which one does"
        " it run? A domain that is shut off is a leftover of a migration."
    ),
    "by_hand_disk": Template(
        "Which disk is the newest? A disk on shared storage or a volume is the same from every"
        " host. A local disk (a file in the instances folder) is newest on the host where the"
        " guest runs; the file on the other host is from before or during the migration."
    ),
    "by_hand_at_source": Template(
        "If it runs on {source} and on no other host, run `openstack server set --state active"
        " {server_id}`. This corrects Nova's database; the guest is not touched."
    ),
    "by_hand_there": Template(
        "If it runs on {there}, leave it running. Nova's database has the wrong host, and no"
        " command of Nova's API corrects that. Never let Nova start the instance on {source} if"
        " it has a local disk: that boots the disk from before the migration. Either correct"
        " host and node of the instance in Nova's database, and then heal its allocations"
        " (`nova-manage placement heal_allocations --instance {server_id}`). Or, only if all its"
        " disks are shared or volumes, shut it down from within, check that it runs on no host,"
        " and start it on {source}."
    ),
    "by_hand_nowhere": Template(
        "If it runs on neither host, do not start anything yet. Read the logs of nova-compute"
        " and libvirt on {source} and on {there}, and find out which host has the newest disk."
    ),
}

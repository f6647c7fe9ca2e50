"""What is said of a host: its certificate, its return to service, the evidence of where a guest
runs, and what Placement holds of it."""

from collections.abc import Mapping

from ..template import Template

_DELETED = (
    "Nova has no compute service of host {host}: it was deleted or renamed, and nothing of the host"
    " can be verified."
)
_CHOOSE = "Choose whether it is enabled all the same, or left as it is."

_CERTIFICATE: Mapping[str, Template] = {
    "certificate_scope": Template(
        "Looked at: Nova's instances, migrations and compute service of this host, and Placement's"
        " allocations. Not looked at: network agents (Neutron), volumes (Cinder), storage daemons"
        " such as Ceph OSDs, fencing (Masakari, host monitors, IPMI), and virtual machines outside"
        " Nova."
    ),
    "nothing_to_go_by": Template("This cannot be verified without a compute service."),
    "service_deleted": Template(
        _DELETED,
        remedy="End the maintenance where the machine was removed (host_return {host} --leave);"
        " else its nova-compute registers a new service when it starts, which is enabled unless"
        " Nova is set up otherwise.",
    ),
    "service_renamed": Template(
        _DELETED,
        remedy="Its hypervisor {hypervisor} belongs to the service of host {now} now: drain that"
        " one, and end this maintenance (host_return {host} --leave).",
    ),
    "service_replaced": Template(
        "The compute service of {host} was replaced by another one while this was read."
    ),
    "service_is_disabled": Template("The compute service is disabled."),
    "service_takes_instances": Template(
        "The compute service is enabled: new instances can arrive."
    ),
    "service_changed": Template(
        "The compute service was {before:word}, and {after:word} a moment later."
    ),
    "registered_anew": Template(
        "It was registered anew since the maintenance began (it is service {service}, and was"
        " {before})."
    ),
    "service_is_up": Template("The compute service is up."),
    "cell_answered": Template("The cell of this host answered."),
    "cell_did_not_answer": Template("This cannot be told: the cell of this host did not answer."),
    "no_servers": Template("No instance is on this host, deleted ones included."),
    "servers_here": Template(
        "{count} instance is on this host.", plural="{count} instances are on this host."
    ),
    "no_migrations": Template("No migration from or to this host is under way."),
    "migrations_here": Template(
        "{count} migration from or to this host is under way.",
        plural="{count} migrations from or to this host are under way.",
    ),
    "no_resizes": Template(
        "No resize or cold migration from or to this host waits to be confirmed."
    ),
    "resizes_here": Template(
        "{count} resize or cold migration from or to this host not confirmed: each holds its disk"
        " on both hosts until it is confirmed or reverted.",
        plural="{count} resizes or cold migrations from or to this host not confirmed: each holds"
        " its disk on both hosts until it is confirmed or reverted.",
    ),
    "holds_no_host": Template("{what}: a record left behind, it does not hold the host"),
    "no_allocations": Template("Placement shows no allocation on this host."),
    "allocations_here": Template(
        "Placement shows {count} allocation on this host.",
        plural="Placement shows {count} allocations on this host.",
    ),
    "placement_not_read": Template("Placement could not be read."),
    "hypervisor_not_named": Template(
        "Nova does not name the hypervisor of this host, so that its resource provider, and what is"
        " held of it, is not known."
    ),
    # -- who holds what
    "held": Template("{who}: {held}"),
    "held_elsewhere": Template("{who}: {held}; {where}"),
    "held_by_moved": Template(
        "{who}: {held}; {where}. While a migration of it is in progress that is as it should be;"
        " else compare with `openstack resource provider allocation show {consumer}`, and correct"
        " it with `nova-manage placement heal_allocations --force --instance {consumer}`"
    ),
    "held_left_behind": Template(
        "{who}: {held}; {where}. It is left behind, if all else fits: `host_allocations {host}"
        " --remove {consumer}` proves that, and removes exactly this"
    ),
    "held_by_server": Template("server {server}"),
    "held_by_migration": Template("migration {record} ({type}, {status}) of server {server}"),
    "held_by_unknown": Template(
        "consumer {consumer}, which is not known to be a server or a migration"
    ),
    "amount": Template("{resource} {n}"),
    "no_amount": Template("nothing"),
    "server_is_elsewhere": Template("the server is {status} on {host}"),
    "server_is_no_more": Template("the server does not exist any more"),
    "host_of_none": Template("no host"),
    # -- whether it is safe
    "check_failed": Template("{what} {details:clauses}."),
    "every_check_holds": Template("Every check holds."),
    "switched_off": Template(
        "The host went down, most likely because it was switched off. It was last verified to be"
        " safe at {at:time}, and everything but that still held."
    ),
    "switched_off_undated": Template(
        "The host went down, most likely because it was switched off. It was last verified to be"
        " safe, and everything but that still held."
    ),
    "not_verified_since": Template("It could not be verified since {at:time}. {detail}"),
    "not_verified": Template("It could not be verified. {detail}"),
    "not_in_maintenance": Template("The host is not in maintenance."),
    "being_given_back": Template("The host is being given back to service."),
    "being_drained": Template("The host is being drained (drain {drain})."),
    "not_verified_yet": Template("It was not verified yet."),
    "verified_ahead": Template(
        "It was last verified at {at:time}, which is still to come: the clock of the database was"
        " set back, so how long ago that was is not known.",
        remedy="Is a worker running?",
    ),
    "verified_too_long_ago": Template(
        "It was last verified {seconds} s ago, which is too long.", remedy="Is a worker running?"
    ),
    "verified_before_trouble": Template(
        "It was last verified {seconds} s ago, which is too long. {trouble}"
    ),
    "worker_failed_on_host": Template("The worker cannot work on this host. {detail}"),
}

_FORCED = "{forced} Instances are placed there as soon as its nova-compute reports."

_RETURN: Mapping[str, Template] = {
    # -- what a choice would do
    "service_gone": Template(
        "Nova has no compute service of host {host} (any more).",
        remedy="Leave the service as it is: the maintenance ends all the same.",
    ),
    "service_unknown": Template(
        "Nova does not reach the cell of host {host}, so its state is unknown.",
        remedy="Bring the cell back first. Or: leave the service as it is: the maintenance ends all"
        " the same.",
    ),
    "not_ours": Template(
        "It was not us who disabled the service of host {host}: it is disabled {how}.",
        remedy=_CHOOSE,
    ),
    "ends_without_nova": Template("The maintenance ends; nothing is asked of Nova."),
    "enabled_already": Template(
        "The service is enabled already. The maintenance ends when Nova sees the host up."
    ),
    "enables_ours": Template(
        'The service is enabled: it was us who disabled it ("{reason}"). The maintenance ends when'
        " Nova sees the host up."
    ),
    "enables_theirs": Template(
        "The service is enabled, although it was not us who disabled it (it is disabled {how}). The"
        " maintenance ends when Nova sees the host up."
    ),
    "stays_enabled": Template("The maintenance ends at once. The service stays enabled."),
    "stays_disabled_by_us": Template(
        'The maintenance ends at once. The service stays disabled ("{reason}").'
    ),
    "stays_disabled": Template("The maintenance ends at once. The service stays disabled {how}."),
    "stays_disabled_as_found": Template(
        "The maintenance ends at once. The service stays disabled {how}, as it was found."
    ),
    "with_reason": Template('with the reason "{reason}"'),
    "without_reason": Template("without a reason"),
    "up_when_undone": Template(
        "It was forced down, and Nova does not see it up before somebody undoes that (openstack"
        " compute service set --up {host} nova-compute)."
    ),
    # -- how it goes
    "left_alone": Template("Left alone, because somebody else moved them since: {names}."),
    "moved_to": Template("{name} (on {host})"),
    "service_being_enabled": Template("Nova is asked to enable the service."),
    "enable_answer_lost": Template(
        "The service is enabled; Nova's answer to our request got lost."
    ),
    "waits_for_cell": Template("Nova does not reach the cell of host {host}; waiting for it."),
    "waits_until_up": Template("The service is enabled; waiting until Nova sees it up."),
    "waits_until_up_by_other": Template(
        "The service is enabled (it was enabled by somebody else); waiting until Nova sees it up."
    ),
    "disabled_again_for_now": Template(
        "The service was enabled, and is disabled {how} again; waiting."
    ),
    # -- how it ended
    "in_service": Template("The service is enabled, and Nova sees it up."),
    "in_service_by_other": Template(
        "The service is enabled (it was enabled by somebody else), and Nova sees it up."
    ),
    "not_up": Template(f"The service is enabled, but Nova did not see it up in time. {_FORCED}"),
    "not_up_by_other": Template(
        "The service is enabled (it was enabled by somebody else), but Nova did not see it up in"
        f" time. {_FORCED}"
    ),
    "enabled_but_down": Template("The service is enabled, but it is down."),
    "disabled_again": Template(
        "The service was enabled, but then it was disabled {how} again. It is left so."
    ),
    "enabled_cell_lost": Template(
        "The service was enabled, but Nova does not reach the cell of host {host}, so whether the"
        " host is up is not known."
    ),
    "enabled_openstack_lost": Template(
        "The service was enabled, but OpenStack stopped answering, so whether the host is up is not"
        " known. {detail}"
    ),
    "nothing_to_enable": Template(
        "Nova has no compute service of host {host} (any more), so there is nothing to enable.",
        remedy="Its nova-compute makes one when it starts.",
    ),
    "left_without_service": Template("Nova has no compute service of host {host} (any more)."),
    "left_without_cell": Template(
        "The service was left as it is; Nova does not reach the cell of host {host}."
    ),
    "left_disabled": Template("The service was left disabled {how}."),
    "left_unknown": Template("The service was left as it is; how that is is not known. {detail}"),
    "cell_lost": Template(
        "Nova does not reach the cell of host {host}, so the service was not enabled.",
        remedy="Ask again when it is back.",
    ),
    "not_ours_any_more": Template(
        "The service was not enabled: meanwhile it is disabled {how}, which is not what we wrote.",
        remedy=_CHOOSE,
    ),
    "openstack_lost": Template(
        "OpenStack did not answer in time, so whether the service is enabled is not known.",
        remedy="Ask again when it does. {detail}",
    ),
}

_EVIDENCE: Mapping[str, Template] = {
    "instance_gone": Template("The instance does not exist any more."),
    "instance_not_in_error": Template("The instance is {status}, not ERROR."),
    "of_no_status": Template("of no status"),
    "instance_has_task": Template("A task of the instance is under way: {task}."),
    "instance_in_error": Template("The instance is in ERROR, and no task of it is under way."),
    "at_source": Template("Nova has it on {host}."),
    "not_at_source": Template("Nova has it on {host}, not on {source}."),
    "service_of_host_up": Template("The compute service of {host} is up."),
    "service_of_host_not_up": Template("The compute service of {host} is not up."),
    "abort_taken": Template("Nova took the abort of this migration."),
    "cancelled_before_error": Template(
        "The migration was cancelled before the instance was in ERROR."
    ),
    "error_of_other_cause": Template(
        "Nobody is known to have aborted the migration: the ERROR has another cause."
    ),
    "migration_not_known": Template("The migration is not known."),
    "migration_of_other": Template("Migration {record} is not known to be this instance's."),
    "migration_not_live": Template(
        "Migration {record} is no live migration from {source} ({type} from {host})."
    ),
    "nowhere": Template("nowhere"),
    "migration_is_over": Template("Migration {record} is over: {status}."),
    "migration_is_not_over": Template("Migration {record} is not over: {status}."),
    "migration_ended_otherwise": Template("Migration {record} ended otherwise: {status}."),
    "newer_not_known": Template("Whether it was migrated since cannot be told."),
    "not_migrated_since": Template("It was not migrated since."),
    "migrated_since": Template("It was migrated since."),
    "migration_from_to": Template("migration {record} ({type}, {status}) from {source} to {dest}"),
    "guest_not_told": Template("{host} did not say that the guest runs there."),
    "guest_told_too_long_ago": Template(
        "What {host} said of the guest is {seconds} seconds old: ask again."
    ),
    "guest_state": Template("The hypervisor of {host} says that the guest is {state}."),
    "guest_state_by_driver": Template(
        "The hypervisor of {host} ({driver}) says that the guest is {state}."
    ),
    # -- what it means
    "nothing_to_reset_gone": Template(
        "The instance does not exist any more: there is nothing to reset."
    ),
    "nothing_to_reset": Template(
        "The instance is not in ERROR (any more): there is nothing to reset."
    ),
    "error_without_harm": Template(
        "This is what Nova 33 and 34 leave behind after an abort: they write ERROR a moment after"
        " the migration was cancelled, while the guest runs on. Asked just now, {host} says that it"
        " runs there.",
        remedy="Resetting the instance to active corrects Nova's database, and does nothing to the"
        " guest.",
    ),
    "guest_may_be_elsewhere": Template(
        "It is not known for sure where the guest of this instance runs. Nova has it on {source},"
        " but the guest may run on {dest}, on both or on neither. Nothing is offered here, since"
        " every repair begins with knowing that."
    ),
    # -- what to look at by hand
    "by_hand_leave_it": Template(
        "Until this is settled do not start, reboot, rebuild, evacuate or migrate it, and do not"
        " reset its state. If its guest runs elsewhere, each of these would start a second copy of"
        " it, from the same disk or from one that is out of date, or destroy the one that runs."
    ),
    "by_hand_paused": Template(
        "It was PAUSED before it was migrated, and Nova tells of guests that run alone: whether a"
        " paused one is there, the hosts themselves must say."
    ),
    "by_hand_where": Template(
        "On {source} and on {there}: `virsh list --all --uuid --name`. Which of them has the domain"
        " {server_id}?"
    ),
    "by_hand_state": Template(
        "On each that has it: `virsh domstate {server_id}`. On which one does it run? One that is"
        " shut off is what a migration left behind."
    ),
    "by_hand_disk": Template(
        "Where is its newest disk? A disk in shared storage or a volume is the same from every"
        " host. A local disk (a file in the instances folder) is newest on the host on which the"
        " guest runs, and the file on the other host is from before or during the migration."
    ),
    "by_hand_at_source": Template(
        "If it runs on {source} and on no other host: `openstack server set --state active"
        " {server_id}` corrects Nova's database and does nothing to the guest."
    ),
    "by_hand_there": Template(
        "If it runs on {there}: leave it running. Nova's database is wrong about its host, and no"
        " command of Nova's API corrects that. Never have Nova start it on {source} where it has a"
        " local disk: that boots the disk from before the migration. Either correct host and node"
        " of the instance in Nova's database, then heal its allocations (`nova-manage placement"
        " heal_allocations --instance {server_id}`); or, only if all its disks are shared or"
        " volumes, shut it down from within, check that it runs on no host, and start it on"
        " {source}."
    ),
    "by_hand_nowhere": Template(
        "If it runs on neither: read the logs of nova-compute and libvirt on {source} and on"
        " {there}, and find out which host has the newest disk, before anything is started."
    ),
}

_ALLOCATIONS: Mapping[str, Template] = {
    "amounts_of": Template("{held} of provider {provider}"),
    "holds_resources_of": Template("It holds resources of {host}."),
    "holds_nothing_of": Template("It holds nothing of {host} (any more)."),
    "consumer_of_no_migration": Template(
        "It is not that of a migration from or to this host that Nova knows."
    ),
    "type_never_holds": Template("Migration {record} is {type}, and never holds anything."),
    "record_is_over": Template("Migration {record} ({type}) is over: {status}."),
    "record_is_not_over": Template("Migration {record} ({type}) is not over: {status}."),
    "server_not_known": Template("Its server is not known."),
    "server_gone": Template("Server {server_id} does not exist any more."),
    "server_is_on": Template("Nova has {name} ({server_id}) on {host}, {status}."),
    "server_is_busy_on": Template(
        "Nova has {name} ({server_id}) on {host}, {status}, task {task}."
    ),
    "own_claim": Template("By its own id its server holds resources of {host}."),
    "own_claim_here_too": Template("By its own id its server holds resources of {host} as well."),
    "own_claim_of_deleted": Template("Its server holds something by its own id."),
    "nothing_else_held": Template("Nothing else is held."),
    "no_own_claim": Template(
        "By its own id its server holds nothing of {host}: this may be all that accounts for its"
        " guest."
    ),
    "any_host": Template("any host"),
    "progress_not_known": Template(
        "Whether a migration of its server is in progress is not known."
    ),
    "nothing_in_progress": Template("No migration of its server is in progress."),
    "not_all_over": Template("A migration of its server is not over."),
    "allocation_of": Template("{consumer}: {amounts:clauses}"),
    "allocation_kept": Template("{consumer}: {why}"),
}

TEMPLATES: Mapping[str, Template] = {**_CERTIFICATE, **_RETURN, **_EVIDENCE, **_ALLOCATIONS}

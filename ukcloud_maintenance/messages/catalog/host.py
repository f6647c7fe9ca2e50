"""What is said of a host: its certificate, its return to service, the evidence of where a guest
runs, and what Placement holds of it."""

from collections.abc import Mapping

from ..template import Template

_DELETED = (
    "Nova has no compute service of host {host}: it was deleted or renamed, so the host"
    " cannot be verified."
)
_CHOOSE = "Choose whether to enable it anyway or to leave it unchanged."

_CERTIFICATE: Mapping[str, Template] = {
    "certificate_scope": Template(
        "Checked: Nova's instances, migrations and compute service of this host, and its"
        " allocations in Placement. Not checked: network agents (Neutron), volumes (Cinder),"
        " storage daemons such as Ceph OSDs, fencing (Masakari, host monitors, IPMI), and"
        " virtual machines outside Nova."
    ),
    "nothing_to_go_by": Template("This cannot be verified without a compute service."),
    "service_deleted": Template(
        _DELETED,
        remedy="If the machine was removed, end the maintenance (host_return {host} --leave)."
        " Otherwise its nova-compute registers a new service when it starts, enabled unless"
        " Nova's configuration says otherwise (enable_new_services).",
    ),
    "service_renamed": Template(
        _DELETED,
        remedy="Its hypervisor {hypervisor} now belongs to the service of host {now}: drain"
        " that host, and end this maintenance (host_return {host} --leave).",
    ),
    "service_replaced": Template(
        "The compute service of {host} was replaced by another one during the check."
    ),
    "service_is_disabled": Template("The compute service is disabled."),
    "service_takes_instances": Template(
        "The compute service is enabled: new instances can arrive."
    ),
    "service_changed": Template(
        "The compute service changed from {before:word} to {after:word} during the check."
    ),
    "registered_anew": Template(
        "The service was registered again since the maintenance began: it is now service"
        " {service}, was {before}."
    ),
    "service_is_up": Template("The compute service is up."),
    "cell_answered": Template("The cell of this host answered."),
    "cell_did_not_answer": Template(
        "This cannot be verified: the cell of this host did not answer."
    ),
    "no_servers": Template("No instance is on this host, not even a soft-deleted one."),
    "servers_here": Template(
        "{count} instance is on this host.", plural="{count} instances are on this host."
    ),
    "no_migrations": Template("No migration from or to this host is in progress."),
    "migrations_here": Template(
        "{count} migration from or to this host is in progress.",
        plural="{count} migrations from or to this host are in progress.",
    ),
    "no_resizes": Template("No resize or cold migration from or to this host is unconfirmed."),
    "resizes_here": Template(
        "{count} resize or cold migration from or to this host is not confirmed: it keeps a disk"
        " on both hosts until it is confirmed or reverted.",
        plural="{count} resizes or cold migrations from or to this host are not confirmed: each"
        " keeps a disk on both hosts until it is confirmed or reverted.",
    ),
    "holds_no_host": Template("{what}: a leftover record, which does not occupy the host"),
    "no_allocations": Template("Placement has no allocations on this host."),
    "allocations_here": Template(
        "Placement has {count} allocation on this host.",
        plural="Placement has {count} allocations on this host.",
    ),
    "placement_not_read": Template("Placement could not be read."),
    "hypervisor_not_named": Template(
        "Nova does not report a hypervisor for this host, so its resource provider and its"
        " allocations are unknown."
    ),
    # -- who holds what
    "held": Template("{who}: {held}"),
    "held_elsewhere": Template("{who}: {held}; {where}"),
    "held_by_moved": Template(
        "{who}: {held}; {where}. This is normal while a migration of the server is in progress."
        " Otherwise compare with `openstack resource provider allocation show {consumer}`, and"
        " correct it with `nova-manage placement heal_allocations --force --instance {consumer}`"
    ),
    "held_left_behind": Template(
        "{who}: {held}; {where}. This is probably a leftover: `host_allocations {host} --remove"
        " {consumer}` verifies that, and removes only this allocation"
    ),
    "held_by_server": Template("server {server}"),
    "held_by_migration": Template("migration {record} ({type}, {status}) of server {server}"),
    "held_by_unknown": Template(
        "consumer {consumer}, neither a known server nor a known migration"
    ),
    "amount": Template("{resource} {n}"),
    "no_amount": Template("nothing"),
    "server_is_elsewhere": Template("the server is {status} on {host}"),
    "server_is_no_more": Template("the server no longer exists"),
    "host_of_none": Template("no host"),
    # -- whether it is safe
    "check_failed": Template("{what} {details:clauses}."),
    "every_check_holds": Template("All checks passed."),
    "switched_off": Template(
        "The host went down, most likely because it was powered off. It was last verified as"
        " safe to power off at {at:time}, and everything else still held."
    ),
    "switched_off_undated": Template(
        "The host went down, most likely because it was powered off. It was last verified as"
        " safe to power off, and everything else still held."
    ),
    "not_verified_since": Template("The host could not be verified since {at:time}. {detail}"),
    "not_verified": Template("The host could not be verified. {detail}"),
    "not_in_maintenance": Template("The host is not in maintenance."),
    "being_given_back": Template("The host is being returned to service."),
    "being_drained": Template("The host is being drained (drain {drain})."),
    "not_verified_yet": Template("The host was not verified yet."),
    "verified_ahead": Template(
        "The host was last verified at {at:time}, which is in the future: the database clock was"
        " set back, so the age of that check is unknown.",
        remedy="Check that a worker is running (maintenance_worker).",
    ),
    "verified_too_long_ago": Template(
        "The host was last verified {seconds} s ago, which is too long.",
        remedy="Check that a worker is running (maintenance_worker).",
    ),
    "verified_before_trouble": Template(
        "The host was last verified {seconds} s ago, which is too long. {trouble}"
    ),
    "worker_failed_on_host": Template("The worker failed on this host. {detail}"),
    # -- what a worker reports of itself
    "maintenance_of": Template("the maintenance of {host}"),
    "worker_bug": Template(
        "The worker failed on {of}: {error}",
        remedy="Report this fault with the worker's log; the worker tries again.",
    ),
    "pass_abandoned": Template(
        "A pass over {of} has not ended after {seconds:duration}, and was abandoned.",
        remedy="Look at the worker's log.",
    ),
    "database_silent": Template("The database has not answered the worker for a long time."),
}

_RETURN: Mapping[str, Template] = {
    # -- what a choice would do
    "service_gone": Template(
        "Nova has no compute service of host {host}.",
        remedy="Choose to leave the service unchanged: the maintenance then ends.",
    ),
    "service_unknown": Template(
        "Nova does not reach the cell of host {host}, so its state is unknown.",
        remedy="Restore the cell first. Or choose to leave the service unchanged: the"
        " maintenance then ends.",
    ),
    "not_ours": Template(
        "The service of host {host} was not disabled by a drain: it is disabled {how}.",
        remedy=_CHOOSE,
    ),
    "ends_without_nova": Template("The maintenance ends; nothing is changed in Nova."),
    "enabled_already": Template(
        "The service is already enabled. The maintenance ends when Nova reports the host up."
    ),
    "enables_ours": Template(
        'The service, which a drain disabled ("{reason}"), will be enabled. The maintenance'
        " ends when Nova reports the host up."
    ),
    "enables_theirs": Template(
        "The service will be enabled, although no drain disabled it (it is disabled {how}). The"
        " maintenance ends when Nova reports the host up."
    ),
    "stays_enabled": Template("The maintenance ends at once. The service stays enabled."),
    "stays_disabled_by_us": Template(
        'The maintenance ends at once. The service stays disabled ("{reason}").'
    ),
    "stays_disabled": Template("The maintenance ends at once. The service stays disabled {how}."),
    "stays_disabled_as_found": Template(
        "The maintenance ends at once. The service stays disabled {how}, as it was before the"
        " maintenance."
    ),
    "with_reason": Template('with the reason "{reason}"'),
    "without_reason": Template("without a reason"),
    "up_when_undone": Template(
        "The service is forced down: Nova does not report it up until that is undone (openstack"
        " compute service set --up {host} nova-compute)."
    ),
    # -- how it goes
    "left_alone": Template(
        "Not brought back, because somebody else has moved them since: {names}."
    ),
    "moved_to": Template("{name} (on {host})"),
    "service_being_enabled": Template("Nova was told to enable the service."),
    "enable_answer_lost": Template(
        "The service is enabled, although Nova's answer to the request was lost."
    ),
    "waits_for_cell": Template("Waiting for the cell of host {host}, which Nova does not reach."),
    "waits_until_up": Template("The service is enabled. Waiting for Nova to report it up."),
    "waits_until_up_by_other": Template(
        "The service is enabled (by somebody else). Waiting for Nova to report it up."
    ),
    "disabled_again_for_now": Template(
        "The service was enabled, but is now disabled again {how}. Waiting."
    ),
    # -- how it ended
    "in_service": Template("The service is enabled, and Nova reports it up."),
    "in_service_by_other": Template(
        "The service is enabled (by somebody else), and Nova reports it up."
    ),
    "not_up": Template(
        "The service is enabled, but Nova did not report it up in time. {forced} New instances"
        " are placed there as soon as its nova-compute reports."
    ),
    "not_up_by_other": Template(
        "The service is enabled (by somebody else), but Nova did not report it up in time."
        " {forced} New instances are placed there as soon as its nova-compute reports."
    ),
    "enabled_but_down": Template("The service is enabled but down."),
    "disabled_again": Template(
        "The service was enabled, but then somebody disabled it again {how}. It stays disabled."
    ),
    "enabled_cell_lost": Template(
        "The service was enabled, but Nova no longer reaches the cell of host {host}, so it is"
        " unknown whether the host is up."
    ),
    "enabled_openstack_lost": Template(
        "The service was enabled, but OpenStack stopped answering, so it is unknown whether the"
        " host is up. {detail}"
    ),
    "nothing_to_enable": Template(
        "Nova has no compute service of host {host}, so there is nothing to enable.",
        remedy="Its nova-compute registers a service when it starts.",
    ),
    "left_without_service": Template("Nova has no compute service of host {host}."),
    "left_without_cell": Template(
        "The service was not changed; Nova does not reach the cell of host {host}."
    ),
    "left_disabled": Template("The service was not changed: it is disabled {how}."),
    "left_unknown": Template("The service was not changed; its current state is unknown. {detail}"),
    "cell_lost": Template(
        "Nova does not reach the cell of host {host}, so the service was not enabled.",
        remedy="Request the return to service again when the cell is back.",
    ),
    "not_ours_any_more": Template(
        "The service was not enabled: it is now disabled {how}, which is not the reason that the"
        " drain wrote.",
        remedy=_CHOOSE,
    ),
    "openstack_lost": Template(
        "OpenStack did not answer in time, so it is unknown whether the service is enabled.",
        remedy="Request the return to service again when OpenStack answers. {detail}",
    ),
}

_EVIDENCE: Mapping[str, Template] = {
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

_ALLOCATIONS: Mapping[str, Template] = {
    "amounts_of": Template("{held} of provider {provider}"),
    "holds_resources_of": Template("It holds resources of {host}."),
    "holds_nothing_of": Template("It holds no resources of {host}."),
    "consumer_of_no_migration": Template(
        "It does not belong to any migration from or to this host that Nova knows."
    ),
    "type_never_holds": Template(
        "Migration {record} is of type {type}, which never holds resources."
    ),
    "record_is_over": Template("Migration {record} ({type}) is over: {status}."),
    "record_is_not_over": Template("Migration {record} ({type}) is not over: {status}."),
    "server_not_known": Template("Its server is unknown."),
    "server_gone": Template("Server {server_id} no longer exists."),
    "server_is_on": Template("According to Nova, {name} ({server_id}) is on {host}, {status}."),
    "server_is_busy_on": Template(
        "According to Nova, {name} ({server_id}) is on {host}, {status}, task {task}."
    ),
    "own_claim": Template("The server itself holds resources of {host}."),
    "own_claim_here_too": Template("The server itself holds resources of {host} as well."),
    "own_claim_of_deleted": Template("The server itself still holds resources."),
    "nothing_else_held": Template("No other resources are held."),
    "no_own_claim": Template(
        "The server itself holds no resources of {host}: this allocation may be the only one"
        " that accounts for its guest."
    ),
    "any_host": Template("any host"),
    "progress_not_known": Template(
        "It is unknown whether a migration of its server is in progress."
    ),
    "nothing_in_progress": Template("No migration of its server is in progress."),
    "not_all_over": Template("A migration of its server is not over."),
    "allocation_of": Template("{consumer}: {amounts:clauses}"),
    "allocation_kept": Template("{consumer}: {why}"),
}

TEMPLATES: Mapping[str, Template] = {**_CERTIFICATE, **_RETURN, **_EVIDENCE, **_ALLOCATIONS}

"""What is said of whether a host is safe to power off."""

from collections.abc import Mapping

from ..template import Template

_DELETED = (
    "Nova has no compute service of host {host}: it was deleted or renamed, so the host"
    " cannot be verified."
)

TEMPLATES: Mapping[str, Template] = {
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
}

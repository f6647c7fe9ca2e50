"""What is said of the preflight."""

from collections.abc import Mapping

from ..template import Template

_AGAIN = "The drain checks it again while it runs."
_ASK_OR_CHOOSE = "Ask the owner, or choose live or cold migration for this instance."
_AGREE = "Start or stop the instance, so that Nova's status matches its guest."
_SHUT_OFF_FIRST = "Shut it off, or choose cold migration for this instance."

TEMPLATES: Mapping[str, Template] = {
    # -- what was chosen
    "chosen": Template(
        "It stays on this host by choice.",
        remedy="To move it, change the choice for this instance.",
    ),
    "owner_asks_it_stays": Template(
        "Its owner requests that it stay on its host ({name}).",
        cause="An administrator's choice for the instance takes precedence over the owner's"
        " request.",
    ),
    "owner_stay": Template(
        "Its owner requests that it stay on its host ({name}).", remedy=_ASK_OR_CHOOSE
    ),
    "is_locked": Template("It is locked ({why}); administrators can move locked instances."),
    "is_locked_without_reason": Template("It is locked; administrators can move locked instances."),
    "locked": Template(
        "It is locked ({why}), and this drain does not move locked instances.",
        remedy='Unlock it (openstack server unlock), or drain with "Move locked instances".',
    ),
    "locked_without_reason": Template(
        "It is locked, and this drain does not move locked instances.",
        remedy='Unlock it (openstack server unlock), or drain with "Move locked instances".',
    ),
    "owner_against_live": Template("Its owner does not want live migration for it ({name})."),
    "owner_against_cold": Template("Its owner does not want cold migration for it ({name})."),
    "owner_no_cold": Template(
        "Its owner does not want cold migration for it ({name}).",
        remedy="Ask the owner, or choose cold migration for this instance.",
    ),
    "owner_no_live": Template(
        "Its owner does not want live migration for it ({name}).", remedy=_ASK_OR_CHOOSE
    ),
    "owner_no_live_but_cold": Template(
        "Its owner does not want live migration for it ({name}).",
        remedy="Choose cold migration for this instance: its owner allows it.",
    ),
    # -- what cannot be known
    "not_told": Template(
        "Nova reports them from microversion {since} on, and was asked at {microversion};"
        " only its scheduler knows them."
    ),
    # -- what Nova is doing with it, and its status
    "building": Template("It is being built.", remedy=_AGAIN),
    "task_under_way": Template("Nova has a task in progress for it ({task}).", remedy=_AGAIN),
    "status_suspended": Template(
        "It is suspended, and Nova does not migrate suspended instances.",
        remedy="Resume it (openstack server resume).",
    ),
    "status_shelved": Template(
        "It is shelved, but its disk is still on this host.",
        remedy="Offload it (openstack server shelve --offload), or unshelve it.",
    ),
    "status_soft_deleted": Template(
        "It is soft-deleted, and occupies this host until Nova reclaims it.",
        remedy="Delete it for good (openstack server delete --force), or restore it (openstack"
        " server restore).",
    ),
    "status_rescue": Template(
        "It is in rescue mode, and Nova does not migrate rescued instances.",
        remedy="End rescue mode (openstack server unrescue).",
    ),
    "status_error": Template(
        "It is in ERROR, and Nova does not migrate instances in ERROR.",
        remedy="Read its fault (openstack server show), and check with `virsh list` on the"
        " hypervisor whether its guest runs. Do not rebuild it while the guest runs: a rebuild"
        " erases the disk.",
    ),
    "status_verify_resize": Template(
        "It has a resize or cold migration that is not confirmed yet.",
        remedy="Confirm or revert it (openstack server resize confirm or revert), or let the"
        " drain confirm it.",
    ),
    "status_other": Template("Nova does not migrate instances in status {status}.", remedy=_AGAIN),
    "status_error_guest_runs": Template(
        "It is in ERROR, although Nova last saw its guest running.",
        remedy="Check with `virsh list` that the guest runs on {host} and on no other host that"
        " it was migrated to. Only then set its state to active (openstack server set --state"
        " active). Do not start or rebuild it.",
    ),
    "resize_is_confirmed": Template(
        "The drain confirms its resize, as chosen, and then checks the instance again."
    ),
    "confirm_is_final": Template("A confirmed resize cannot be reverted."),
    "cold_while_paused": Template(
        "It is paused, and Nova cold-migrates only instances that run or are shut off.",
        remedy="Unpause it (openstack server unpause), or choose live migration for this instance.",
    ),
    "guest_off": Template(
        "Nova's status is {status}, but its guest was last seen {power:word}.", remedy=_AGREE
    ),
    "guest_on": Template(
        "Nova's status is SHUTOFF, but its guest was last seen running.", remedy=_AGREE
    ),
    # -- what the way costs
    "paused": Template(
        "It is paused: a paused guest can be live-migrated, but force complete has no effect on it."
    ),
    "downtime": Template(
        "It is stopped, moved and started again. It is unavailable during the move, and its"
        " memory contents are lost."
    ),
    "goes_cold": Template("It is shut off, so it is cold-migrated. It stays shut off."),
    "no_resize_to_confirm": Template("It has no resize to confirm."),
    # -- what binds it to its host
    "accelerator": Template(
        "It has an accelerator (device profile {profile}), and Nova cannot migrate instances"
        " with accelerators.",
        remedy="Ask the owner to rebuild it on another host, or let it stay.",
    ),
    "memory_encryption": Template(
        "Its memory is encrypted (SEV), and Nova does not live-migrate such instances.",
        remedy=_SHUT_OFF_FIRST,
    ),
    "vtpm_secret": Template(
        "Only its user can read the secret of its TPM: Nova may not be able to start it again for"
        " an administrator."
    ),
    "vtpm_by_release": Template(
        "It has a TPM: live migration works only if all compute services of its cell run 2026.1"
        " or later."
    ),
    "vtpm": Template(
        "It has a TPM (secret security {security}), and Nova does not live-migrate such instances.",
        remedy=_SHUT_OFF_FIRST,
    ),
    "pci_device_needed": Template("It also needs a PCI device ({alias}) on its destination."),
    "pci_device_by_alias": Template(
        "It has a PCI device ({alias}): Nova refuses live migration unless the alias is"
        " live_migratable."
    ),
    "pci_device": Template(
        "It has a PCI device ({alias}), and Nova does not live-migrate it unless the alias is"
        " live_migratable.",
        remedy="If the alias is live_migratable (2025.1 and later), choose live migration."
        " Otherwise choose cold migration.",
    ),
    "vgpu": Template(
        "It has a virtual GPU: both hosts need QEMU 8.1, libvirt 8.6 and a driver that supports"
        " live migration, and the destination needs a free vGPU of the same type."
    ),
    "host_shape": Template(
        "It requires {asks}: Nova looks for a host with enough of that free on one NUMA node,"
        " which this estimate cannot check."
    ),
    "pinned_processors": Template("pinned CPUs"),
    "numa_nodes": Template("NUMA nodes"),
    "huge_pages": Template("huge pages"),
    "real_time": Template("real-time scheduling"),
    "persistent_memory": Template("persistent memory"),
    "local_disk": Template(
        "Its local disk ({size:size}) is copied as well, unless the hosts share storage."
    ),
    # -- what stands around it
    "bare_metal": Template(
        "It is a bare metal node (Ironic): the instance is the machine itself, and Nova cannot"
        " move it.",
        remedy="Ask its owner to move the workload.",
    ),
    "no_receiver": Template(
        "No other host can receive instances: all are disabled, down or being drained.",
        remedy="Enable another host, or drain fewer hosts at a time.",
    ),
    "zone_gone": Template(
        "It is pinned to availability zone {zone}, which no host aggregate defines. Current"
        " releases of Nova ignore the pin; older ones find no host."
    ),
    "zone_without_host": Template(
        "It is pinned to availability zone {zone}, and no other host there can receive instances.",
        remedy="Enable a host in this zone, or unpin the instance from it (compute API 2.104).",
    ),
    "traits": Template(
        "Its flavor requires {asks}, and no host that can receive instances matches.",
        remedy="Enable a host that matches.",
    ),
    "without_trait": Template("no {trait}"),
    "aggregate": Template(
        "Aggregates reserve every host that can receive instances for other projects or flavors."
        " If the scheduler's filters enforce that, no host is left."
    ),
    "soft_affinity": Template(
        "It may be separated from the other members of its group {group} (soft affinity)."
    ),
    "soft_anti_affinity": Template(
        "It may share a host with other members of its group {group} (soft anti-affinity)."
    ),
    "affinity_sends_it": Template("Affinity group {group} requires {hosts}."),
    "affinity_sends_it_to_one_of": Template("Affinity group {group} requires one of {hosts}."),
    "affinity_follows": Template(
        "Affinity group {group} requires a host where another member runs."
    ),
    "affinity": Template(
        "Its affinity group {group} has no member on another host, so Nova can place it nowhere"
        " else, even if all members are to move.",
        remedy="If its owner agrees, delete the server group (openstack server group delete):"
        " its members stay, and can then be moved.",
    ),
    "anti_affinity": Template(
        "Every host that can receive instances already has a member of its anti-affinity group"
        " {group}.",
        remedy="Enable another host, or move a member of the group off one of the hosts.",
    ),
    "anti_affinity_short": Template(
        "{count} member of its anti-affinity group {group} must move, but the other hosts can"
        " take only {room}.",
        plural="{count} members of its anti-affinity group {group} must move, but the other"
        " hosts can take only {room}.",
    ),
    "no_room": Template(
        "No host has room for it; the closest is {nearest}, which lacks {lacks}.",
        remedy="Free resources on another host, or enable one more.",
    ),
    "no_place": Template(
        "No host has room for it together with the other instances of this drain."
    ),
    "no_place_nearest": Template(
        "No host has room for it together with the other instances of this drain; the closest is"
        " {nearest}, which then lacks {lacks}."
    ),
    # -- what would give room
    "relief_maintenance": Template(
        "{host} is in maintenance; in service it would offer {gives}.",
        remedy="If its maintenance is finished, return it to service (host_return {host}).",
    ),
    "relief_maintenance_empty": Template(
        "{host} is in maintenance and empty; in service it would offer {gives}.",
        remedy="If its maintenance is finished, return it to service (host_return {host}).",
    ),
    "relief_maintenance_down": Template(
        "{host} is in maintenance and down; in service it would offer {gives}.",
        remedy="Start it, then return it to service (host_return {host}).",
    ),
    "relief_disabled": Template(
        "{host} is disabled ({reason}); enabled it would offer {gives}.",
        remedy="If that reason no longer holds, enable it: openstack compute service set --enable"
        " {host} nova-compute.",
    ),
    "relief_disabled_empty": Template(
        "{host} is disabled ({reason}) and empty; enabled it would offer {gives}.",
        remedy="If that reason no longer holds, enable it: openstack compute service set --enable"
        " {host} nova-compute.",
    ),
    "relief_down": Template(
        "{host} is down; in service it would offer {gives}.",
        remedy="Start nova-compute there, and enable it if it is disabled.",
    ),
    "room_kept": Template(
        "Room is kept for {count} instance that still waits in another drain: {hosts}.",
        plural="Room is kept for {count} instances that still wait in other drains: {hosts}.",
    ),
    "relief_more": Template(
        "{count} more host would offer capacity if it were in service.",
        plural="{count} more hosts would offer capacity if they were in service.",
    ),
    "relief_memory_ratio": Template(
        "{host} has a memory allocation ratio of {ratio}; each 0.1 more would offer {gives}.",
        remedy="Set ram_allocation_ratio in its nova.conf. If guests then use more memory than"
        " the host has, the kernel may kill some of them.",
    ),
    "relief_vcpu_ratio": Template(
        "{host} has a vCPU allocation ratio of {ratio}; each 0.1 more would offer {gives}.",
        remedy="Set cpu_allocation_ratio in its nova.conf. Guests that compute at the same time"
        " then slow each other down.",
    ),
    "relief_disk_ratio": Template(
        "{host} has a disk allocation ratio of {ratio}; each 0.1 more would offer {gives}.",
        remedy="Set disk_allocation_ratio in its nova.conf. If disks then grow beyond what the"
        " host has, guests stop with I/O errors.",
    ),
    "amount_of_memory": Template("{amount:size} of memory"),
    "amount_of_disk": Template("{amount:size} of disk"),
    "amount_of_vcpus": Template("{count} vCPU", plural="{count} vCPUs"),
    "amount_of": Template("{amount} {resource}", cause="A resource class in Placement's words."),
    # -- what could not be read
    "part_projects": Template("names of the projects"),
    "part_groups": Template("server groups"),
    "part_aggregates": Template("aggregates and availability zones"),
    "part_capacity": Template("room on the other hosts"),
    "part_pinned_zones": Template("zones that instances are pinned to"),
    "part_image_properties": Template("properties of images"),
}

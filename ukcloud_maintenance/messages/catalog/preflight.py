"""What is said of the preflight."""

from collections.abc import Mapping

from ..template import Template

_AGAIN = "It is looked at again while the drain runs."
_ASK_OR_CHOOSE = "Ask the owner, or choose live or cold migration for it."
_AGREE = "Start it or stop it, so that status and guest agree."
_SHUT_OFF_FIRST = "Shut it off, or choose cold migration for it."

TEMPLATES: Mapping[str, Template] = {
    # -- what was chosen
    "chosen": Template("It was chosen to stay.", remedy="Choose otherwise for this instance."),
    "owner_asks_it_stays": Template(
        "Its owner asks that it stays ({name}).",
        cause="The admin's choice for the instance goes before what its owner asks for.",
    ),
    "owner_stay": Template("Its owner asks that it stays ({name}).", remedy=_ASK_OR_CHOOSE),
    "is_locked": Template("It is locked ({why}); that does not keep an administrator."),
    "is_locked_without_reason": Template("It is locked; that does not keep an administrator."),
    "locked": Template(
        "It is locked ({why}), and this drain leaves locked instances alone.",
        remedy="Unlock it, or let the drain move locked instances.",
    ),
    "locked_without_reason": Template(
        "It is locked, and this drain leaves locked instances alone.",
        remedy="Unlock it, or let the drain move locked instances.",
    ),
    "owner_against_live": Template("Its owner does not want it live-migrated ({name})."),
    "owner_against_cold": Template("Its owner does not want it cold-migrated ({name})."),
    "owner_no_cold": Template(
        "Its owner does not want it cold-migrated ({name}).",
        remedy="Ask the owner, or choose cold migration for it.",
    ),
    "owner_no_live": Template(
        "Its owner does not want it live-migrated ({name}).", remedy=_ASK_OR_CHOOSE
    ),
    "owner_no_live_but_cold": Template(
        "Its owner does not want it live-migrated ({name}).",
        remedy="Choose cold migration for it: its owner agrees to that.",
    ),
    # -- what Nova is doing with it, and its status
    "building": Template("It is being built.", remedy=_AGAIN),
    "task_under_way": Template("Nova is busy with it (task {task}).", remedy=_AGAIN),
    "status_suspended": Template(
        "It is suspended, and Nova does not migrate suspended instances.", remedy="Resume it."
    ),
    "status_shelved": Template(
        "It is shelved, but its disk is still on its host.",
        remedy="Offload it (shelve offload), or unshelve it.",
    ),
    "status_soft_deleted": Template(
        "It is deleted, but kept on its host until it is reclaimed.",
        remedy="Force the deletion, or restore it.",
    ),
    "status_rescue": Template(
        "It is in rescue mode, and Nova does not migrate it in this state.", remedy="Unrescue it."
    ),
    "status_error": Template(
        "It is in ERROR, and Nova does not migrate it in this state.",
        remedy="Look into its fault, and check with virsh list on the hypervisor whether its guest"
        " runs. A rebuild would erase the disk of a guest that is alive.",
    ),
    "status_verify_resize": Template(
        "A resize or cold migration of it waits for confirmation.",
        remedy="Confirm or revert the resize, or choose that the drain confirms it.",
    ),
    "status_other": Template(
        "Nova does not migrate an instance in status {status}.", remedy=_AGAIN
    ),
    "status_error_guest_runs": Template(
        "It is in ERROR, though Nova last saw its guest running.",
        remedy="Check with virsh list that the guest runs on {host} and on no other host that it"
        " was migrated to. Only then set its state to active; do not start or rebuild it.",
    ),
    "resize_is_confirmed": Template(
        "Its resize is confirmed, as was chosen; then it is looked at again."
    ),
    "confirm_is_final": Template("Once confirmed, the resize cannot be reverted."),
    "cold_while_paused": Template(
        "It is paused, and Nova cold-migrates only what runs or is shut off.",
        remedy="Unpause it, or choose live migration for it.",
    ),
    "guest_off": Template(
        "Nova says {status}, but its guest was last seen {power:word}.", remedy=_AGREE
    ),
    "guest_on": Template("Nova says SHUTOFF, but its guest was last seen running.", remedy=_AGREE),
    # -- what the way costs
    "paused": Template(
        "It is paused: QEMU migrates such guests, but a stuck one cannot be forced through."
    ),
    "downtime": Template(
        "It is stopped, moved and started again: its user loses it for that time, and all that is"
        " in its memory."
    ),
    "goes_cold": Template(
        "It is shut off: nothing of it runs that could be migrated live, so it goes cold."
    ),
    "no_resize_to_confirm": Template("It has no resize that could be confirmed."),
    # -- what binds it to its host
    "accelerator": Template(
        "It has an accelerator (device profile {profile}), and Nova migrates those in no way.",
        remedy="Have it rebuilt elsewhere, or let it stay.",
    ),
    "memory_encryption": Template(
        "Its memory is encrypted (SEV), and Nova does not live-migrate it.", remedy=_SHUT_OFF_FIRST
    ),
    "vtpm_secret": Template(
        "Only its user can read the secret of its TPM: Nova may not be able to start it again for"
        " an administrator."
    ),
    "vtpm_by_release": Template(
        "It has a TPM: it is live-migrated only where all compute services of its cell are of"
        " 2026.1 or later."
    ),
    "vtpm": Template(
        "It has a TPM (secret security {security}), and Nova does not live-migrate it.",
        remedy=_SHUT_OFF_FIRST,
    ),
    "pci_device_needed": Template("It needs a PCI device ({alias}) on its new host too."),
    "pci_device_by_alias": Template(
        "It has a PCI device ({alias}): Nova refuses unless the alias is live_migratable."
    ),
    "pci_device": Template(
        "It has a PCI device ({alias}), and Nova does not live-migrate it unless the alias says"
        " so.",
        remedy="Choose live migration where the alias is live_migratable (2025.1 and later), or"
        " cold.",
    ),
    "vgpu": Template(
        "It has a virtual GPU: both hosts need QEMU 8.1, libvirt 8.6, a driver that can migrate"
        " it, and the same type free."
    ),
    "host_shape": Template(
        "It asks for {asks}: Nova looks for a host that has them free in the right place, which"
        " the estimate does not see."
    ),
    "pinned_processors": Template("pinned processors"),
    "numa_nodes": Template("NUMA nodes"),
    "huge_pages": Template("huge pages"),
    "real_time": Template("real time"),
    "persistent_memory": Template("persistent memory"),
    "local_disk": Template(
        "Its local disk of {size:size} is copied too, unless the hosts share storage."
    ),
    # -- what stands around it
    "bare_metal": Template(
        "It is a bare metal node of Ironic's: the instance is the machine, and Nova moves it in no"
        " way.",
        remedy="Ask its owner to move what runs on it.",
    ),
    "no_receiver": Template(
        "No other host can receive: all are disabled, down or being drained.",
        remedy="Enable another host, or drain fewer at a time.",
    ),
    "zone_gone": Template(
        "It is pinned to the availability zone {zone}, which no aggregate makes: Nova does not look"
        " at it any more, older releases find no host."
    ),
    "zone_without_host": Template(
        "It is pinned to the availability zone {zone}, in which no other host can receive.",
        remedy="Enable a host of this zone, or unpin the instance (2.104).",
    ),
    "traits": Template(
        "Its flavor asks for {asks}, and no host that can receive is like that.",
        remedy="Enable such a host.",
    ),
    "without_trait": Template("no {trait}"),
    "aggregate": Template(
        "Aggregates keep every host that can receive for other projects or flavors: if the"
        " scheduler heeds them, it finds none."
    ),
    "soft_affinity": Template(
        "It may be parted from the others of its group {group} (soft affinity)."
    ),
    "soft_anti_affinity": Template(
        "It may come to a host with others of its group {group} (soft anti-affinity)."
    ),
    "affinity_sends_it": Template("Its group {group} (affinity) sends it to {hosts}."),
    "affinity_sends_it_to_one_of": Template(
        "Its group {group} (affinity) sends it to one of {hosts}."
    ),
    "affinity_follows": Template(
        "Its group {group} (affinity) lets it go only where another member is."
    ),
    "affinity": Template(
        "Its group {group} (affinity) has no member on another host, and Nova sends it nowhere"
        " else, not even when all leave.",
        remedy="Delete the server group, if its owner agrees: its members stay, and are free to"
        " go.",
    ),
    "anti_affinity": Template(
        "Every host that can receive has a member of its group {group} (anti-affinity).",
        remedy="Enable another host, or move a member of the group away from one.",
    ),
    "anti_affinity_short": Template(
        "{count} member of its group {group} (anti-affinity) leaves, and the other hosts can take"
        " {room}.",
        plural="{count} members of its group {group} (anti-affinity) leave, and the other hosts can"
        " take {room}.",
    ),
    "no_room": Template(
        "No host has room for it now; {nearest} comes nearest and lacks {lacks}.",
        remedy="Make room, or enable another host.",
    ),
    "no_place": Template("Together with the others of this drain there is no place for it."),
    "no_place_nearest": Template(
        "Together with the others of this drain there is no place for it: {nearest} then lacks"
        " {lacks}."
    ),
    "amount_of_memory": Template("{amount:size} of memory"),
    "amount_of_disk": Template("{amount:size} of disk"),
    "amount_of": Template("{amount} {resource}", cause="A resource class in Placement's words."),
}

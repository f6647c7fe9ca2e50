"""Codes of instance migrations that more than one room goes by."""

#: The code of one that was aborted on request, and whose guest runs on at the source: it is not
#: tried again by itself where an admin requested it.
ABORTED = "aborted"
#: The code of an instance that runs elsewhere, but whose unconfirmed resize holds its disk here.
HELD = "resize_holds_here"
#: The code of a cold migration that arrived and that Nova did not confirm.
UNCONFIRMED = "arrived_unconfirmed"
#: The code of one whose abort Nova took, and whose server Nova set to ERROR afterwards: the guest
#: most likely runs on at the source (Nova 33 and 34 do that).
LATE_ERROR = "error_after_abort"
#: The code of one for which Nova did not accept the host that we asked for.
HOST_REFUSED = "host_refused"
#: The code of one whose record waits in Nova for ever, though its guest never left.
LEFT_RECORD = "record_left_waiting"
#: The code of one whose migration was still in progress when a cancel had waited for it as long as
#: it does. Its value is what has been recorded from the first.
LEFT_IN_PROGRESS = "left_flying"
#: What was seen of the compute service of an instance's source during an attempt.
SOURCE_DOWN = "down"
SOURCE_WAS_DOWN = "was_down"
#: The codes of what a drain says while it waits for others of its plan or region, or for its host
#: to be back in service; no longer once it may submit.
HOLDS = frozenset(
    {
        *("waits_for_services", "waits_for_hosts", "waits_for_service"),
        *("region_full", "destinations_full", "destinations_unknown_full"),
    }
)
#: The codes of what stands against asking Nova to move a server (core.drain.objections).
OBJECTIONS = frozenset(
    {
        *("guest_not_here", "guest_silent", "guest_power_state"),
        *("left_in_doubt", "migration_still_open"),
    }
)
#: The codes of an instance that left its host, and is not what it was before.
ARRIVED_WRONG = frozenset({"arrived_error", "arrived_other", UNCONFIRMED})
#: The code of an instance that is gone to no host at all: shelved and offloaded, say.
NOWHERE = "no_host"

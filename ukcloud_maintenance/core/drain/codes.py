"""Codes of instance migrations that more than one room goes by."""

#: The code of an instance that runs elsewhere, but whose unconfirmed resize holds its disk here.
HELD = "resize_holds_here"
#: The code of a cold migration that arrived and that Nova did not confirm.
UNCONFIRMED = "arrived_unconfirmed"
#: The code of one whose abort Nova took, and whose server Nova set to ERROR afterwards: the guest
#: most likely runs on at the source (Nova 33 and 34 do that).
LATE_ERROR = "error_after_abort"
#: The code of one that was aborted because an admin asked for it: it is not tried again by itself.
ABORTED = "aborted"
#: The code of one whose record waits in Nova for ever, though its guest never left.
LEFT_RECORD = "record_left_waiting"
#: What was seen of the compute service of an instance's source during an attempt.
SOURCE_DOWN = "down"
SOURCE_WAS_DOWN = "was_down"
#: The codes of what a drain says while it waits for others of its plan or region.
HOLDS = frozenset(
    {
        *("waits_for_services", "waits_for_hosts"),
        *("region_full", "destinations_full", "destinations_unknown_full"),
    }
)
#: Who asks in the name of a timeout.
TIMEOUT = "timeout"

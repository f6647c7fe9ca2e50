"""What is said of what is on a host."""

from collections.abc import Mapping

from ..template import Template

_MIGRATION = "migration {record} ({type}, {status}) from {source} to {dest}"

TEMPLATES: Mapping[str, Template] = {
    "server_on_host": Template("{server}, {status}"),
    "no_service_of_host": Template("Nova lists no compute service of host {host}."),
    "cell_lost_before": Template(
        "Nova could not reach the cell of this host before its lists were read. The lists omit"
        " everything in a cell that is down."
    ),
    "cell_lost_after": Template(
        "Nova could not reach the cell of this host after its lists were read. The lists may"
        " omit what is in that cell."
    ),
    "service_forced_down": Template(
        "The compute service is forced down, so Nova does not report whether it is up."
    ),
    "service_not_up": Template(
        "The compute service is {state}: what Nova reports about this host may be out of date."
    ),
    "not_known": Template("unknown"),
    "of_unknown_type": Template("of unknown type"),
    "without_status": Template("without a status"),
    "migration_of_none": Template(f"{_MIGRATION}, without a server"),
    "migration_unreadable": Template(f"{_MIGRATION} of {{server}}, which could not be read"),
    "migration_of_deleted": Template(
        f"{_MIGRATION} of server {{server_id}}, which no longer exists"
    ),
    "migration_of": Template(f"{_MIGRATION} of {{server}}, {{server_status}} on {{host}}"),
    "record_left_behind": Template(
        "{what}. Nova has no task in progress for the server. If that stays so, a nova-compute"
        " that was killed left this record behind, and no Nova command ends it. When no"
        " migration of the server is in progress, set the record to error in the cell database:"
        " UPDATE migrations SET status = 'error' WHERE id = {record} AND status = '{status}'"
    ),
}

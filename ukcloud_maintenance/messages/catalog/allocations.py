"""What is said of the allocations that Placement still holds on a host."""

from collections.abc import Mapping

from ..template import Template

TEMPLATES: Mapping[str, Template] = {
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

"""What is said to, and of, the owners of instances that are moved: nothing of hosts or drains."""

from ..template import Template

TEMPLATES = {
    # -- what a move means for an instance
    "affected_will_be_live": Template(
        "It stays in use. It may run slower while it is migrated, and pauses for a moment at the"
        " end."
    ),
    "affected_will_be_off": Template(
        "It is shut down for the move and started again, and cannot be used meanwhile."
    ),
    "affected_is_off": Template("It is not running, and is moved as it is."),
    "affected_will_be_confirmed": Template(
        "Its pending resize is confirmed, and cannot be reverted afterwards. That does not"
        " interrupt it. Whether it is moved afterwards is not decided yet."
    ),
    "affected_not_decided": Template(
        "It cannot be moved at present. Whether and when it moves is unknown."
    ),
    "affected_stays": Template("It is not moved."),
    "affected_moved": Template("It was moved."),
    "affected_was_live": Template(
        "It was moved while it ran. It paused for a moment at the end; for how long is not"
        " recorded."
    ),
    "affected_was_off": Template("It was not running, and was moved as it was."),
    "affected_was_confirmed": Template(
        "Its pending resize was confirmed, and can no longer be reverted. That did not interrupt"
        " it. It was not moved."
    ),
    "affected_was_shut_down": Template(
        "It was shut down for the move, for at most {seconds:duration}."
    ),
    "affected_was_paused": Template(
        "It was paused so that the move could finish, for at most {seconds:duration}."
    ),
    "affected_gone": Template(
        "It was deleted or moved by somebody else meanwhile. Whether it was interrupted is unknown."
    ),
    "affected_in_doubt": Template(
        "It is not certain whether it was moved. Whether it was interrupted is unknown."
    ),
    "affected_arrived_wrong": Template(
        "It was moved, and its status is {status}. Whether it can be used is unknown."
    ),
    "affected_in_error": Template(
        "It was not moved, and its status is ERROR. Whether it can be used is unknown."
    ),
    # -- when
    "affected_when": Template("Expected between {begins:time} and {ends:time}."),
    "affected_when_after_start": Template(
        "Expected between {begins:duration} and {ends:duration} after the start of the maintenance."
    ),
    "affected_when_unknown": Template("When it moves is unknown."),
    "affected_moved_at": Template("Moved by {at:time}."),
    "affected_move_of": Template("Move {number} of {count}."),
    # -- the text for customers
    "affected_to": Template("To: {emails}"),
    "affected_to_nobody": Template("To: (no e-mail address is known)"),
    "affected_subject": Template("Subject: Maintenance: instances of project {project}"),
    "affected_before": Template(
        "We are going to maintain servers that instances of your project run on. The instances"
        " below are moved to other servers. You need not do anything."
    ),
    "affected_slower": Template(
        "An instance that is migrated while it runs may run slower meanwhile, and pauses for a"
        " moment at the end."
    ),
    "affected_estimates": Template("All times are in UTC. Times to come are estimates."),
    "affected_again": Template("An instance may be moved more than once."),
    "affected_after": Template(
        "We have maintained servers that instances of your project ran on. All times are in UTC."
    ),
    "affected_heading_to_move": Template("To be moved:"),
    "affected_heading_moving": Template("Being moved now:"),
    "affected_heading_moved": Template("Moved:"),
    "affected_heading_not_moved": Template("Not moved:"),
    "affected_heading_unknown": Template("Unknown:"),
    # -- whom to tell
    "to_list_contacts": Template("list the users with a role on project {project}"),
    "to_read_user": Template("read user {user}"),
    "affected_contacts_not_read": Template(
        "E-mail addresses could not be read of {count} project: {detail:inline}.",
        plural="E-mail addresses could not be read of {count} projects: {detail:inline}.",
        remedy="Reading them takes identity:list_role_assignments and identity:get_user in"
        " Keystone.",
    ),
    "affected_contacts_too_many": Template(
        "E-mail addresses were read of {count} project only.",
        plural="E-mail addresses were read of the first {count} projects only.",
        cause="More at once would take too long.",
    ),
    # -- what cannot be requested
    "affected_nothing_named": Template(
        "No drain, plan, run or host is named.", remedy="Name at least one."
    ),
    "affected_several_regions": Template(
        "The drains belong to several regions: {regions}.", remedy="Name those of one region."
    ),
}

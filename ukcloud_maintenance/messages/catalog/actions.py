"""What is said of maintenance actions, and of the alerts that hold them back."""

from collections.abc import Mapping

from ..template import Template

#: Of commands.
COMMANDS = {
    "action_command_running": Template("The command of the action is running."),
    "action_done": Template("The command of the action finished after {seconds:duration}."),
    "action_end_unknown": Template(
        "The end of the action's command is not known.",
        remedy="Verify on the host whether the action was done. Then report it as done, or retry"
        " the host.",
        cause="The process that watched the command ended without a result: its machine was"
        " restarted, or it was killed. The command is not repeated by itself, unless the action is"
        " idempotent.",
    ),
    "action_failed": Template(
        "The command of the action failed with exit code {exit_code}. {last}",
        remedy="Read its output, correct the cause, then retry the host.",
    ),
    "action_killed": Template(
        "The command of the action was ended by signal {signal}. {last}",
        remedy="Verify how far it got, then retry the host.",
        cause="Somebody killed the command, or its machine was short of memory or shut down.",
    ),
    "action_last_line": Template("Its last line: {line}"),
    "action_later": Template(
        "The command of the action requested to be tried again later (exit code 75). {last}"
    ),
    "action_never_began": Template(
        "The command of the action did not begin.",
        cause="The worker ended before it had started the command, which can be begun anew.",
    ),
    "action_not_begun": Template(
        "The command of the action could not be begun: {why:inline}.",
        remedy="Check ACTIONS_DIRECTORY and the worker's machine.",
    ),
    "action_not_started": Template(
        "The command of the action could not be started: {why}.",
        remedy="Check its program and its directory in ACTIONS, on the worker's machine.",
    ),
    "action_running": Template(
        "The command of the action is running.",
        remedy="Stop it first.",
        cause="The record of a command cannot be removed while the command is running.",
    ),
    "action_stopped": Template("The command of the action was stopped on request. {last}"),
    "action_timed_out": Template(
        "The command of the action exceeded its time limit and was ended after"
        " {seconds:duration}. {last}",
        remedy="Verify how far it got. Raise the action's time_limit if it needs longer.",
    ),
    "action_unreadable": Template(
        "The record of the action cannot be used: {why:inline}.",
        remedy="Check ACTIONS_DIRECTORY on the worker's machine.",
    ),
    "action_unwatched": Template(
        "The end of the action's command is not known; process {pid} still runs on the worker's"
        " machine.",
        remedy="Wait for it or end it, and verify on the host whether the action was done. Then"
        " report it as done, or retry the host.",
        cause="The process that watched the command was killed, and the command was not.",
    ),
    "actions_directory_unusable": Template(
        "The directory of action records {directory} cannot be used: {why:inline}.",
        remedy="Set ACTIONS_DIRECTORY to one that the worker's user owns, with mode 0700.",
    ),
    "belongs_to_another": Template("it belongs to user {owner}, not to user {user}"),
    "not_a_directory": Template("it is not a directory"),
    "others_may_read_it": Template("its mode is {mode}, not 0700"),
}

TEMPLATES: Mapping[str, Template] = {**COMMANDS}

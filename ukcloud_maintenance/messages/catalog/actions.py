"""What is said of maintenance actions, and of the alerts that hold them back."""

from collections.abc import Mapping

from ..template import Template

#: Of commands.
COMMANDS = {
    "action_command_running": Template("The command of the action is running."),
    "action_done": Template("The command of the action finished after {seconds:duration}."),
    "action_end_unknown": Template(
        "It is unknown how the action's command ended.",
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
    "action_stopped": Template(
        "The command of the action was stopped. {last}",
        remedy="Verify how far it got, then retry the host.",
        cause="Somebody requested it, or the worker's machine shut down.",
    ),
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
        "The action's command is no longer watched, so its end is unknown; process {pid} still"
        " runs on the worker's machine.",
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
    "record_is_void": Template(
        "its record is void",
        cause="Another worker looked at it before the command began, and takes it for not begun.",
    ),
    "supervisor_exited": Template("the process that watches it ended with exit code {exit_code}"),
    "others_may_read_it": Template("its mode is {mode}, not 0700"),
}

#: Of webhooks.
WEBHOOKS = {
    "webhook_accepted": Template("{receiver} accepted the action."),
    "webhook_done": Template("{receiver} reports the action as done ({status})."),
    "webhook_failed": Template(
        "{receiver} reports the action as failed ({status}).",
        remedy="Read there why, correct the cause, then retry the host.",
    ),
    "webhook_no_address": Template(
        "{receiver} accepted the action, and its answer names no address at which its end can be"
        " read.",
        remedy="Report the action as done when it is.",
    ),
    "webhook_no_answer": Template(
        "No answer from {receiver}: {why:inline}.",
        remedy='Check "url" of the webhook in ACTIONS, and the receiver.',
    ),
    "webhook_no_status": Template(
        "The answer of {receiver} has no readable '{field}'.",
        remedy='Check "field" of "poll" in ACTIONS.',
    ),
    "webhook_other_address": Template(
        "{receiver} accepted the action, but names an address of another server ({other}) for its"
        " end, which is not followed.",
        remedy="Verify on the host whether the action was done. Have the receiver name an address"
        ' of its own, or set "url" of the webhook in ACTIONS to the server that it names.',
    ),
    "webhook_redirects": Template(
        "{receiver} redirects to another address (HTTP {status}), which is not followed.",
        remedy='Set "url" of the webhook in ACTIONS to the final address.',
    ),
    "webhook_refused": Template(
        "{receiver} did not accept the request (HTTP {status}).",
        remedy="Check the webhook in ACTIONS, and the receiver.",
    ),
    "webhook_refused_because": Template(
        "{receiver} did not accept the request: {detail} (HTTP {status}).",
        remedy="Check the webhook in ACTIONS, and the receiver.",
    ),
    "webhook_running": Template("{receiver} reports the action as in progress ({status})."),
    "webhook_sent_elsewhere": Template(
        "The address at which the end of the action can be read is not one of {receiver}.",
        remedy="Verify on the host whether the action was done. Then report it as done, or retry"
        " the host.",
        cause="The settings of the action were changed while it was in progress.",
    ),
}

#: Of alerts.
ALERTS = {
    "alerts_firing": Template(
        "Alerts are firing: {alerts}.",
        remedy="The next host begins when none is. Correct what they report, or leave them out in"
        " the query of ALERTS.",
    ),
    "alerts_unknown": Template(
        "Whether alerts are firing could not be read from {server}: {why:inline}.",
        remedy="Check ALERTS and the server. No host begins before this is known.",
    ),
}

#: Why an answer could not be used.
DETAILS = {
    "answer_incomplete": Template("the answer is too large, or was cut off"),
    "answer_no_vector": Template(
        "the query gives neither a vector nor a scalar number ({kind})",
        cause="A scalar that is NaN is what scalar() makes of nothing.",
    ),
    "answer_not_prometheus": Template("the answer is not one of Prometheus"),
    "answer_redirects": Template("it redirects to another address (HTTP {status})"),
    "answer_status": Template("HTTP status {status}"),
    "connection_broke": Template("the connection broke"),
    "no_connection": Template("no connection could be made"),
    "prometheus_refused": Template("it refused the query: {words}"),
    "prometheus_warns": Template(
        "the answer may lack something: {words}",
        cause="Thanos, for one, answers with a warning when some of its stores do not.",
    ),
    "tls_failed": Template("TLS failed; its certificate may not be trusted"),
}

TEMPLATES: Mapping[str, Template] = {**COMMANDS, **WEBHOOKS, **ALERTS, **DETAILS}

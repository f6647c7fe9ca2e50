"""What a command shows of what would be done, and of how far something is."""

from collections.abc import Mapping

from ..template import Template

_DRAINS: Mapping[str, Template] = {
    "shell_more": Template("and {n} more"),
    "shell_more_lines": Template("and {n} more lines"),
    "shell_no_drain_open": Template("No drain is in progress."),
    "shell_state_back": Template("{state:word} (bring-back)"),
    "shell_plan": Template("Plan {plan}: {hosts}, {pace}; {counts}"),
    "shell_plan_over": Template("Plan {plan}: {hosts}, {pace}, finished; {counts}"),
    "shell_part_of_plan": Template("Part of plan {plan}: see `drain_status --plan {plan}`"),
    "shell_reason": Template("Reason: {reason}"),
    "shell_requested_by": Template("Requested by {who} at {at:time}"),
    "shell_requested_started": Template(
        "Requested by {who} at {at:time}, started {started:time}, finished {finished:time}"
    ),
    "shell_requested_finished": Template(
        "Requested by {who} at {at:time}, finished {finished:time}"
    ),
    "shell_not_yet": Template("not yet"),
    "shell_needs_you": Template("Needs you: {names}."),
    "shell_in_need": Template("{name} ({need:word})"),
    "shell_needs_you_on": Template("Needs you on {host}: {names}: see `drain_status {drain}`"),
    # -- how long it takes
    "shell_stalled_no_estimate": Template("Time left: no estimate: a migration is stalled"),
    "shell_not_converging_no_estimate": Template(
        "Time left: no estimate: a migration is not converging"
    ),
    "shell_time_left": Template(
        "Time left: about {likely:duration} ({low:duration} to {high:duration}; {source})"
    ),
    "shell_high_unknown": Template("unknown"),
    "shell_based_on": Template(
        "based on {count} earlier migration", plural="based on {count} earlier migrations"
    ),
    "shell_rough_estimate": Template("a rough estimate: too few migrations in this region so far"),
    "shell_fits_not": Template("{said}; it does not fit into its window"),
    "shell_may_not_fit": Template("{said}; it may not fit into its window"),
    "shell_fits": Template("{said}; it fits into its window"),
    # -- instances
    "shell_request_open": Template("[{kind:word} requested by {who}]"),
    "shell_by_origin": Template("the {origin:word}"),
    "shell_timed_out": Template("[timeout exceeded at {at:time}]"),
    "shell_times_out": Template("[times out in {left:duration}, then it is {then}]"),
    "shell_may_finish": Template(
        "[should finish soon, so it may continue; otherwise in {left:duration} it is {then}]"
    ),
    "shell_then_warn": Template("marked and continues"),
    "shell_then_abort": Template("aborted"),
    "shell_then_force": Template("forced to complete, its guest paused until the rest is copied"),
    "shell_of_rewritten": Template("{share:percent} of rewritten"),
    "shell_at_least": Template("at least {left:duration}"),
    "shell_is_slow": Template(
        "{name} ({id}) is slow: the data left to copy decreases, but it takes long."
    ),
    "shell_is_not_converging": Template(
        "{name} ({id}) is not converging: the guest writes at least as fast as it is copied."
    ),
    "shell_is_stalled": Template("{name} ({id}) is stalled: no data is being copied."),
}

_PREFLIGHTS: Mapping[str, Template] = {
    "shell_live": Template("{count} leaves live", plural="{count} leave live"),
    "shell_cold": Template("{count} cold", plural="{count} cold"),
    "shell_to_confirm": Template("{count} to be confirmed", plural="{count} to be confirmed"),
    "shell_stay": Template("{count} stays", plural="{count} stay"),
    "shell_blocked": Template("{count} blocked", plural="{count} blocked"),
    "shell_refused_now": Template("{host}: CANNOT BE DRAINED NOW. {why}"),
    "shell_preflight": Template("{host}: {summary}."),
    "shell_summary_of": Template("{parts:clauses}"),
    "shell_listed": Template("{parts}"),
    "shell_destinations_requested": Template(
        "Destinations to be requested (an estimate: worked out anew for each instance):"
    ),
    "shell_destinations_possible": Template(
        "Possible destinations (an estimate: Nova's scheduler decides):"
    ),
    "shell_whole_plan": Template("The whole plan: {hosts}, {pace}; {parts:clauses}."),
    "shell_none_on_them": Template("there is no instance on them"),
    "shell_none_on_it": Template("there is no instance on this host"),
    "shell_needs": Template("needs {gib} GiB"),
    "shell_needs_of": Template("needs {gib} GiB, {room}"),
    "shell_room": Template("{gib} GiB free on {hosts}"),
    "shell_room_unknown": Template("free capacity unknown on {hosts}"),
    "shell_no_room": Template("no room for {n} of them"),
    "shell_perhaps_no_room": Template("perhaps no room for {n} of them"),
    "shell_about": Template("about {seconds:duration}"),
    "shell_about_with": Template(
        "about {seconds:duration} with {n} at once, {one_by_one:duration} one by one ({rate} MiB/s"
        " {source}, disks apart)"
    ),
    "shell_rate_measured": Template(
        "measured in {count} earlier migration", plural="measured in {count} earlier migrations"
    ),
    "shell_rate_assumed": Template("assumed"),
    "shell_plan_refused": Template("the plan cannot be requested while {hosts} cannot be drained"),
    "shell_notes": Template("Notes:"),
    "shell_note": Template("{names}: {said}"),
    "shell_and_more": Template("{names} and {n} more"),
    "shell_unknown_parts": Template("Unknown, and therefore not checked:"),
    "shell_relief": Template("What would provide capacity:"),
}

_RUNS: Mapping[str, Template] = {
    "shell_order_by_hand": Template("as given"),
    "shell_order_fewest": Template("fewest instances first"),
    "shell_order_few_moves": Template("so that few instances move twice"),
    "shell_approval_none": Template("no approval"),
    "shell_approval_first": Template("approval before the first host"),
    "shell_approval_each": Template("approval before each host"),
    "shell_action_by_hand": Template("by hand"),
    "shell_run_preview": Template("{hosts}, {order}; {pace}."),
    "shell_moves": Template("Moves: {moves} needed in this order, {least} at least in any order."),
    "shell_no_room_then": Template("For {n} of them there is no room at their time."),
    "shell_windows": Template("Windows: {windows:clauses}"),
    "shell_windows_of_it": Template("Windows: {windows:clauses}."),
    "shell_always_open": Template("none, always open"),
    "shell_run_refused": Template("The run cannot be requested while {hosts} cannot be drained."),
    "shell_never_fits": Template(
        "The run cannot be requested: no window is long enough for {hosts}."
    ),
    "shell_no_window": Template("No window is long enough."),
    "shell_room_lacks": Template("Room: NOT ENOUGH while {hosts} are out. {why}"),
    "shell_room_enough": Template("Room: enough while the fullest hosts are out ({hosts})."),
    "shell_not_empty": Template(
        "{host} does not become empty by itself: {summary}.",
        remedy="See `drain_host {host} --dry-run`.",
    ),
    "shell_down_already": Template("Down already, so not waited for: {hosts}."),
    "shell_in_error_already": Template("In ERROR already, so not waited for: {names}."),
    "shell_ends": Template("Ends about {at:time}, if nothing holds it up."),
    "shell_end_unknown": Template("Its end is unknown."),
    "shell_out_at_a_time": Template(
        "at most {count} host out at a time", plural="at most {count} hosts out at a time"
    ),
    "shell_most_of_one": Template("{pace}, at most {n} of one {what}"),
    "shell_of_one": Template("{pace}, of one {what} at a time"),
    "shell_zone": Template("availability zone"),
    "shell_aggregate": Template("aggregate"),
    "shell_aggregates": Template("aggregate ({names})"),
    "shell_run": Template("Run {run}: {state:word}, {parts}"),
    "shell_hosts_done": Template("{done} of {hosts} done"),
    "shell_hosts_failed": Template("{n} failed"),
    "shell_hosts_left_out": Template("{n} left out"),
    "shell_needs_you_list": Template("Needs you:"),
    "shell_host_failed": Template("{host} failed ({where:word}): {ways}."),
    "shell_or_done": Template("`host_done {host}` if it was done nevertheless"),
    "shell_or_skip": Template("or skip it"),
    "shell_host_is_yours": Template(
        "{host} is yours: `host_done {host}` when its maintenance is done."
    ),
    "shell_next_waits": Template("the next host waits for `maintenance_run approve {run}`."),
    "shell_to_continue": Template("to go on without what failed: `maintenance_run resume {run}`."),
    "shell_action": Template("Action: {action}"),
    "shell_stop_on_failure": Template("stop after a failure"),
    "shell_skip_failures": Template(
        "go on after up to {count} failure", plural="go on after up to {count} failures"
    ),
    "shell_brings_instances_back": Template("instances are brought back"),
    "shell_try_first": Template("{name}: {state:word}"),
    "shell_try_number": Template("{name} (try {n}): {state:word}"),
}

TEMPLATES: Mapping[str, Template] = {**_DRAINS, **_PREFLIGHTS, **_RUNS}

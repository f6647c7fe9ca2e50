"""What a command tells of what it did, and of what goes on."""

from collections.abc import Mapping

from ..template import Template

_FOLLOW_DRAIN = "Follow it with `drain_status {drain}`."
_FOLLOW_RUN = "Follow it with `maintenance_run status {run}`."

TEMPLATES: Mapping[str, Template] = {
    "type_yes": Template("Type yes to continue:"),
    "shell_no_worker": Template(
        "No worker is running, so no drain makes progress.",
        remedy="Start one: `django-admin maintenance_worker`.",
    ),
    "shell_worker_problem": Template("The worker has a problem: {problem}"),
    "cloud_to_name": Template(
        'UKCLOUD_MAINTENANCE["CLOUD"] (or "CLOUDS") must name a cloud of a clouds.yaml that you may'
        " read: the one that OS_CLIENT_CONFIG_FILE names, or in ~/.config/openstack or"
        " /etc/openstack."
    ),
    "credentials_of_admin": Template(
        "The credentials in clouds.yaml must be those of an administrator of this region."
    ),
    "try_again": Template("Try again."),
    "try_again_in": Template("Try again in {seconds} s."),
    # -- how many
    "n_drains": Template("{count} drain", plural="{count} drains"),
    "n_instances": Template("{count} instance", plural="{count} instances"),
    "n_events": Template("{count} event", plural="{count} events"),
    "n_maintenances": Template("{count} maintenance", plural="{count} maintenances"),
    "n_plans": Template("{count} plan", plural="{count} plans"),
    "n_runs": Template("{count} rolling run", plural="{count} rolling runs"),
    "n_hosts": Template("{count} host", plural="{count} hosts"),
    "n_actions": Template("{count} action", plural="{count} actions"),
    "n_migrations_at_once": Template(
        "{count} migration at once", plural="{count} migrations at once"
    ),
    # -- drains
    "shell_summary": Template("{host} (drain {drain}): {alarm} {state:word}, {counts}"),
    "shell_summary_back": Template("{host} (bring-back {drain}): {alarm} {state:word}, {counts}"),
    "shell_left_host": Template("{left} of {to_leave} left the host"),
    "shell_came_back": Template("{left} of {to_leave} came back"),
    "shell_left_their_hosts": Template("{left} of {to_leave} left their hosts"),
    "shell_and_stay": Template("{counts}, {count} stays", plural="{counts}, {count} stay"),
    "shell_summary_moving": Template("{summary}; in progress: {moving}"),
    "shell_drain_requested": Template("Drain {drain} of {host} requested: {what:clauses}."),
    "shell_some_stay": Template("{instances}, {staying} of them stay where they are"),
    "shell_not_before": Template("it does not start before {at:time}"),
    "shell_nothing_after": Template("no new migrations start after {at:time}"),
    "shell_forces": Template(
        "if a migration takes too long, its guest is paused until the rest is copied"
    ),
    "shell_plan_requested": Template("Plan {plan} requested: {hosts}, {pace}."),
    "pace_all_at_once": Template("all at once"),
    "pace_one_by_one": Template("one after another"),
    "pace_at_a_time": Template("{n} at a time"),
    "pace_not_before": Template("not before {at:time}"),
    "pace_nothing_after": Template("no new migrations after {at:time}"),
    "pace_timeout_action": Template("timeout action: {action:word}"),
    "pace_even": Template("placing: even"),
    "pace_scheduler": Template("placing: scheduler"),
    "shell_drain_changed": Template("Drain {drain} of {host} ({state:word}): {pace:clauses}."),
    "shell_drain_resumed": Template("Drain {drain} of {host} resumed: {pace:clauses}."),
    "shell_drain_paused": Template(
        "Drain {drain} of {host} is {state:word}: {what}.",
        remedy="Resume it with `drain_resume {drain}`.",
    ),
    "shell_paused_begun": Template("no new migrations start, those in progress finish"),
    "shell_paused_unbegun": Template("it has not started and does not start"),
    "shell_drain_is": Template("Drain {drain} of {host} is {state:word}."),
    "shell_drain_cancelling": Template(
        "Drain {drain} of {host} is being cancelled: {migrations}; {service}."
    ),
    "shell_migrations_aborted": Template("migrations in progress are aborted"),
    "shell_migrations_finish": Template("migrations in progress finish"),
    "shell_service_enabled": Template(
        "its service is enabled at the end if it still has the drain's reason"
    ),
    "shell_service_unchanged": Template("its service stays unchanged"),
    "shell_failed_retried": Template("{summary}; failed instances are retried."),
    "shell_of_drain": Template("Drain {drain} of {host}: {said}"),
    "shell_drain_ended": Template("Drain {drain} of {host} {state:word}: {what}"),
    "shell_drain_written": Template("Drain {drain} with {instances} was written to {path}."),
    "shell_plan_continues": Template(
        "Plan {plan} continues.",
        remedy="Follow it with `drain_status --plan {plan}`, cancel it with `drain_cancel --plan"
        " {plan}`.",
    ),
    "shell_cancel_continues": Template(
        "The cancellation of drain {drain} continues.", remedy=_FOLLOW_DRAIN
    ),
    "shell_drain_continues": Template(
        "Drain {drain} of {host} continues.",
        remedy="Follow it with `drain_status {drain}`, cancel it with `drain_cancel {drain}`.",
    ),
    "shell_wait_for_safe": Template(
        "Drain {drain} has ended.",
        remedy="Wait until {host} is safe to power off with `host_status {host} --wait`.",
    ),
    # -- instances of a drain
    "shell_instance": Template("{name}: {what}."),
    "shell_instance_refused": Template("{name} ({id}): {why}"),
    "shell_abort": Template("abort requested; it keeps running on its host"),
    "shell_force": Template(
        "force complete requested; its guest is paused until the rest is copied"
    ),
    "shell_retry": Template("retried"),
    "shell_skip": Template("skipped; it stays on its host"),
    "shell_first": Template("moved to the front"),
    "shell_reset": Template("reset to active requested"),
    "shell_see_drain": Template("See the result with `drain_status {drain}`."),
    "cost_of_reset": Template(
        "Nova's database will say that these instances are active on their source host. If a guest"
        " runs on another host nevertheless, a second copy of it could be started on the same"
        " disks."
    ),
    "to_force": Template("Force to complete:"),
    "to_reset": Template("Reset to active:"),
    "shell_read_at": Template("{name} ({id}), read at {at:time}:"),
    "shell_on_host": Template("on {host}"),
    "shell_left_unknown": Template("unknown how much is left"),
    "shell_left": Template("{size:size} left"),
    "shell_left_and_pause": Template("{left}, a pause of about {pause:duration}"),
    "shell_finishes_without": Template(
        "{left}; without one, it finishes in about {seconds:duration}"
    ),
    # -- hosts
    "shell_safe": Template(
        "{host} is SAFE TO POWER OFF, since {since:time}; verified {verified:time}."
    ),
    "shell_not_safe": Template("{host} is NOT safe to power off. {why}"),
    "shell_why_not_safe": Template("{host}: {why}"),
    "shell_last_maintenance": Template(
        "Its last maintenance ended {at:time} ({result:word}): {said}"
    ),
    "no_message": Template("no message"),
    "closed_by_hand": Template("closed by hand"),
    "shell_withdrawn": Template("Withdrawn {at:time}: {why}"),
    "shell_in_maintenance": Template(
        "In maintenance since {at:time}; the service was found {status:word}{reason}."
    ),
    "shell_drain_of_host": Template("Drain {drain}: {state:word}, requested by {who}: {reason}"),
    "shell_not_brought_back": Template(
        "{name} ({id}) is not brought back: somebody else moved it from {source} to {host}.",
        remedy="To bring it back as well, use --also-moved.",
    ),
    "shell_return_requested": Template("Return of {host} to service requested."),
    "shell_return_continues": Template(
        "The return of {host} continues.", remedy="Follow it with `host_status {host}`."
    ),
    "shell_return_ended": Template("{host}: {result:word}. {said}"),
    "shell_none_to_bring_back": Template("There are no instances to bring back."),
    "shell_bring_back_ended": Template(
        "Drain {drain}, which brings the instances back, has ended ({state:word})."
    ),
    "shell_brings_back": Template(
        "Drain {drain} brings the instances back when the host is in service.",
        remedy=_FOLLOW_DRAIN,
    ),
    "shell_no_allocations": Template("Placement has no allocations on {host}."),
    "to_remove_allocation": Template(
        "Remove the allocation of consumer {consumer} on {host}. {cost}"
    ),
    "cost_of_removal": Template(
        "Only this allocation is removed from Placement, after all checks were repeated. No guest"
        " is touched."
    ),
    "shell_removed_allocation": Template("Removed from {host}: {held:clauses}."),
    "shell_leftover": Template("{consumer}: leftover, can be removed"),
    "shell_in_use": Template("{consumer}: may still be in use"),
    "shell_holds": Template("holds {amounts}"),
    "shell_remove_it": Template("Remove it: host_allocations {host} --remove {consumer}"),
    "shell_by_hand": Template("By hand: {command}"),
    # -- the record
    "shell_removed": Template(
        "Removed {drains} with {instances} and {events}, {maintenances} of hosts and {plans}."
    ),
    "shell_would_remove": Template(
        "Would remove {drains} with {instances} and {events}, {maintenances} of hosts and {plans}."
    ),
    "shell_removed_runs": Template("Removed {runs} with {hosts} and {actions}."),
    "shell_would_remove_runs": Template("Would remove {runs} with {hosts} and {actions}."),
    "shell_kept": Template("Kept {drains} of that age: their hosts are still in maintenance."),
    "shell_kept_runs": Template("Kept {runs} of that age: a host of it is still in maintenance."),
    # -- rolling runs
    "shell_run_requested": Template("Run {run} requested: {hosts}.", remedy=_FOLLOW_RUN),
    "shell_run_continues": Template(
        "Run {run} continues.",
        remedy="Follow it with `maintenance_run status {run} --wait`, cancel it with"
        " `maintenance_run cancel {run}`.",
    ),
    "shell_run_paused": Template(
        "Run {run} is paused: no host begins and no action is started; drains, actions and returns"
        " that have begun continue.",
        remedy="Resume it with `maintenance_run resume {run}`.",
    ),
    "shell_run_resumed": Template("Run {run} is resumed; hosts that failed are left as they are."),
    "shell_run_cancelling": Template(
        "Run {run} is being cancelled: no host begins, and those that have begun are returned to"
        " service, after their action where it runs already."
    ),
    "shell_run_approved": Template("Run {run} has its approval for the next host."),
    "shell_host_skipped": Template("Host {host} of run {run} is left out."),
    "shell_host_retried": Template("Host {host} of run {run} is tried again."),
    "shell_host_done": Template(
        "Host {host} of run {run} is done, and is returned to service when it is up."
    ),
    "shell_maintenance_done": Template(
        "The maintenance of {host} is done. Run {run} returns it to service when it is up; follow"
        " it with `maintenance_run status {run}`."
    ),
    "shell_hosts_added": Template("Run {run} has {number} more: {hosts}."),
    "shell_run_written": Template("Run {run} with {hosts} was written to {path}."),
    "shell_no_run_open": Template(
        "No run is in progress.", remedy="`maintenance_run list` shows those that are over."
    ),
    "shell_no_run": Template("There is no run."),
    "shell_region_left_out": Template("Region {region} is left out. {why}"),
    "shell_try": Template("{host}, {what}, started {at:time}"),
    "shell_nothing_written": Template("It has written nothing."),
}

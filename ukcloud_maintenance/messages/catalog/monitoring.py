"""What is said to those who watch: of a worker's metrics, and of the health of the whole."""

from ..template import Template

_START = "Start one: `django-admin maintenance_worker`, or `systemctl start` its unit."
_SEE_LOG = "Look at the worker's log on its machine."
_SEE_RUN = "Open the run's page, or run `maintenance_run status` with its number."
_SEE_DRAIN = "Open the drain's page, or run `drain_status` with its number."

TEMPLATES = {
    "check_command_failed": Template("This command failed; standard error has the details."),
    "check_more": Template("And {n} more."),
    "check_all_well": Template("All is well."),
    "metrics_not_installed": Template(
        "The worker cannot serve metrics: {detail}",
        remedy="Install the extra metrics (prometheus_client), or set METRICS_PORT to 0. Drains are"
        " not affected.",
    ),
    "metrics_not_served": Template(
        "The worker cannot serve metrics at {address}, port {port}: {detail}",
        remedy="Set METRICS_ADDRESS and METRICS_PORT to an address of its machine and a free port."
        " The worker tries again; drains are not affected.",
    ),
    "health_no_worker": Template("No worker has ever reported.", remedy=_START),
    "health_no_worker_since": Template(
        "No worker is running: the last one, {worker}, reported {seconds:duration} ago.",
        remedy=_START,
    ),
    "health_all_stopped": Template("No worker is running: all were stopped.", remedy=_START),
    "health_worker_silent": Template(
        "Worker {worker} has been silent for {seconds:duration}.",
        remedy="Start it again, or wait until it is forgotten after 7 days of silence.",
        cause="It has not said goodbye; other workers do its work.",
    ),
    "health_worker_problem": Template(
        "Worker {worker} reports a problem: {detail:inline}.", remedy=_SEE_LOG
    ),
    "health_in_need": Template(
        "Drain {drain} of host {host} needs a person for {count} instance.",
        plural="Drain {drain} of host {host} needs a person for {count} instances.",
        remedy=_SEE_DRAIN,
    ),
    "health_not_passed": Template(
        "No worker has looked at drain {drain} of host {host} for {seconds:duration}.",
        remedy="Check that a running worker has a cloud for region {region} in its settings.",
    ),
    "health_open_long": Template(
        "Drain {drain} of host {host} has been open for {seconds:duration}.", remedy=_SEE_DRAIN
    ),
    "health_certificate_old": Template(
        "Host {host} was not verified for {seconds:duration}, so it is unknown whether it is"
        " safe to power off.",
        remedy="Run `host_status {host}`, and look at the worker's log.",
    ),
    "health_run_failed": Template(
        "Run {run} needs a person: a host of it failed.",
        plural="Run {run} needs a person: {count} hosts of it failed.",
        remedy=_SEE_RUN,
    ),
    "health_run_not_passed": Template(
        "No worker has looked at run {run} for {seconds:duration}.",
        remedy="Check that a running worker has a cloud for region {region} in its settings.",
    ),
    "health_run_held": Template(
        "Run {run} has begun no host for {seconds:duration}: {why:inline}.", remedy=_SEE_RUN
    ),
    "health_left_failed": Template(
        "A host that failed in a rolling run is still out of service.",
        plural="{count} hosts that failed in rolling runs are still out of service.",
        remedy="See which hosts of region {region} are in maintenance; repair them and return them"
        " to service (host_return).",
        cause="Their runs are over, or continued without them.",
    ),
    "health_database": Template(
        "The database failed: {detail}.",
        remedy="Check that it is up and that its tables exist (`django-admin migrate`).",
    ),
    "worker_stuck": Template(
        "Too many passes of the worker do not end.",
        remedy="Start the worker again, and look at its log for where they hang.",
    ),
    "health_database_silent": Template(
        "The database has not answered for {seconds:duration}.",
        remedy="Check the database and the network.",
    ),
}

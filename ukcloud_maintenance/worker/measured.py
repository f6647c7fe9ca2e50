"""The metrics of a worker: their names, labels and meaning, for the endpoint and for the docs."""

from dataclasses import dataclass

PREFIX = "ukcloud_maintenance_"
COUNTER, GAUGE, HISTOGRAM, INFO = "counter", "gauge", "histogram", "info"

#: Upper bounds of histograms, in seconds.
PASS_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180)
MIGRATION_SECONDS = (5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400)
ACTION_SECONDS = (10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800, 86400)
REQUEST_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


@dataclass(frozen=True)
class Measured:
    """One metric.

    :param name: without the prefix; with its unit, and without the `_total` of a counter
    :param labels: their names
    :param help: one sentence
    :param buckets: of a histogram: upper bounds, in seconds
    """

    kind: str
    name: str
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()

    @property
    def full_name(self) -> str:
        """As Prometheus stores it."""
        suffix = {COUNTER: "_total", INFO: "_info"}.get(self.kind, "")
        return f"{PREFIX}{self.name}{suffix}"


#: What a worker counts of its own work, since it was started.
OF_THE_WORKER = {
    one.name: one
    for one in (
        Measured(
            INFO,
            "build",
            ("version", "python"),
            "The version of the plugin and of Python; always 1.",
        ),
        Measured(
            COUNTER,
            "passes",
            ("of", "result"),
            "Passes over a drain, a host or a run. Results: done; problem (OpenStack or a setting"
            " is in the way); overtaken (somebody else was faster); bug; abandoned (it hung).",
        ),
        Measured(
            HISTOGRAM, "pass_duration_seconds", ("of",), "How long passes took.", PASS_SECONDS
        ),
        Measured(
            GAUGE,
            "last_pass_timestamp_seconds",
            ("of",),
            "When the last pass over a drain, a host or a run ended, in Unix time. Without drains,"
            " hosts in maintenance and runs there is none.",
        ),
        Measured(
            COUNTER,
            "migrations",
            ("region", "method", "result"),
            "Attempts to move an instance that ended. Methods: live, cold, confirm (of a resize);"
            " results: as in the record, e.g. succeeded, failed, aborted, unknown.",
        ),
        Measured(
            HISTOGRAM,
            "migration_duration_seconds",
            ("region", "method", "result"),
            "From the request for a migration to its end, the time in Nova's queue included.",
            MIGRATION_SECONDS,
        ),
        Measured(
            COUNTER,
            "moved_bytes",
            ("region", "of"),
            "Memory and local disk of the instances that arrived. What guests rewrote during the"
            " copy, and was copied again, does not count.",
        ),
        Measured(
            COUNTER,
            "actions",
            ("region", "action", "result"),
            "Tries of an action on a host of a rolling run that ended. Action: its name in the"
            " settings, empty by hand; results: done, later (it requested another try), failed,"
            " unknown.",
        ),
        Measured(
            HISTOGRAM,
            "action_duration_seconds",
            ("region", "action", "result"),
            "From the beginning of such a try to its end.",
            ACTION_SECONDS,
        ),
        Measured(
            COUNTER,
            "openstack_requests",
            ("service", "method", "route", "status"),
            "Requests to Nova, Keystone and Placement, logins included, by the route without ids;"
            " the service is empty and the route / where the versions of a service were read."
            " Status: HTTP's, or none where no answer came.",
        ),
        Measured(
            HISTOGRAM,
            "openstack_request_duration_seconds",
            ("service",),
            "How long it took until an answer began, or the request failed.",
            REQUEST_SECONDS,
        ),
        Measured(
            COUNTER,
            "outages",
            ("of", "region"),
            "Outages that the worker noticed, of openstack (by region) and of the database.",
        ),
        Measured(
            GAUGE, "outage", ("of", "region"), "Whether such an outage lasts: 1; 0 after the first."
        ),
    )
}

#: What is read of the database when the metrics are requested: the same from each worker.
OF_THE_DATABASE = {
    one.name: one
    for one in (
        Measured(
            GAUGE,
            "database_up",
            (),
            "Whether the database answered; 0: the metrics below are missing.",
        ),
        Measured(GAUGE, "drains", ("region", "state"), "Drains on record."),
        Measured(GAUGE, "instances", ("region", "state"), "Instances of the open drains."),
        Measured(
            GAUGE,
            "drains_in_need",
            ("region",),
            "Drains with an instance that needs a person: open ones, and the last one of each host"
            " in maintenance.",
        ),
        Measured(GAUGE, "instances_in_need", ("region",), "Instances that need a person."),
        Measured(
            GAUGE,
            "pass_overdue_seconds",
            ("region",),
            "For how long a pass over an open drain or run is due that no worker makes: the"
            " longest.",
        ),
        Measured(GAUGE, "runs", ("region", "state"), "Rolling runs on record."),
        Measured(
            GAUGE,
            "run_hosts",
            ("region", "status"),
            "Hosts of the rolling runs that are not over. Status: waiting, under_way (from its"
            " drain to its return), failed, done, skipped.",
        ),
        Measured(
            GAUGE,
            "run_hosts_left_failed",
            ("region",),
            "Hosts that failed in a rolling run that is over, or continued without them, and that"
            " are out of service still.",
        ),
        Measured(
            GAUGE,
            "run_held_seconds",
            ("region", "reason"),
            "For how long a rolling run begins no host for this reason: the longest. Reason:"
            " window, approval, gate, room, trouble (OpenStack or the worker fails, or no window is"
            " long enough). That as many hosts are out as may be is none.",
        ),
        Measured(
            GAUGE,
            "hosts_in_maintenance",
            ("region", "status"),
            "Hosts in maintenance. Status: draining, safe (to power off), not_safe, returning.",
        ),
        Measured(
            GAUGE,
            "certificate_age_seconds",
            ("region", "host"),
            "Since the last verification whether a host in maintenance is safe to power off; of a"
            " host that was not verified since its drain, since the end of that.",
        ),
        Measured(
            GAUGE,
            "host_safe",
            ("region", "host"),
            "Whether a host in maintenance is safe to power off: 1 or 0.",
        ),
        Measured(
            GAUGE,
            "workers",
            ("status",),
            "Workers that have not said goodbye. Status: well, problem (it reports one), silent.",
        ),
    )
}


def table() -> str:
    """The table of the docs, in Markdown."""
    lines = ["| metric | type | labels | what it is |", "|---|---|---|---|"]
    for one in (*OF_THE_WORKER.values(), *OF_THE_DATABASE.values()):
        labels = ", ".join(f"`{label}`" for label in one.labels)
        lines.append(f"| `{one.full_name}` | {one.kind} | {labels} | {one.help} |")
    return "\n".join(lines) + "\n"

"""The settings: one dict, ``UKCLOUD_MAINTENANCE``, read as one frozen value.

Durations are seconds. :func:`current` raises :class:`ConfigurationError` where a value is wrong, so
that a typing error never turns into a silent default; :func:`problems` lists all that is wrong, for
the system checks.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings as django_settings

from ..core.message import message
from ..exceptions import ConfigurationError
from . import actions as of_runs
from . import schema
from .actions import Action, Alerts
from .canary import CANARY, CanarySettings, canary_problems
from .metrics import MetricsSettings
from .notices import Notices
from .receivers import Receiver, same_names
from .removed import REMOVED
from .schema import Setting, setting

__all__ = ["NAME", "SETTINGS", "Receiver", "Settings", "current", "leftovers", "problems", "table"]

NAME = "UKCLOUD_MAINTENANCE"


@dataclass(frozen=True)
class Settings(Notices, MetricsSettings):
    """What an operator sets, and below it what is derived from that."""

    cloud: str = setting(
        "",
        "a cloud of clouds.yaml",
        "The cloud that the worker uses, if there is one region.",
    )
    clouds: Mapping[str, str] = setting(
        {},
        "region: cloud of clouds.yaml",
        "The clouds that the worker uses, by region, if there are several.",
    )
    max_concurrent: int = setting(
        2,
        "migrations",
        "Default for the number of migrations of one drain that run at once.",
        1,
        100,
    )
    max_attempts: int = setting(
        3,
        "attempts",
        "How many times one instance is tried in a drain.",
        1,
        20,
    )
    retry_seconds: float = setting(
        30,
        "seconds",
        "Wait after the first failed attempt of an instance. It doubles with each further"
        " attempt, up to 600 s, or to this value if it is longer.",
        0,
        86400,
    )
    poll_seconds: float = setting(
        1,
        "seconds",
        "Interval between two passes over a drain while instances are being moved and something"
        " may have changed.",
        0.1,
        60,
    )
    idle_seconds: float = setting(
        5,
        "seconds",
        "Interval between two passes over a drain while nothing is being moved, and between two"
        " looks at everything while nothing changes. What is requested is begun within a second.",
        0.1,
        300,
    )
    submit_grace_seconds: float = setting(
        60,
        "seconds",
        "How long the worker checks Nova for traces of a request whose answer was lost, before"
        " it may send the request again. Must be longer than API_TIMEOUT_SECONDS.",
        1,
        3600,
    )
    late_min_seconds: float = setting(
        300,
        "seconds",
        "How long a migration of up to 10 GiB of memory and local disk may take before it is"
        " marked as late; larger ones may take longer in proportion. Also how long the worker"
        " waits for a copy that libvirt may finish by itself, before it draws conclusions from"
        " the end of that copy.",
        1,
        86400,
    )
    timeout_seconds_per_gib: float = setting(
        300,
        "seconds per GiB of memory and local disk",
        "A migration times out when it takes longer than this for each GiB that it copies: see"
        " TIMEOUT_ACTION. A local disk counts with the size that Nova reports, otherwise with"
        " that of its flavor, and does not count if the memory is copied first (shared storage).",
        0.1,
        86400,
    )
    timeout_min_seconds: float = setting(
        1800,
        "seconds",
        "No migration times out before this time, however small it is.",
        1,
        604800,
    )
    timeout_action: str = setting(
        "warn",
        "warn, abort or force_complete",
        "Default for what happens to a migration that has timed out: it is marked; it is"
        " aborted, and retried if Nova leaves the instance ACTIVE (Nova 33 and 34 set it to"
        " ERROR, see Limits in the documentation); or its guest is paused until the rest is copied."
        " A migration that should finish within another half of its timeout may continue.",
        choices=("warn", "abort", "force_complete"),
    )
    max_in_region: int = setting(
        20,
        "migrations",
        "How many migrations of all drains of a region may be in progress at once, and the most"
        " that an administrator may set for one drain (never more than 100).",
        1,
        10000,
    )
    max_per_destination: int = setting(
        4,
        "migrations",
        "How many migrations of all drains to one host may be in progress at once.",
        1,
        1000,
    )
    cancel_wait_seconds: float = setting(
        1800,
        "seconds",
        "How long a drain that is being cancelled waits for migrations in progress to finish;"
        " for those that it aborts, at most 300 s.",
        1,
        86400,
    )
    blocked_wait_seconds: float = setting(
        600,
        "seconds",
        "How long a drain waits for blocked instances after all others are done.",
        0,
        86400,
    )
    proof_wait_seconds: float = setting(
        300,
        "seconds",
        "How long a drain tries to verify that its host is empty after the last instance has"
        " left. It also waits for migrations by others from and to the host.",
        1,
        86400,
    )
    host_down_wait_seconds: float = setting(
        900,
        "seconds",
        "How long a drain waits for a host that goes down during the drain, and a return to"
        " service for Nova to report the host up. A host takes minutes to boot.",
        1,
        86400,
    )
    cloud_down_wait_seconds: float = setting(
        3600,
        "seconds",
        "How long a drain waits while OpenStack does not answer the worker.",
        1,
        86400,
    )
    settle_seconds: float = setting(
        15,
        "seconds",
        "How long Nova must report the end of a migration before the worker believes it, in the"
        " cases where Nova is known to change its report: error with a destination, cancelled,"
        " completed while the server is still on the source host.",
        0,
        600,
    )
    verify_seconds: float = setting(
        30,
        "seconds",
        "Interval between two verifications that a host in maintenance is safe to power off. A"
        " verification older than three such intervals is no longer valid.",
        5,
        3600,
    )
    api_timeout_seconds: float = setting(
        30,
        "seconds",
        "How long the worker waits for one answer of OpenStack. A page waits half of that, but"
        " at least 15 s. A worker keeps a drain for three times this time without a sign of"
        " life; a pass over a drain or a host that takes six times this time is abandoned and"
        " reported as a problem of the worker.",
        1,
        600,
    )
    opt_out_stay: str = setting(
        "maintenance:stay",
        "a tag or metadata key of a server; empty: none",
        "With this, an owner requests that a server stay on its host: as a tag, or as a"
        " metadata key with the value true.",
    )
    opt_out_live: str = setting(
        "maintenance:live_migrate",
        "a tag or metadata key of a server; empty: none",
        "With this and the value false, an owner requests that a server not be live-migrated.",
    )
    opt_out_cold: str = setting(
        "maintenance:cold_migrate",
        "a tag or metadata key of a server; empty: none",
        "With this and the value false, an owner requests that a server not be cold-migrated;"
        " with the value true, the owner agrees to it.",
    )
    actions: Mapping[str, Action] = of_runs.ACTIONS
    actions_directory: str = of_runs.ACTIONS_DIRECTORY
    canary: CanarySettings | None = CANARY
    alerts: Alerts | None = of_runs.ALERTS
    by_hand_settle_seconds: float = of_runs.BY_HAND_SETTLE_SECONDS
    gate_hosts_down: bool = of_runs.GATE_HOSTS_DOWN
    gate_errors: bool = of_runs.GATE_ERRORS
    interface: str = setting(
        "",
        "public, internal or admin",
        "The endpoints that the panel uses; if empty, Horizon's OPENSTACK_ENDPOINT_TYPE. Those"
        " that the worker uses are set in clouds.yaml.",
    )
    keep_days: int = setting(
        365,
        "days",
        "How long the record of a drain is kept after its end. `maintenance_clear` removes"
        " older records.",
        1,
        36500,
    )

    @property
    def max_concurrent_ceiling(self) -> int:
        """The most migrations of one drain at once that an admin may request."""
        return max(self.max_concurrent, min(self.max_in_region, 100))

    @property
    def retry_max_seconds(self) -> float:
        """The longest pause between two attempts. 600 by default."""
        return max(600.0, self.retry_seconds)

    @property
    def lease_seconds(self) -> float:
        """How long a worker keeps a drain without a sign of life. 90 by default.

        Longer than the wait for one answer: a worker that waits for it must not lose its drain.
        """
        return 3 * self.api_timeout_seconds

    @property
    def pass_seconds(self) -> float:
        """How long one pass may take before it is abandoned. 180 by default."""
        return 6 * self.api_timeout_seconds

    @property
    def worker_silent_seconds(self) -> float:
        """Silence of all workers after which the pages warn. 90 by default."""
        return max(90.0, self.lease_seconds)

    @property
    def page_timeout_seconds(self) -> float:
        """How long a page waits for one answer of OpenStack. 15 by default."""
        return max(15.0, self.api_timeout_seconds / 2)

    @property
    def late_seconds_per_gib(self) -> float:
        """Seconds a GiB of memory and local disk after which a migration is late. 30 by default."""
        return self.late_min_seconds / 10

    @property
    def abort_wait_seconds(self) -> float:
        """How long a cancelled drain waits for what it aborts. 300 by default."""
        return min(300.0, self.cancel_wait_seconds)

    @property
    def return_wait_seconds(self) -> float:
        """How long a return to service waits for the host to be up. 900 by default."""
        return self.host_down_wait_seconds

    @property
    def certificate_seconds(self) -> float:
        """How old a verification may be and still be valid: three intervals between two."""
        return 3 * self.verify_seconds

    @property
    def regions(self) -> dict[str, str]:
        """Region to cloud. With "CLOUD" alone, the one key is empty: any region."""
        return dict(self.clouds) if self.clouds else ({"": self.cloud} if self.cloud else {})

    def cloud_of(self, region: str) -> str:
        """The cloud of clouds.yaml for a region, or empty where the settings name none."""
        return self.clouds.get(region, "") if self.clouds else self.cloud


SETTINGS: tuple[Setting, ...] = schema.settings_of(Settings)


def current() -> Settings:
    """The settings as they are now.

    :raises ConfigurationError: the dict is none, or a value in it is wrong
    """
    given = getattr(django_settings, NAME, {})
    if not isinstance(given, dict):
        said = message("settings_no_dict", name=NAME, type=type(given).__name__)
        raise ConfigurationError(said)
    try:
        return schema.read(Settings, given)
    except ValueError as error:
        raise ConfigurationError(message("setting_wrong", problem=f"{NAME}{error}")) from error


def problems() -> Iterator[tuple[str, str]]:
    """What is wrong with the dict: (problem, remedy) pairs that both name the setting."""
    given = getattr(django_settings, NAME, None)
    if given is None:
        yield f"{NAME} is not set.", f'Add {NAME} = {{"CLOUD": "<cloud of clouds.yaml>"}}.'
        return
    if not isinstance(given, dict):
        yield f"{NAME} must be a dict, not {type(given).__name__}.", f"Make {NAME} a dict."
        return
    for problem, remedy in schema.problems(Settings, given, REMOVED):
        yield f"{NAME}{problem}", remedy
    if not given.get("CLOUD") and not given.get("CLOUDS"):
        yield (
            f'{NAME} names no cloud, neither "CLOUD" nor "CLOUDS".',
            f'Add {NAME}["CLOUD"] = "<cloud of clouds.yaml>", the one the worker logs in with.',
        )
    try:
        read = current()
    except ConfigurationError:
        return  # named above
    for problem, remedy in (
        *read.metrics_problems(),
        *canary_problems(read.actions, read.canary),
    ):
        yield f"{NAME}{problem}", remedy
    if read.submit_grace_seconds <= read.api_timeout_seconds:
        yield (
            f'{NAME}["SUBMIT_GRACE_SECONDS"] must be longer than "API_TIMEOUT_SECONDS".',
            "A request that is still on its way must not be taken for a lost one.",
        )
    if read.actions_directory and not read.actions_directory.startswith("/"):
        yield (
            f'{NAME}["ACTIONS_DIRECTORY"] must be an absolute path.',
            "Name a directory of the worker's machine, e.g. /var/lib/ukcloud-maintenance/actions.",
        )
    if name := same_names(read.notify, read.webhooks):
        yield (
            f'{NAME}["NOTIFY"] and "WEBHOOKS" have two receivers called {name}.',
            'Give each a "name" of its own: the record knows them by it.',
        )
    # the default is no one's choice, and a region may be small
    if read.max_concurrent > read.max_in_region and "MAX_CONCURRENT" in given:
        yield (
            f'{NAME}["MAX_CONCURRENT"] is above "MAX_IN_REGION".',
            "Lower the first or raise the second.",
        )


def leftovers() -> Iterator[tuple[str, str]]:
    """What the dict still has that is no longer a setting: (problem, remedy) pairs."""
    given: Any = getattr(django_settings, NAME, None)
    for problem, remedy in schema.leftovers(given if isinstance(given, dict) else {}, REMOVED):
        yield f"{NAME}{problem}", remedy


def table() -> str:
    """The table of settings of the docs."""
    return schema.table(Settings)

"""The settings: one dict, ``UKCLOUD_MAINTENANCE``, read through the typed functions below.

Durations are seconds. :func:`problems` lists what is wrong with the dict; the system checks
show it. A function raises :class:`ConfigurationError` where its own value is wrong, so that a
typing error never turns into a silent default.
"""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from .exceptions import ConfigurationError

NAME = "UKCLOUD_MAINTENANCE"


@dataclass(frozen=True)
class Setting:
    """One key of the dict. `minimum` and `maximum` are inclusive, for numbers."""

    name: str
    type: type | tuple[type, ...]
    default: Any
    unit: str
    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()

    def problem(self, value: Any) -> str:
        """Why `value` cannot be used, or empty."""
        wanted = self.type if isinstance(self.type, tuple) else (self.type,)
        is_bool = isinstance(value, bool) and bool not in wanted
        if is_bool or not isinstance(value, wanted):
            names = " or ".join(t.__name__ for t in wanted)
            return f"must be {names}, not {type(value).__name__} ({value!r})"
        if self.choices and value not in self.choices:
            return f"must be one of {', '.join(self.choices)}, not {value!r}"
        if isinstance(value, dict):
            if all(isinstance(text, str) for item in value.items() for text in item):
                return ""
            return f"must map text to text, not {value!r}"
        if not isinstance(value, int | float):
            return ""
        # `not >=` rather than `<`, which lets NaN pass
        if self.minimum is not None and not value >= self.minimum:
            return f"must be at least {self.minimum}, not {value!r}"
        if self.maximum is not None and value > self.maximum:
            return f"must be at most {self.maximum}, not {value!r}"
        return ""


_NUMBER = (int, float)

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "CLOUD", str, "", "a cloud of clouds.yaml", "The worker's cloud, where there is one region."
    ),
    Setting(
        "CLOUDS",
        dict,
        {},
        "region: cloud of clouds.yaml",
        "The worker's clouds by region, where there are several.",
    ),
    Setting(
        "MAX_CONCURRENT",
        int,
        2,
        "migrations",
        "How many migrations of one drain run at once, unless the admin says otherwise.",
        1,
        100,
    ),
    Setting(
        "MAX_CONCURRENT_CEILING",
        int,
        20,
        "migrations",
        "The most that an admin may ask for.",
        1,
        100,
    ),
    Setting(
        "MAX_ATTEMPTS", int, 3, "attempts", "How often one instance is tried in a drain.", 1, 20
    ),
    Setting(
        "RETRY_SECONDS",
        _NUMBER,
        30,
        "seconds",
        "Pause after the first failed attempt of an instance; it doubles with each further one.",
        0,
        86400,
    ),
    Setting(
        "RETRY_MAX_SECONDS", _NUMBER, 600, "seconds", "The longest pause between two.", 0, 86400
    ),
    Setting(
        "POLL_SECONDS",
        _NUMBER,
        1,
        "seconds",
        "Pause between two passes over a drain while something moves.",
        0.1,
        60,
    ),
    Setting(
        "IDLE_SECONDS",
        _NUMBER,
        5,
        "seconds",
        "Pause between two passes while nothing moves, and between two looks for new drains.",
        0.1,
        300,
    ),
    Setting(
        "SUBMIT_GRACE_SECONDS",
        _NUMBER,
        60,
        "seconds",
        "How long to look for traces in Nova of a request whose answer got lost, before it may be"
        " sent again. Longer than API_TIMEOUT_SECONDS.",
        1,
        3600,
    ),
    Setting(
        "LATE_SECONDS_PER_GIB",
        _NUMBER,
        30,
        "seconds a GiB of memory and local disk",
        "A migration that takes longer than this by what it copies is marked as late.",
        0.1,
        86400,
    ),
    Setting(
        "LATE_MIN_SECONDS",
        _NUMBER,
        300,
        "seconds",
        "No migration is called late before this time, however small.",
        1,
        86400,
    ),
    Setting(
        "TIMEOUT_SECONDS_PER_GIB",
        _NUMBER,
        300,
        "seconds a GiB of memory and local disk",
        "A copy that takes longer than this by what it copies meets TIMEOUT_ACTION. A local disk"
        " counts by the size that Nova shows, else by its flavor's, and not at all where the memory"
        " is copied first (shared storage).",
        0.1,
        86400,
    ),
    Setting(
        "TIMEOUT_MIN_SECONDS",
        _NUMBER,
        1800,
        "seconds",
        "No copy times out before this time, however small.",
        1,
        604800,
    ),
    Setting(
        "TIMEOUT_ACTION",
        str,
        "warn",
        "warn, abort or force_complete",
        "What becomes of a copy that timed out, unless the admin says otherwise: it is marked; it"
        " is aborted, and tried again where Nova leaves it ACTIVE (33 and 34 leave it in ERROR: see"
        " Limits); or its guest is paused until the rest is copied. One that is to end within half"
        " of that time again is let go on.",
        choices=("warn", "abort", "force_complete"),
    ),
    Setting(
        "MAX_IN_REGION",
        int,
        20,
        "migrations",
        "How many migrations of all drains of a region are under way at once.",
        1,
        10000,
    ),
    Setting(
        "MAX_PER_DESTINATION",
        int,
        4,
        "migrations",
        "How many migrations of all drains are under way to one host at once.",
        1,
        1000,
    ),
    Setting(
        "CANCEL_WAIT_SECONDS",
        _NUMBER,
        1800,
        "seconds",
        "How long a drain that is cancelled waits for what is under way to land.",
        1,
        86400,
    ),
    Setting(
        "ABORT_WAIT_SECONDS",
        _NUMBER,
        300,
        "seconds",
        "How long a drain that is cancelled waits for what it aborts.",
        1,
        86400,
    ),
    Setting(
        "BLOCKED_WAIT_SECONDS",
        _NUMBER,
        600,
        "seconds",
        "How long a drain waits for blocked instances after all the others are done.",
        0,
        86400,
    ),
    Setting(
        "PROOF_WAIT_SECONDS",
        _NUMBER,
        300,
        "seconds",
        "How long a drain tries to prove that its host is empty after the last instance left, and"
        " waits for migrations of others from and to it.",
        1,
        86400,
    ),
    Setting(
        "HOST_DOWN_WAIT_SECONDS",
        _NUMBER,
        900,
        "seconds",
        "How long a drain waits for a host that went down while it is drained.",
        1,
        86400,
    ),
    Setting(
        "CLOUD_DOWN_WAIT_SECONDS",
        _NUMBER,
        3600,
        "seconds",
        "How long a drain waits for an OpenStack that does not answer the worker.",
        1,
        86400,
    ),
    Setting(
        "SETTLE_SECONDS",
        _NUMBER,
        15,
        "seconds",
        "How long Nova's word that a migration is over must stand before it is believed, where"
        " Nova is known to change its mind: error with a destination, cancelled, completed while"
        " the server is still here.",
        0,
        600,
    ),
    Setting(
        "VERIFY_SECONDS",
        _NUMBER,
        30,
        "seconds",
        "Pause between two verifications that a host in maintenance is safe to power off. What"
        " was verified three times as long ago is not shown as safe any more.",
        5,
        3600,
    ),
    Setting(
        "RETURN_WAIT_SECONDS",
        _NUMBER,
        900,
        "seconds",
        "How long a return to service waits until Nova sees the host up. A host that boots takes"
        " minutes.",
        1,
        86400,
    ),
    Setting(
        "WORKER_SILENT_SECONDS",
        _NUMBER,
        90,
        "seconds",
        "The pages warn when no worker has reported for this long.",
        5,
        86400,
    ),
    Setting(
        "LEASE_SECONDS",
        _NUMBER,
        90,
        "seconds",
        "How long a worker keeps a drain to itself without a sign of life. Longer than"
        " API_TIMEOUT_SECONDS.",
        2,
        3600,
    ),
    Setting(
        "API_TIMEOUT_SECONDS",
        _NUMBER,
        30,
        "seconds",
        "How long the worker waits for one answer of OpenStack.",
        1,
        600,
    ),
    Setting(
        "PASS_SECONDS",
        _NUMBER,
        180,
        "seconds",
        "How long one pass over a drain or a host may take. One that does not end is abandoned, and"
        " named as the worker's problem. Longer than API_TIMEOUT_SECONDS.",
        2,
        3600,
    ),
    Setting(
        "PAGE_TIMEOUT_SECONDS",
        _NUMBER,
        15,
        "seconds",
        "How long a page waits for one answer of OpenStack.",
        1,
        300,
    ),
    Setting(
        "OPT_OUT_STAY",
        str,
        "maintenance:stay",
        "a tag or metadata key of a server; empty: none",
        "By this an owner asks that a server stays: the bare tag, or true as its value.",
    ),
    Setting(
        "OPT_OUT_LIVE",
        str,
        "maintenance:live_migrate",
        "a tag or metadata key of a server; empty: none",
        "By this, with the value false, an owner asks that a server is not live-migrated.",
    ),
    Setting(
        "OPT_OUT_COLD",
        str,
        "maintenance:cold_migrate",
        "a tag or metadata key of a server; empty: none",
        "By this, with the value false, an owner asks that a server is not cold-migrated; with"
        " true they agree to it.",
    ),
    Setting(
        "INTERFACE",
        str,
        "",
        "public, internal or admin",
        "The endpoints that the panel asks; Horizon's OPENSTACK_ENDPOINT_TYPE where empty."
        " The worker's are named in clouds.yaml.",
    ),
    Setting(
        "KEEP_DAYS",
        int,
        365,
        "days",
        "How long the record of a drain is kept after its end: `maintenance_clear` removes what is"
        " older.",
        1,
        36500,
    ),
)
_BY_NAME = {setting.name: setting for setting in SETTINGS}


def _dict() -> dict[str, Any]:
    value = getattr(settings, NAME, {})
    if not isinstance(value, dict):
        raise ConfigurationError(f"{NAME} must be a dict, not {type(value).__name__}.")
    return value


def problems() -> Iterator[tuple[str, str]]:
    """What is wrong with the dict: (problem, remedy) pairs, both naming the setting."""
    value = getattr(settings, NAME, None)
    if value is None:
        yield f"{NAME} is not set.", f'Add {NAME} = {{"CLOUD": "<cloud of clouds.yaml>"}}.'
        return
    if not isinstance(value, dict):
        yield f"{NAME} must be a dict, not {type(value).__name__}.", f"Make {NAME} a dict."
        return
    for key, given in value.items():
        setting = _BY_NAME.get(key) if isinstance(key, str) else None
        if setting is None:
            near = difflib.get_close_matches(str(key), _BY_NAME, n=1)
            remedy = f"Did you mean {near[0]!r}?" if near else f"Known are: {', '.join(_BY_NAME)}."
            yield f"{NAME}[{key!r}] is not a known setting.", remedy
        elif problem := setting.problem(given):
            yield f"{NAME}[{key!r}] {problem}.", f"{setting.help} Unit: {setting.unit}."
    if not value.get("CLOUD") and not value.get("CLOUDS"):
        yield (
            f'{NAME} names no cloud, neither "CLOUD" nor "CLOUDS".',
            f'Add {NAME}["CLOUD"] = "<cloud of clouds.yaml>", the one the worker logs in with.',
        )
    try:
        if submit_grace_seconds() <= api_timeout_seconds():
            yield (
                f'{NAME}["SUBMIT_GRACE_SECONDS"] must be longer than "API_TIMEOUT_SECONDS".',
                "A request that is still on its way must not be taken for a lost one.",
            )
        if lease_seconds() <= api_timeout_seconds():
            yield (
                f'{NAME}["LEASE_SECONDS"] must be longer than "API_TIMEOUT_SECONDS".',
                "A worker that waits for an answer must not lose its drain meanwhile.",
            )
        if pass_seconds() <= api_timeout_seconds():
            yield (
                f'{NAME}["PASS_SECONDS"] must be longer than "API_TIMEOUT_SECONDS".',
                "A pass must not be abandoned while it waits for one answer.",
            )
        if max_concurrent() > max_concurrent_ceiling():
            yield (
                f'{NAME}["MAX_CONCURRENT"] is above "MAX_CONCURRENT_CEILING".',
                "Lower the first or raise the second.",
            )
    except ConfigurationError:
        return  # named above


def _get(name: str) -> Any:
    setting = _BY_NAME[name]
    value = _dict().get(name, setting.default)
    if problem := setting.problem(value):
        raise ConfigurationError(f"{NAME}[{name!r}] {problem}.")
    return value


def cloud_of(region: str) -> str:
    """The cloud of clouds.yaml for a region, or empty where the settings name none."""
    clouds: dict[str, str] = _get("CLOUDS")
    return clouds.get(region, "") if clouds else str(_get("CLOUD"))


def regions() -> dict[str, str]:
    """Region to cloud. With "CLOUD" alone, the one key is empty: any region."""
    clouds: dict[str, str] = _get("CLOUDS")
    cloud = str(_get("CLOUD"))
    return dict(clouds) if clouds else ({"": cloud} if cloud else {})


def max_concurrent() -> int:
    """Migrations of one drain at once, where the admin does not say. Default 2."""
    return int(_get("MAX_CONCURRENT"))


def max_concurrent_ceiling() -> int:
    """The most that an admin may ask for. Default 20."""
    return int(_get("MAX_CONCURRENT_CEILING"))


def max_attempts() -> int:
    """Attempts of one instance in a drain. Default 3."""
    return int(_get("MAX_ATTEMPTS"))


def retry_seconds() -> float:
    """Pause after the first failed attempt, doubled with each further one. Default 30."""
    return float(_get("RETRY_SECONDS"))


def retry_max_seconds() -> float:
    """The longest pause between two attempts. Default 600."""
    return float(_get("RETRY_MAX_SECONDS"))


def poll_seconds() -> float:
    """Pause between passes while something moves. Default 1."""
    return float(_get("POLL_SECONDS"))


def idle_seconds() -> float:
    """Pause between passes while nothing moves. Default 5."""
    return float(_get("IDLE_SECONDS"))


def submit_grace_seconds() -> float:
    """How long to look for a request whose answer got lost. Default 60."""
    return float(_get("SUBMIT_GRACE_SECONDS"))


def late_seconds_per_gib() -> float:
    """Seconds a GiB of memory after which a migration is late. Default 30."""
    return float(_get("LATE_SECONDS_PER_GIB"))


def late_min_seconds() -> float:
    """Seconds before which no migration is late. Default 300."""
    return float(_get("LATE_MIN_SECONDS"))


def timeout_seconds_per_gib() -> float:
    """Seconds a GiB of memory after which a copy times out. Default 300."""
    return float(_get("TIMEOUT_SECONDS_PER_GIB"))


def timeout_min_seconds() -> float:
    """Seconds before which no copy times out. Default 1800."""
    return float(_get("TIMEOUT_MIN_SECONDS"))


def timeout_action() -> str:
    """What becomes of a copy that timed out: warn, abort, force_complete. Default warn."""
    return str(_get("TIMEOUT_ACTION"))


def max_in_region() -> int:
    """Migrations under way in a region at once. Default 20."""
    return int(_get("MAX_IN_REGION"))


def max_per_destination() -> int:
    """Migrations under way to one host at once. Default 4."""
    return int(_get("MAX_PER_DESTINATION"))


def cancel_wait_seconds() -> float:
    """How long a cancelled drain waits for what lands. Default 1800."""
    return float(_get("CANCEL_WAIT_SECONDS"))


def abort_wait_seconds() -> float:
    """How long a cancelled drain waits for what it aborts. Default 300."""
    return float(_get("ABORT_WAIT_SECONDS"))


def blocked_wait_seconds() -> float:
    """How long a drain waits for blocked instances. Default 600."""
    return float(_get("BLOCKED_WAIT_SECONDS"))


def proof_wait_seconds() -> float:
    """How long a drain tries to prove its host empty. Default 300."""
    return float(_get("PROOF_WAIT_SECONDS"))


def host_down_wait_seconds() -> float:
    """How long a drain waits for a host that went down. Default 900."""
    return float(_get("HOST_DOWN_WAIT_SECONDS"))


def cloud_down_wait_seconds() -> float:
    """How long a drain waits for an OpenStack that does not answer. Default 3600."""
    return float(_get("CLOUD_DOWN_WAIT_SECONDS"))


def settle_seconds() -> float:
    """How long a doubtful end of a migration must stand to be believed. Default 15."""
    return float(_get("SETTLE_SECONDS"))


def verify_seconds() -> float:
    """Pause between two verifications of a host in maintenance. Default 30."""
    return float(_get("VERIFY_SECONDS"))


def certificate_seconds() -> float:
    """How old a verification may be that is believed: three pauses between two."""
    return 3 * verify_seconds()


def return_wait_seconds() -> float:
    """How long a return to service waits for the host to be up. Default 900."""
    return float(_get("RETURN_WAIT_SECONDS"))


def worker_silent_seconds() -> float:
    """Silence of all workers after which the pages warn. Default 90."""
    return float(_get("WORKER_SILENT_SECONDS"))


def lease_seconds() -> float:
    """How long a worker keeps a drain without a sign of life. Default 90."""
    return float(_get("LEASE_SECONDS"))


def api_timeout_seconds() -> float:
    """The worker's patience for one answer of OpenStack. Default 30."""
    return float(_get("API_TIMEOUT_SECONDS"))


def pass_seconds() -> float:
    """How long one pass may take: longer than the patience for one answer. Default 180."""
    return float(_get("PASS_SECONDS"))


def page_timeout_seconds() -> float:
    """A page's patience for one answer of OpenStack. Default 15."""
    return float(_get("PAGE_TIMEOUT_SECONDS"))


def opt_out_stay() -> str:
    """The name by which an owner asks that a server stays. Default maintenance:stay."""
    return str(_get("OPT_OUT_STAY"))


def opt_out_live() -> str:
    """The name by which an owner forbids a live migration. Default maintenance:live_migrate."""
    return str(_get("OPT_OUT_LIVE"))


def opt_out_cold() -> str:
    """The name by which an owner forbids a cold migration. Default maintenance:cold_migrate."""
    return str(_get("OPT_OUT_COLD"))


def interface() -> str:
    """The endpoint interface that the panel uses; empty for Horizon's own. Default empty."""
    return str(_get("INTERFACE"))


def keep_days() -> int:
    """Days for which the record of a drain is kept after its end. Default 365."""
    return int(_get("KEEP_DAYS"))

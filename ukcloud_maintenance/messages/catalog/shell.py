"""What a command refuses by itself, before anything is requested."""

from collections.abc import Mapping

from ..template import Template

_FORM = "Write it like 2026-03-01T22:00+01:00 or 2026-03-01T21:00Z."
_SEE_RUN = "See `maintenance_run status {run}`."

TEMPLATES: Mapping[str, Template] = {
    "cannot_write": Template(
        "{path} cannot be written: {why}.", remedy="Name a file in a folder that you may write to."
    ),
    "confirmation_missing": Template(
        "{cost}",
        remedy="Add --yes to confirm.",
        cause="What interrupts or cannot be undone is confirmed, and nobody is there to do so.",
    ),
    "option_not_utf8": Template("{option}: {text} is not valid UTF-8.", remedy="Give it in UTF-8."),
    "option_with_nul": Template("{option}: {text} has a NUL in it.", remedy="Give it without one."),
    "option_too_long": Template(
        "{option}: {text} has {length} characters, more than {most}.", remedy="Shorten it."
    ),
    "no_tcp_port": Template(
        "{option}: {port} is no TCP port.", remedy="Give a number from 0 to 65535."
    ),
    "not_confirmed": Template(
        "Not confirmed; nothing was changed.",
        remedy="Run the command again, and type yes or give --yes.",
    ),
    "region_missing": Template(
        "There are several regions: {regions}.", remedy="Name one with --region."
    ),
    "region_not_named": Template(
        "clouds.yaml does not name the region of this cloud.",
        remedy="Name it with --region, or add region_name to clouds.yaml.",
    ),
    "time_unreadable": Template(
        "{option}: '{text}' is not an ISO 8601 date and time.", remedy=_FORM
    ),
    "time_without_zone": Template("{option}: '{text}' has no time zone.", remedy=_FORM),
    "unknown_zone": Template(
        "There is no availability zone '{name}' in this region.", remedy="Available: {known}."
    ),
    "unknown_aggregate": Template(
        "There is no aggregate '{name}' in this region.", remedy="Available: {known}."
    ),
    "not_to_be_excluded": Template(
        "Host {host} cannot be excluded: it is in none of the given zones and aggregates, or named"
        " by itself.",
        remedy="Remove it from --exclude.",
    ),
    "sets_without_host": Template(
        "The given zones and aggregates contain no compute host.",
        remedy="Name other zones or aggregates.",
    ),
    "instance_not_of_this_drain": Template(
        "Drain {drain} of {host} has no instance '{name}'.",
        remedy="Give an id or an exact name as shown by `drain_status {drain}`.",
    ),
    "instance_ambiguous": Template(
        "Drain {drain} has {count} instances named '{name}'.",
        remedy="Give the id of the one you mean: {ids}.",
    ),
    "named_in_other_region": Template(
        "What is named belongs to region {region}.",
        remedy="Name the hosts of another region by themselves.",
    ),
    "evidence_incomplete": Template(
        "{name}: the evidence is not complete. {why}", remedy="{by_hand:sentences}"
    ),
    "host_without_try": Template("Host {host} of run {run} has no action yet.", remedy=_SEE_RUN),
    "unknown_try": Template("Host {host} of run {run} has no try {number}.", remedy=_SEE_RUN),
    "host_not_of_run": Template("Run {run} has no host '{host}'.", remedy=_SEE_RUN),
}

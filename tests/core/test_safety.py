"""Whether a host counts as safe to power off, and what a verification changes."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.core.host.safety import is_safe, verified, was_closed_by_hand
from ukcloud_maintenance.core.message import message

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BEFORE = NOW - timedelta(minutes=10)
LATER = NOW + timedelta(seconds=1)
WHY = message("host_is_empty")


@dataclass(frozen=True)
class Kept:
    """A maintenance."""

    open_key: str | None = "key"
    returning_since: datetime | None = None
    safe_since: datetime | None = BEFORE
    verified_at: datetime | None = BEFORE


@pytest.mark.parametrize(
    ("changed", "after", "safe"),
    [
        ({}, BEFORE, True),
        ({"verified_at": NOW}, BEFORE, True),
        ({}, BEFORE + timedelta(seconds=1), False),
        ({}, None, False),
        ({"verified_at": LATER}, BEFORE, False),
        ({"verified_at": None}, BEFORE, False),
        ({"safe_since": None}, BEFORE, False),
        ({"open_key": None}, BEFORE, False),
        ({"returning_since": BEFORE}, BEFORE, False),
    ],
)
def test_only_what_was_verified_lately_is_safe(changed, after, safe):
    assert is_safe(replace(Kept(), **changed), after, NOW) == safe


def test_a_host_in_no_maintenance_is_not():
    assert not is_safe(None, BEFORE, NOW)


@pytest.mark.parametrize(
    ("since", "safe", "at", "fields", "event"),
    [
        (None, True, NOW, {"safe_since": NOW}, "safe_to_power_off"),
        (BEFORE, True, NOW, {}, ""),
        (LATER, True, NOW, {"safe_since": NOW}, ""),  # the clock was set back
        (None, True, None, {}, ""),
        (BEFORE, True, None, {}, ""),
        (None, False, NOW, {}, ""),
        (
            *(BEFORE, False, NOW),
            {"safe_since": None, "withdrawn_at": NOW, "withdrawn_why": WHY},
            "safe_withdrawn",
        ),
        (
            *(BEFORE, False, None),  # it finds out what is wrong all the same
            {"safe_since": None, "withdrawn_at": NOW, "withdrawn_why": WHY},
            "safe_withdrawn",
        ),
    ],
)
def test_what_a_verification_changes(since, safe, at, fields, event):
    why = None if safe else WHY
    found = verified(Kept(safe_since=since), is_safe=safe, verified_at=at, why=why, now=NOW)
    assert (found.fields, found.event) == (fields, event)
    assert (found.said is None) == (event == "")


@pytest.mark.parametrize(
    ("disabled_at", "status", "by_hand"),
    [(BEFORE, "enabled", True), (BEFORE, "disabled", False), (None, "enabled", False)],
)
def test_a_service_that_is_enabled_although_we_disabled_it(disabled_at, status, by_hand):
    assert was_closed_by_hand(disabled_at, status) == by_hand

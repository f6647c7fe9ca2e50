"""The signature of requests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ukcloud_maintenance.core.signing import (
    ID,
    SIGNATURE,
    TIMESTAMP,
    TOLERANCE,
    headers,
    is_secret,
    key_of,
    verify,
)

BODY = b'{"host": "cmp1"}'
KEY = b"k" * 16


def test_it_is_that_of_standard_webhooks():
    """The example of its specification."""
    found = headers(
        key_of("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"),
        "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
        1649367553,
        b'{"email":"test@example.com","username":"test_user"}',
    )
    assert found[SIGNATURE] == "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="


@given(key=st.binary(min_size=1), body=st.binary(), at=st.integers(0, 10**12))
def test_what_was_signed_is_verified(key, body, at):
    found = headers(key, "1", at, body)
    assert verify(key, found, body, at)
    assert not verify(key + b"x", found, body, at)
    assert not verify(key, found, body + b"x", at)
    assert not verify(key, {**found, TIMESTAMP: str(at + 1)}, body, at)
    assert not verify(key, {**found, ID: "2"}, body, at)


@pytest.mark.parametrize(
    ("age", "taken"), [(0, 1), (TOLERANCE, 1), (-TOLERANCE, 1), (301, 0), (-301, 0)]
)
def test_an_old_one_is_not_taken(age, taken):
    assert verify(KEY, headers(KEY, "1", 1000, BODY), BODY, 1000 + age) is bool(taken)


@pytest.mark.parametrize("stamp", ["", "-1000", "1000.0", " 1000", "\u0661", "1e3", "9" * 9999])
def test_another_time_than_a_number_is_none(stamp):
    assert not verify(KEY, {**headers(KEY, "1", 1000, BODY), TIMESTAMP: stamp}, BODY, 1000)


@pytest.mark.parametrize("signature", ["", "v1,", "v2,00", "\ud800", "v1," + "é" * 44])
def test_another_signature_is_none(signature):
    assert not verify(KEY, {**headers(KEY, "1", 1000, BODY), SIGNATURE: signature}, BODY, 1000)


def test_nothing_is_verified_without_headers():
    assert not verify(KEY, {}, BODY, 1000)


@pytest.mark.parametrize("given", ["", "short", "whsec_!!!", "whsec_AAAA", 7, None])
def test_a_secret_that_is_too_short_or_none(given):
    assert not is_secret(given)

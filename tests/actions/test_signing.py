"""The signature of requests."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ukcloud_maintenance.actions.signing import TOLERANCE, headers, sign, verify

BODY = b'{"host": "cmp1"}'


def test_it_is_what_the_docs_say():
    expected = hmac.new(b"key", b"1700000000." + BODY, hashlib.sha256).hexdigest()
    assert sign("key", 1700000000, BODY) == f"sha256={expected}"


@given(secret=st.text(min_size=1), body=st.binary(), at=st.integers(0, 10**12))
def test_what_was_signed_is_verified(secret, body, at):
    found = headers(secret, at, "1", body)
    stamp, signature = found["X-Maintenance-Timestamp"], found["X-Maintenance-Signature"]
    assert verify(secret, stamp, body, signature, at)
    assert not verify(secret + "x", stamp, body, signature, at)
    assert not verify(secret, stamp, body + b"x", signature, at)
    assert not verify(secret, str(at + 1), body, signature, at)


@pytest.mark.parametrize(
    ("age", "taken"), [(0, 1), (TOLERANCE, 1), (-TOLERANCE, 1), (301, 0), (-301, 0)]
)
def test_an_old_one_is_not_taken(age, taken):
    assert verify("key", "1000", BODY, sign("key", 1000, BODY), 1000 + age) is bool(taken)


@pytest.mark.parametrize("stamp", ["", "-1000", "1000.0", " 1000", "\u0661", "1e3", "9" * 9999])
def test_another_time_than_a_number_is_none(stamp):
    assert not verify("key", stamp, BODY, sign("key", 1000, BODY), 1000)


@pytest.mark.parametrize("signature", ["", "sha256=", "sha1=00", "\ud800", "sha256=" + "é" * 64])
def test_another_signature_is_none(signature):
    assert not verify("key", "1000", BODY, signature, 1000)

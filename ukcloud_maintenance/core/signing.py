"""Signatures of the requests that are sent to others' programs, as in the specification of Standard
Webhooks (https://www.standardwebhooks.com). Pure.

HMAC-SHA256 with a key that both ends have, over the number of the delivery, the time at which it is
sent, and the body: none of them can be changed, nor an old request be sent again.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping

#: The headers of a signed request: which delivery it is (the same each time that it is sent
#: again), when it was sent (seconds since 1970), and the signature.
ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
#: How many seconds a request may be old, or ahead of the receiver's clock.
TOLERANCE = 300
#: The shortest key that is taken, in bytes.
KEY_MIN = 16
#: How a secret begins that is the key in base64; any other is the key to the letter.
BASE64 = "whsec_"


def key_of(secret: str) -> bytes:
    """:raises ValueError: it is not base64, although it begins so"""
    if not secret.startswith(BASE64):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(BASE64), validate=True)
    except binascii.Error as error:
        raise ValueError("base64") from error


def is_secret(given: object) -> bool:
    """Whether it is a secret with a key that is long enough."""
    try:
        return isinstance(given, str) and len(key_of(given)) >= KEY_MIN
    except ValueError:
        return False


def headers(key: bytes, delivery: str, sent_at: int, body: bytes) -> dict[str, str]:
    """Those of a signed request."""
    return {
        ID: delivery,
        TIMESTAMP: str(sent_at),
        SIGNATURE: _signature(key, delivery, str(sent_at), body),
    }


def _signature(key: bytes, delivery: str, sent_at: str, body: bytes) -> str:
    signed = f"{delivery}.{sent_at}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(key, signed, 'sha256')).decode()}"


def verify(key: bytes, received: Mapping[str, str], body: bytes, now: float) -> bool:
    """Whether a request came from somebody who has the key, and lately.

    :param received: its headers, by their names in lower case
    :param now: seconds since 1970, by the receiver's clock
    """
    sent_at = received.get(TIMESTAMP, "")
    if not (sent_at.isascii() and sent_at.isdecimal() and len(sent_at) < 16):
        return False
    expected = _signature(key, received.get(ID, ""), sent_at, body).encode()
    same = hmac.compare_digest(expected, received.get(SIGNATURE, "").encode(errors="replace"))
    return same and abs(now - int(sent_at)) <= TOLERANCE

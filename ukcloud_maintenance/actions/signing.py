"""Signatures of the requests that are sent to others' programs. Pure.

The scheme is that of many webhooks: HMAC-SHA256 with a secret that both ends have, over the time
of the request and its body, so that neither can be changed, nor an old request be sent again.
"""

import hmac

#: The headers of a signed request: when it was sent (seconds since 1970), which delivery it is
#: (the same each time that it is sent again), and the signature.
TIMESTAMP = "X-Maintenance-Timestamp"
DELIVERY = "X-Maintenance-Delivery"
SIGNATURE = "X-Maintenance-Signature"
#: How many seconds a request may be old, or ahead of the receiver's clock.
TOLERANCE = 300


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """``sha256=`` and the HMAC in hexadecimal over the timestamp in decimal, a full stop and the
    body."""
    signed = b"%d.%b" % (timestamp, body)
    return "sha256=" + hmac.digest(secret.encode(), signed, "sha256").hex()


def headers(secret: str, timestamp: int, delivery_id: str, body: bytes) -> dict[str, str]:
    """Those of a signed request."""
    return {
        TIMESTAMP: str(timestamp),
        DELIVERY: delivery_id,
        SIGNATURE: sign(secret, timestamp, body),
    }


def verify(
    secret: str,
    timestamp: str,
    body: bytes,
    signature: str,
    now: float,
    tolerance: float = TOLERANCE,
) -> bool:
    """Whether a request came from somebody who has the secret, and lately.

    :param timestamp: the header as it was received, as `signature`
    :param now: seconds since 1970, by the receiver's clock
    """
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) < 16):
        return False
    expected = sign(secret, int(timestamp), body).encode()
    same = hmac.compare_digest(expected, signature.encode(errors="replace"))
    return same and abs(now - int(timestamp)) <= tolerance

"""Answers of OpenStack, taken apart; what cannot be trusted is refused."""

import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from ..exceptions import (
    CloudAnswerUnusable,
    CloudAuthError,
    CloudBadRequest,
    CloudConflict,
    CloudError,
    CloudForbidden,
    CloudNotFound,
    CloudServerError,
    CloudUnreachable,
)
from .http import retry_after

#: For so long OpenStack is left alone where it says 429 and not for how long; and at most.
BUSY_SECONDS = 5.0
BUSY_SECONDS_MAX = 300.0
_BY_STATUS: dict[int, type[CloudError]] = {
    401: CloudAuthError,
    403: CloudForbidden,
    404: CloudNotFound,
    409: CloudConflict,
}


def error_of_status(status: int | None) -> type[CloudError]:
    if status is None:
        return CloudUnreachable
    return _BY_STATUS.get(status, CloudServerError if status >= 500 else CloudBadRequest)


def busy_seconds(status: int | None, answer: requests.Response | None) -> float | None:
    """For how long OpenStack is to be left alone; None where it is not too busy."""
    if status not in (413, 429, 503):
        return None
    asked = retry_after(answer)
    if asked is None:
        return BUSY_SECONDS if status == 429 else None
    return min(asked, BUSY_SECONDS_MAX)


def request_id_of(answer: requests.Response) -> str:
    return str(
        answer.headers.get("x-openstack-request-id")
        or answer.headers.get("x-compute-request-id")
        or ""
    )


def words_of(answer: requests.Response) -> str:
    """The reason in an error answer: Nova wraps it as {"conflictingRequest": {"message": …}}."""
    try:
        body = answer.json()
    except ValueError:
        text = re.sub(r"<[^>]+>", " ", answer.text or "")
        return re.sub(r"\s+", " ", text).strip()[:500] or str(answer.reason or "")
    if isinstance(body, dict):
        for value in body.values():
            if isinstance(value, dict) and value.get("message"):
                return str(value["message"])
        if body.get("message"):
            return str(body["message"])
    return json.dumps(body)[:500]


def json_of(answer: requests.Response, what: str) -> Any:
    try:
        return answer.json()
    except ValueError as error:
        raise CloudAnswerUnusable(what, "the answer is not JSON") from error


def dict_of(body: Any, key: str, what: str) -> dict[str, Any]:
    if isinstance(body, dict) and isinstance(body.get(key), dict):
        return body[key]
    raise CloudAnswerUnusable(what, f"the answer has no {key!r}")


def list_of(body: Any, key: str, what: str) -> list[dict[str, Any]]:
    if isinstance(body, dict) and isinstance(body.get(key), list):
        return body[key]
    raise CloudAnswerUnusable(what, f"the answer has no {key!r}")


def next_marker(links: Any) -> str:
    for link in links or []:
        if link.get("rel") == "next":
            return (parse_qs(urlsplit(link.get("href") or "").query).get("marker") or [""])[0]
    return ""

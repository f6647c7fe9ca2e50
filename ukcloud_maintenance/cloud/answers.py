"""Answers of OpenStack, taken apart; what cannot be trusted is refused."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from ..exceptions import CloudAnswerUnusable


def request_id_of(answer: requests.Response) -> str:
    return str(
        answer.headers.get("x-openstack-request-id")
        or answer.headers.get("x-compute-request-id")
        or ""
    )


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

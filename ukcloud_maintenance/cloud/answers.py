"""Answers of OpenStack, taken apart; what cannot be trusted is refused."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from ..core.message import Message, message
from ..exceptions import CloudAnswerUnusable


def request_id_of(answer: requests.Response) -> str:
    return str(
        answer.headers.get("x-openstack-request-id")
        or answer.headers.get("x-compute-request-id")
        or ""
    )


def json_of(answer: requests.Response, what: Message) -> Any:
    try:
        return answer.json()
    except ValueError as error:
        raise CloudAnswerUnusable(what, message("answer_not_json")) from error


def dict_of(body: Any, key: str, what: Message) -> dict[str, Any]:
    if isinstance(body, dict) and isinstance(body.get(key), dict):
        return body[key]
    raise CloudAnswerUnusable(what, message("answer_without", key=key))


def list_of(body: Any, key: str, what: Message) -> list[dict[str, Any]]:
    if isinstance(body, dict) and isinstance(body.get(key), list):
        return body[key]
    raise CloudAnswerUnusable(what, message("answer_without", key=key))


def next_marker(links: Any) -> str:
    for link in links or []:
        if link.get("rel") == "next":
            return (parse_qs(urlsplit(link.get("href") or "").query).get("marker") or [""])[0]
    return ""

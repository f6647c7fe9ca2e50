"""The few answers of Glance and Neutron that Nova and Horizon ask for.

They stand for services that a drain has nothing to do with: there is one image, and there are no
networks, so that servers are built with ``networks: none``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable

IMAGE_ID = "6d1c5ba5-55a4-4a38-8f0a-6e8ad6d9d101"

IMAGE = {
    "id": IMAGE_ID,
    "name": "debian-12",
    "status": "active",
    "visibility": "public",
    "protected": False,
    "os_hidden": False,
    "container_format": "bare",
    "disk_format": "qcow2",
    "size": 347 * 1024**2,
    "virtual_size": 2 * 1024**3,
    "min_disk": 0,
    "min_ram": 0,
    "owner": "00000000000000000000000000000000",
    "checksum": "0" * 32,
    "tags": [],
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
    "file": f"/v2/images/{IMAGE_ID}/file",
    "self": f"/v2/images/{IMAGE_ID}",
    "schema": "/v2/schemas/image",
}

_TYPES = {str: "string", int: "integer", bool: "boolean", list: "array"}

IMAGE_SCHEMA = {
    "name": "image",
    # glanceclient takes a property that isn't listed here for one that the user invented; Nova
    # then answers 500. So all base properties are listed.
    "properties": {
        name: {"type": _TYPES[type(value)], "is_base": True} for name, value in IMAGE.items()
    },
    "additionalProperties": {"type": "string"},
}


def answer(start_response: Callable, status: str, body: object) -> Iterable[bytes]:
    """A WSGI answer in JSON."""
    data = json.dumps(body).encode()
    start_response(
        status,
        [("Content-Type", "application/json"), ("Content-Length", str(len(data)))],
    )
    return [data]


def _base_url(environ: dict) -> str:
    return f"http://{environ['HTTP_HOST']}{environ.get('SCRIPT_NAME', '')}"


def glance(environ: dict, start_response: Callable) -> Iterable[bytes]:
    """Image API v2 with one image, read only."""
    path = environ.get("PATH_INFO", "").rstrip("/")
    if path in ("", "/versions"):
        version = {
            "id": "v2.9",
            "status": "CURRENT",
            "links": [{"rel": "self", "href": _base_url(environ) + "/v2/"}],
        }
        return answer(start_response, "300 Multiple Choices", {"versions": [version]})
    if path == "/v2/schemas/image":
        return answer(start_response, "200 OK", IMAGE_SCHEMA)
    if path == "/v2/images":
        body = {"images": [IMAGE], "first": "/v2/images", "schema": "/v2/schemas/images"}
        return answer(start_response, "200 OK", body)
    if path == f"/v2/images/{IMAGE_ID}":
        return answer(start_response, "200 OK", IMAGE)
    return answer(start_response, "404 Not Found", {"message": "no such image"})


def neutron(environ: dict, start_response: Callable) -> Iterable[bytes]:
    """Network API v2.0 in which every collection is empty."""
    path = environ.get("PATH_INFO", "").rstrip("/")
    if path == "":
        version = {
            "id": "v2.0",
            "status": "CURRENT",
            "links": [{"rel": "self", "href": _base_url(environ) + "/v2.0/"}],
        }
        return answer(start_response, "200 OK", {"versions": [version]})
    collection = re.fullmatch(r"/v2\.0/([\w-]+)(?:\.json)?", path)
    if path == "/v2.0":
        return answer(start_response, "200 OK", {"resources": []})
    if collection and environ["REQUEST_METHOD"] == "GET":
        return answer(start_response, "200 OK", {collection.group(1).replace("-", "_"): []})
    return answer(
        start_response,
        "404 Not Found",
        {"NeutronError": {"type": "NotFound", "message": "not in this demo", "detail": ""}},
    )

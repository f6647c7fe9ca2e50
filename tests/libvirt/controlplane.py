"""The control plane of the demo, with its computes elsewhere: over RabbitMQ, with real images.

In place of Glance stands a server of the files in ``images``: Nova and its libvirt driver download
them as they would from the real one.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from ukcloud_maintenance.demo import controlplane, standins


class Glance:
    """Image API v2, read only.

    :param folder: ``images.json`` in it maps an image's id to ``{"file": …}`` and whatever of its
        properties is not that of the demo's image
    """

    def __init__(self, folder: Path) -> None:
        self.files: dict[str, Path] = {}
        self.images: dict[str, dict] = {}
        for identity, image in json.loads((folder / "images.json").read_text()).items():
            self.files[identity] = folder / image.pop("file")
            size = self.files[identity].stat().st_size
            addresses = {
                "file": f"/v2/images/{identity}/file",
                "self": f"/v2/images/{identity}",
            }
            known = {"id": identity, "size": size, "virtual_size": size, "checksum": None}
            self.images[identity] = standins.IMAGE | known | addresses | image

    def __call__(self, environ: dict, start_response: Callable) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "").rstrip("/")
        found = re.fullmatch(r"/v2/images/([^/]+)(/file)?", path)
        if path == "/v2/images":
            body = {"images": list(self.images.values()), "schema": "/v2/schemas/images"}
            return standins.answer(start_response, "200 OK", body)
        if not found or found[1] not in self.images:
            return standins.glance(environ, start_response)
        if not found[2]:
            return standins.answer(start_response, "200 OK", self.images[found[1]])
        data = self.files[found[1]].read_bytes()
        kind = ("Content-Type", "application/octet-stream")
        start_response("200 OK", [kind, ("Content-Length", str(len(data)))])
        return [data]


class LibvirtControlPlane(controlplane.ControlPlane):
    transport_url = os.environ.get("TRANSPORT_URL", "")

    def _prepare_computes(self) -> None:
        self.applications["/image"] = Glance(self.state / "images")

    def _start_computes(self) -> None:
        """They are processes of their own; Nova's scheduler finds them."""

    def _write_configuration(self) -> None:
        super()._write_configuration()
        with (self.state / "etc" / "nova.conf").open("a") as file:
            file.write("[scheduler]\ndiscover_hosts_in_cells_interval = 2\n")


if __name__ == "__main__":
    sys.exit(controlplane.main(plane=LibvirtControlPlane))

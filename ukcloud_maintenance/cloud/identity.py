"""Keystone: who asks, and the names of projects."""

from urllib.parse import quote

from ..core.message import message
from ..exceptions import CloudAnswerUnusable
from .answers import json_of, list_of, next_marker
from .transport import GOES_ROUND, Transport


class Identity(Transport):
    """What Keystone tells."""

    def project_names(self) -> dict[str, str]:
        """Names of all projects by id. One request to Keystone, and one for each further page of
        a Keystone that makes pages (`[DEFAULT] list_limit`); one that cuts the list off without a
        link to the rest leaves the others without a name."""
        what = message("to_list_projects")
        names: dict[str, str] = {}
        path = self._identity_path("/projects")
        marker = ""
        while True:
            more = f"?marker={quote(marker, safe='')}" if marker else ""
            body = json_of(self._send(self._identity, what, "GET", path + more), what)
            page = {str(p["id"]): str(p["name"]) for p in list_of(body, "projects", what)}
            if not page:
                return names
            if page.keys() <= names.keys():
                raise CloudAnswerUnusable(what, GOES_ROUND)
            names |= page
            marker = next_marker([{"rel": "next", "href": (body.get("links") or {}).get("next")}])
            if not marker:
                return names

    def user_id(self) -> str:
        """The id of the user that this session is logged in as."""
        return str(self._guard(message("to_log_in"), self.session.get_user_id) or "")

    def _identity_path(self, path: str) -> str:
        endpoint = self._guard(
            message("to_find_service", name="Keystone"), self._identity.get_endpoint
        )
        return path if str(endpoint or "").rstrip("/").endswith("/v3") else "/v3" + path

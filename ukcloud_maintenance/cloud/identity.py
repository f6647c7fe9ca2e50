"""Keystone: who asks, and the names of projects."""

from collections.abc import Iterable
from functools import partial
from typing import Any
from urllib.parse import quote

from ..core.facts import Contacts
from ..core.message import message
from ..exceptions import (
    CloudAnswerUnusable,
    CloudAuthError,
    CloudError,
    CloudForbidden,
    CloudNotFound,
    CloudUnreachable,
)
from .answers import dict_of, json_of, list_of, next_marker
from .http import PARALLEL
from .transport import GOES_ROUND, Transport

#: Projects of which addresses are read at once: each takes a request, and so does each user.
PROJECTS = 200
#: The longest address (RFC 5321).
ADDRESS = 254


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

    def contacts_of(self, project_ids: Iterable[str]) -> Contacts:
        """The e-mail addresses of the users with a role on each project, by a group or inherited
        too; users that are disabled, and those without an address, are left out.

        One request for each of the first :data:`PROJECTS` projects, and one for each user. What
        cannot be read is a value: there may be no right to, and nothing depends on it.
        """
        wanted = [one for one in dict.fromkeys(project_ids) if one]
        asked = wanted[:PROJECTS]
        left_out = len(wanted) - len(asked)
        answers: dict[str, Any] = {}
        for one in asked[:1]:
            try:
                answers[one] = self._users_of(one)
            except (CloudForbidden, CloudAuthError, CloudUnreachable) as error:
                # where the first one is refused, all are
                return Contacts({}, frozenset(asked), error.said, left_out)
            except CloudError as error:
                answers[one] = error
        calls = {one: partial(self._users_of, one) for one in asked[1:]}
        answers |= self.try_side_by_side(calls, PARALLEL)
        every = {user for users in answers.values() if isinstance(users, set) for user in users}
        read = self.try_side_by_side(
            {u: partial(self._address, u) for u in sorted(every)}, PARALLEL
        )
        emails: dict[str, tuple[str, ...]] = {}
        problems: list[CloudError] = []
        for project, users in answers.items():
            told = [read[user] for user in users] if isinstance(users, set) else [users]
            failed = [one for one in told if isinstance(one, CloudError)]
            problems += failed
            if not failed:
                emails[project] = tuple(sorted(set(told) - {""}))
        said = problems[0].said if problems else None
        return Contacts(emails, frozenset(asked) - emails.keys(), said, left_out)

    def _users_of(self, project_id: str) -> set[str]:
        what = message("to_list_contacts", project=project_id)
        project = quote(project_id, safe="")
        path = self._identity_path(f"/role_assignments?scope.project.id={project}&effective")
        try:
            body = json_of(self._send(self._identity, what, "GET", path), what)
        except CloudNotFound:  # the project was deleted, and its instances are left
            return set()
        users = (dict_of(one, "user", what) for one in list_of(body, "role_assignments", what))
        return {str(user["id"]) for user in users if user.get("id")}

    def _address(self, user_id: str) -> str:
        """Empty where there is none."""
        what = message("to_read_user", user=user_id)
        path = self._identity_path(f"/users/{quote(user_id, safe='')}")
        try:
            body = json_of(self._send(self._identity, what, "GET", path), what)
        except CloudNotFound:  # it was deleted, and its roles are left
            return ""
        user = dict_of(body, "user", what)
        return _as_address(user.get("email")) if user.get("enabled", True) else ""

    def _identity_path(self, path: str) -> str:
        endpoint = self._guard(
            message("to_find_service", name="Keystone"), self._identity.get_endpoint
        )
        return path if str(endpoint or "").rstrip("/").endswith("/v3") else "/v3" + path


def _as_address(told: object) -> str:
    """What a user's e-mail field holds, where that can be an address; it is anybody's text."""
    text = told.strip() if isinstance(told, str) else ""
    is_one = "@" in text and text.isprintable() and len(text) <= ADDRESS
    return text if is_one and not set(text) & set(' ,;<>"|') else ""

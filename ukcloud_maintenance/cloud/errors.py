"""Why OpenStack did not do what was asked: its answers, and keystoneauth's, as our errors."""

import json
import re

import requests
from keystoneauth1 import exceptions as ksa_exceptions

from ..connections import retry_after
from ..core.message import Message, message
from ..exceptions import (
    CloudAuthError,
    CloudBadRequest,
    CloudConflict,
    CloudError,
    CloudForbidden,
    CloudNotFound,
    CloudServerError,
    CloudUnreachable,
)
from .answers import request_id_of

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
    asked = None if answer is None else retry_after(answer.headers)
    if asked is None:
        return BUSY_SECONDS if status == 429 else None
    return min(asked, BUSY_SECONDS_MAX)


def not_logged_in(
    what: Message, error: ksa_exceptions.http.HttpError, cloud_name: str
) -> CloudError:
    """Keystone refused. It is its status, which says nothing of what is to be asked after the
    login: a 404 of Keystone is no server that is not there."""
    status = error.http_status
    busy = busy_seconds(status, error.response)
    kind: type[CloudError] = CloudServerError
    remedy: Message | None = None
    if status == 403:
        kind, remedy = CloudForbidden, remedy_of("scope", cloud_name)
    elif status == 401:
        kind, remedy = CloudAuthError, remedy_of("credentials", cloud_name)
    elif busy is not None and status < 500:
        kind = CloudBadRequest
    elif status < 500:
        kind, remedy = CloudAuthError, remedy_of("auth_url", cloud_name)
    return kind(
        what,
        str(error.message or error),
        status=status,
        request_id=str(error.request_id or ""),
        remedy=remedy,
        retry_after=busy,
    )


def error_in(
    answer: requests.Response | None,
    what: Message,
    *,
    service: str,
    microversion: str,
    cloud_name: str,
) -> CloudError | None:
    """The error that an answer is, or None.

    :param service: the type of the service that answered
    :param microversion: what it was asked at
    :param cloud_name: the cloud of clouds.yaml, or empty: see :func:`remedy_of`
    """
    if answer is None:
        return CloudUnreachable(what, message("no_answer"))
    status = answer.status_code
    if status < 400:
        return None
    remedy: Message | None = None
    if status == 406:
        remedy = message(
            "upgrade_openstack", service=service.capitalize(), microversion=microversion
        )
    elif status == 401:
        remedy = remedy_of("credentials", cloud_name)
    elif status == 403:
        remedy = remedy_of("scope", cloud_name)
    return error_of_status(status)(
        what,
        words_of(answer),
        status=status,
        request_id=request_id_of(answer),
        remedy=remedy,
        retry_after=busy_seconds(status, answer),
    )


def remedy_of(about: str, cloud_name: str) -> Message:
    """Which setting to look at. Horizon has no say in what its user carries since the login.

    :param about: certificate, file, region, scope, auth_url or credentials
    :param cloud_name: the cloud of clouds.yaml; empty: the session is Horizon's
    """
    if not cloud_name:
        return {
            "certificate": message("check_horizon_ca"),
            "file": message("check_horizon_ca"),
            "region": message("choose_region"),
            "scope": message("choose_admin_project"),
        }.get(about, message("log_in_again"))
    return {
        "certificate": message("check_certificate", cloud=cloud_name),
        "file": message("check_files", cloud=cloud_name),
        "region": message("check_region", cloud=cloud_name),
        "scope": message("check_project", cloud=cloud_name),
        "auth_url": message("check_auth_url", cloud=cloud_name),
    }.get(about, message("check_credentials", cloud=cloud_name))


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

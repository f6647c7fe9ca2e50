"""What can go wrong, as one tree.

    MaintenanceError                   everything of ours
      Refused                          asked for something that cannot be done; nothing was changed
        UnknownHost
      NotAllowed                       the policy does not let this actor do it
      StaleState                       somebody else changed the row first
      PassOver                         the worker must not go on with what it has in hand
      ConfigurationError               a setting is missing or wrong
      CloudError                       OpenStack did not do what we asked of it
        CloudUnreachable               no answer: down, slow, or the connection broke
        CloudAuthError                 our credentials or the token are refused (401)
        CloudForbidden                 Nova's policy refuses us (403)
        CloudNotFound                  404
        CloudConflict                  409: not in this state, not now
        CloudBadRequest                any other 4xx
        CloudServerError               5xx
        CloudAnswerUnusable            an answer that cannot be trusted or read

`CloudError` says what was asked (`what`), and what came back, in Nova's words.
"""


class MaintenanceError(Exception):
    """Base of all expected failures of this product. `str()` is fit to be shown to an admin."""


class Refused(MaintenanceError):
    """A request that cannot be granted; nothing was changed.

    :param message: the cause, for the admin
    :param code: a stable word for programs, e.g. ``host_down``
    :param remedy: what the admin can do about it, or empty
    :param field: the form field it belongs to, or empty
    :param drain_id: the drain that is in the way, or None
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        remedy: str = "",
        field: str = "",
        drain_id: int | None = None,
    ):
        super().__init__(message)
        self.message = message
        self.code = code
        self.remedy = remedy
        self.field = field
        self.drain_id = drain_id

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class UnknownHost(Refused):
    """No compute service has exactly this host name in this region."""


class NotAllowed(MaintenanceError):
    """The policy does not let the actor do this. `rule` names the policy rule."""

    def __init__(self, message: str, *, rule: str):
        super().__init__(message)
        self.rule = rule


class StaleState(MaintenanceError):
    """A compare-and-set found another state than the expected one."""


class PassOver(MaintenanceError):
    """A pass must not go on: its claim is lost, it took too long, or the worker stops. What it
    has in hand is left as it is recorded."""


class ConfigurationError(MaintenanceError):
    """A setting is missing or has a wrong value; the message names it."""


class CloudError(MaintenanceError):
    """OpenStack refused, failed or did not answer.

    :param what: what was being asked, e.g. "list the servers of host cmp1"
    :param detail: the reason in OpenStack's own words, or the network's
    :param status: the HTTP status, or None where there was no answer
    :param request_id: OpenStack's request id, or empty
    :param remedy: which setting is to be changed; empty: it may pass by itself
    :param retry_after: for how many seconds OpenStack asks to be left alone; None: it doesn't
    :param sent: whether anything of the request went out
    """

    def __init__(
        self,
        what: str,
        detail: str = "",
        *,
        status: int | None = None,
        request_id: str = "",
        remedy: str = "",
        retry_after: float | None = None,
        sent: bool = True,
    ):
        super().__init__(what, detail)
        self.what = what
        self.detail = detail
        self.status = status
        self.request_id = request_id
        self.remedy = remedy
        self.retry_after = retry_after
        self.sent = sent

    @property
    def not_begun(self) -> bool:
        """Whether nothing of what was requested was begun for certain, for a reason that says
        nothing of the request itself: it was not sent, the token was refused, or Nova is busy."""
        return not self.sent or self.status in (401, 429)

    @property
    def advice(self) -> str:
        """What went wrong, and which setting is to be changed."""
        return f"{str(self).rstrip('.')}. {self.remedy}" if self.remedy else str(self)

    def __str__(self) -> str:
        text = f"Could not {self.what}"
        if self.detail:
            text += f": {' '.join(self.detail.split())}"  # one line, whatever they wrote
        if self.status:
            text += f" (HTTP {self.status})"
        return text


class CloudUnreachable(CloudError):
    """No answer. Whether a request for change took effect is not known."""


class CloudAuthError(CloudError):
    """401, or Keystone refuses the credentials."""


class CloudForbidden(CloudError):
    """403: the policy of the service refuses this user."""


class CloudNotFound(CloudError):
    """404."""


class CloudConflict(CloudError):
    """409: the object is in a state in which this cannot be done."""


class CloudBadRequest(CloudError):
    """Any other 4xx."""


class CloudServerError(CloudError):
    """5xx. Whether a request for change took effect is not known."""


class CloudAnswerUnusable(CloudError):
    """An answer that contradicts the question, or cannot be read."""

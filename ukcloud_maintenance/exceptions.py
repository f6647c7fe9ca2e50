"""What can go wrong, as one tree.

    MaintenanceError                   everything of ours
      Refused                          requested something that cannot be done; nothing was changed
        UnknownHost
      NotAllowed                       the policy does not let this actor do it
      StaleState                       somebody else changed the row first
      PassOver                         the worker must not go on with what it has in hand
      ActionError                      an action could not be begun, or its record not be read
      AlertsUnknown                    whether alerts fire could not be read
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

What there is to say of one is a message (`core.message`), in `said`.
"""

from .core.message import Message, MessageError, message


class MaintenanceError(Exception):
    """Base of all expected failures of this product."""


class Refused(MessageError, MaintenanceError):
    """A request that cannot be granted; nothing was changed.

    :param said: the cause, and what the admin can do about it
    :param code: a stable word for programs, e.g. ``host_down``, where it is not the message's
    :param field: the form field it belongs to, or empty
    :param drain_id: the drain that is in the way, or None
    """

    def __init__(
        self, said: Message, *, code: str = "", field: str = "", drain_id: int | None = None
    ):
        super().__init__(said)
        self.code = code or said.code
        self.field = field
        self.drain_id = drain_id


class UnknownHost(Refused):
    """No compute service has exactly this host name in this region."""


class NotAllowed(MessageError, MaintenanceError):
    """The policy does not let the actor do this.

    :param rule: the name of the policy rule
    """

    def __init__(self, said: Message, *, rule: str):
        super().__init__(said)
        self.rule = rule


class StaleState(MaintenanceError):
    """A compare-and-set found another state than the expected one."""


class PassOver(MaintenanceError):
    """A pass must not go on: its claim is lost, it took too long, or the worker stops. What it
    has in hand is left as it is recorded."""


class ConfigurationError(MessageError, MaintenanceError):
    """A setting is missing or has a wrong value; the message names it."""


class ActionError(MessageError, MaintenanceError):
    """An action could not be begun, or what became of it could not be read. Who gets this looks at
    the record again before anything else is done."""


class AlertsUnknown(MessageError, MaintenanceError):
    """Whether alerts fire could not be read; what waits for their silence must not begin."""


class CloudError(MessageError, MaintenanceError):
    """OpenStack refused, failed or did not answer.

    :param what: what was being asked, e.g. to list the servers of host cmp1
    :param detail: the reason in OpenStack's own words, or the network's, to the letter; or ours
    :param status: the HTTP status, or None where there was no answer
    :param request_id: OpenStack's request id, or empty
    :param remedy: which setting is to be changed; None: it may pass by itself
    :param retry_after: for how many seconds OpenStack asks to be left alone; None: it doesn't
    :param sent: whether anything of the request went out
    """

    def __init__(
        self,
        what: Message | str,
        detail: Message | str = "",
        *,
        status: int | None = None,
        request_id: str = "",
        remedy: Message | None = None,
        retry_after: float | None = None,
        sent: bool = True,
    ):
        self.cause = _could_not(what, detail, status)
        said = self.cause
        if remedy is not None:
            said = message("cloud_setting", cause=self.cause, advice=remedy)
        super().__init__(said)
        self.what = what
        self.detail = detail
        self.status = status
        self.request_id = request_id
        self.remedy = remedy
        self.retry_after = retry_after
        self.sent = sent

    @property
    def trouble(self) -> Message:
        """What is said of what cannot be done meanwhile."""
        code = "openstack_trouble" if self.retry_after is None else "openstack_busy"
        return message(code, detail=self.said)

    @property
    def not_begun(self) -> bool:
        """Whether nothing of what was requested was begun for certain, for a reason that says
        nothing of the request itself: it was not sent, the token was refused, or Nova is busy."""
        return not self.sent or self.status in (401, 429)


def _could_not(what: Message | str, detail: Message | str, status: int | None) -> Message:
    """What went wrong."""
    if isinstance(detail, str):
        detail = " ".join(detail.split())  # one line, whatever they wrote
    if status:
        if not detail:
            return message("cloud_status", what=what, status=status)
        return message("cloud_refused", what=what, detail=detail, status=status)
    if not detail:
        return message("cloud_failed", what=what)
    return message("cloud_failed_because", what=what, detail=detail)


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

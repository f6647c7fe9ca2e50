"""What all views of the panel share: who asks, of which region, and what is said of an error.

Each asks `services` with the request's actor; none waits for a migration.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from django.contrib.auth import logout
from django.db import DataError, OperationalError
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView, View
from horizon import exceptions as horizon_exceptions
from horizon.utils.functions import get_timezone

from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.actor import RULE_AFFECTED, RULE_DRAIN, RULE_VIEW, Actor
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.printable import logger
from ukcloud_maintenance.exceptions import (
    CloudAuthError,
    CloudError,
    CloudForbidden,
    ConfigurationError,
    MaintenanceError,
    NotAllowed,
    Refused,
    UnknownHost,
)
from ukcloud_maintenance.store import Drain

from . import session, words
from .addresses import PANEL, REGION

LOG = logger(__name__)

#: refusals that say that there is no such thing
UNKNOWN = ("unknown_drain", "unknown_plan", "unknown_run")
#: MariaDB's ER_TRUNCATED_WRONG_VALUE_FOR_FIELD: text that it has no characters for, such as emoji
#: in its utf8mb3; and ER_CANT_AGGREGATE_2COLLATIONS where it is to be compared. PyMySQL calls the
#: first a DataError, mysqlclient an OperationalError.
NO_SUCH_CHARACTER = {(1366,), (1267,)}


def is_ajax(request) -> bool:
    return request.headers.get("x-requested-with") == "XMLHttpRequest"


@dataclass(frozen=True)
class Problem:
    """Something that keeps a page from showing what was requested.

    :param message: the cause
    :param remedy: what can be done about it, or empty
    :param url: a page that helps, or empty
    :param link: its name
    """

    message: str
    remedy: str = ""
    url: str = ""
    link: str = ""

    @property
    def text(self) -> str:
        return f"{self.message} {self.remedy}".strip()


def cloud_problem(error: CloudError) -> Problem:
    """OpenStack failed: say what did, and what to do."""
    if error.remedy and not isinstance(error, CloudAuthError | CloudForbidden):
        remedy = words.said(error.remedy)
    elif isinstance(error, CloudAuthError):
        remedy = _("Check the service catalog, and the region selected at the top of the page.")
    elif error.status == 403:
        remedy = _("Nova's policy refuses this user: a role that may list all hosts is required.")
    elif error.retry_after is not None:
        remedy = _("OpenStack is busy. Reload the page in a moment.")
    elif error.status is None:
        remedy = _(
            "Check that nova-api is running and reachable from Horizon, then reload the page."
        )
    else:
        remedy = _("Read the log of nova-api, then reload the page.")
        if error.request_id:
            remedy += " " + _("The request id is %(id)s.") % {"id": error.request_id}
    return Problem(f"{words.said(error.cause).rstrip('.')}.", remedy)


def refused_problem(error: Refused) -> Problem:
    cause, remedy = words.said(error.said, remedy=False), words.remedy(error.said)
    if error.drain_id:
        url = reverse(f"{PANEL}:drain", args=[error.drain_id])
        return Problem(cause, remedy, url, _("View Drain"))
    return Problem(cause, remedy)


def problem_of(error: Exception | None) -> Problem | None:
    """What is said of what went wrong, or None where nothing did."""
    if isinstance(error, Refused):
        return refused_problem(error)
    return cloud_problem(error) if isinstance(error, CloudError) else None


def is_text(value: str) -> bool:
    """Whether every database takes it: PostgreSQL refuses NUL, and none stores half a character,
    which Django reads where a request names an encoding of its own."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in value


def uncached(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "no-store"
    return response


class PanelView(View):
    """What all views of the panel have in common.

    The policy is checked before anything is done, whatever the method; `services` check again.
    What was sent is looked at next, so that no view meets text that a database refuses. No answer
    may be taken for another type than it says, and none but a page is kept by a browser: the texts
    in it are other people's.
    """

    rule = RULE_VIEW
    title = gettext_lazy("Maintenance")

    @cached_property
    def actor(self) -> Actor:
        return session.actor(self.request)

    @cached_property
    def cloud(self) -> services.Cloud:
        return session.cloud(self.request)

    @property
    def region(self) -> str:
        return session.region(self.request)

    def dispatch(self, request, *args, **kwargs):
        # Horizon leaves the time zone alone in requests of a script.
        timezone.activate(get_timezone(request))
        response = self._answer(request, *args, **kwargs)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        is_page = response.headers.get("Content-Type", "").startswith("text/html")
        if not is_page or response.status_code == 204:
            uncached(response)
        return response

    def _answer(self, request, *args, **kwargs) -> HttpResponse:
        try:
            if self.actor.may(self.rule) is not True:
                said = message("not_allowed", name=self.actor.name, rule=self.rule)
                raise NotAllowed(said, rule=self.rule)
            if not all(map(is_text, self._sent())) or any(map(store.lost, self._looked_up())):
                return self._unreadable()
            self._check_region()
            return super().dispatch(request, *args, **kwargs)
        except (DataError, OperationalError) as error:
            if isinstance(error, OperationalError) and error.args[:1] not in NO_SUCH_CHARACTER:
                raise
            LOG.warning("the database refused what was sent to %s", request.path, exc_info=True)
            return self._unreadable()
        except NotAllowed as error:
            raise horizon_exceptions.NotAuthorized() from error
        except CloudError as error:
            if isinstance(error, CloudAuthError) and error.status == 401:
                # The token was revoked, or died before its time.
                logout(request)
                raise horizon_exceptions.NotAuthenticated() from error
            return self.problem(cloud_problem(error), 503)
        except Refused as error:
            unknown = isinstance(error, UnknownHost) or error.code in UNKNOWN
            return self.problem(refused_problem(error), 404 if unknown else 409)
        except ConfigurationError as error:
            return self.problem(Problem(words.said(error.said)), 500)
        except MaintenanceError as error:
            return self.problem(Problem(str(error)), 500)

    def _sent(self) -> Iterator[str]:
        """Every text of the request that a view may read."""
        yield from (value for value in self.kwargs.values() if isinstance(value, str))
        for fields in (self.request.GET, self.request.POST):
            for name, values in fields.lists():
                yield name
                yield from values

    def _looked_up(self) -> Iterator[str]:
        """The texts of the address: what is looked for in the database. What is entered is refused
        where it was entered."""
        yield from (value for value in self.kwargs.values() if isinstance(value, str))
        for _name, values in self.request.GET.lists():
            yield from values

    def _unreadable(self) -> HttpResponse:
        return self.problem(
            Problem(
                _("The request has text that the database cannot store."),
                _("Remove special characters, and try again."),
            ),
            400,
        )

    def _check_region(self) -> None:
        """A page knows hosts by name alone, and another region may have hosts of that name.

        :raises Refused: the region of the page that asks is not the one that is chosen
        """
        theirs = self.request.GET.get(REGION) or self.region
        if theirs != self.region:
            raise Refused(message("other_region", theirs=theirs, region=self.region))

    def problem(self, problem: Problem, status: int) -> HttpResponse:
        """A page that says what is wrong, and leads on."""
        modal = is_ajax(self.request)
        # Horizon's script shows a modal only for an answer of 200; a bad request is none of its.
        return render(
            self.request,
            "admin/maintenance/common/_problem_modal.html"
            if modal
            else "admin/maintenance/common/problem.html",
            {"problem": problem, "page_title": str(self.title)},
            status=200 if modal and status != 400 else status,
        )

    def dialog(self, template: str, crumbs: list[tuple[str, str]], **context) -> HttpResponse:
        """What is asked before something is done: in a modal, or on a page of its own.

        :param template: of the dialog, without its folder and ending
        :param crumbs: the pages between the panel and this one; the last one is gone back to
        """
        modal = is_ajax(self.request)
        template = f"admin/maintenance/{template}.html"
        return render(
            self.request,
            template if modal else "admin/maintenance/common/dialog.html",
            {
                "page_title": str(self.title),
                "custom_breadcrumb": crumbs,
                "dialog_template": template,
                "hide": modal,  # Horizon's word for "in a modal"
                "modal_backdrop": "static",
                "cancel_url": crumbs[-1][1],
                **context,
            },
        )

    def drain_here(self, drain_id: int, rule: str = RULE_VIEW, *, outline: bool = False) -> Drain:
        """The drain, if it is one of the region that is chosen.

        :param outline: with no more than what tells whether it changed
        :raises Refused: there is no such drain, or it belongs to another region
        """
        drain = services.get_drain(self.actor, drain_id, rule=rule, outline=outline)
        if drain.region != self.region:
            raise Refused(
                message("drain_of_other_region", drain=drain.pk, region=drain.region),
                code="unknown_drain",
            )
        return drain


class ScriptView(PanelView):
    """What the script of a page asks for: told in JSON, also what is wrong."""

    http_method_names = ["get", "head"]

    def problem(self, problem: Problem, status: int) -> HttpResponse:
        return JsonResponse({"message": problem.text}, status=status)


class PanelPage(PanelView, TemplateView):
    def crumbs(self) -> list[tuple[str, str]]:
        """The pages between the panel and this one."""
        return []

    def get_context_data(self, **kwargs):
        return {
            "page_title": str(self.title),
            "custom_breadcrumb": self.crumbs(),
            "region": self.region,
            "may_drain": self.actor.may(RULE_DRAIN),
            "may_see_affected": self.actor.may(RULE_AFFECTED),
            **super().get_context_data(**kwargs),
        }

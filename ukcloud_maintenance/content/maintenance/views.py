"""The pages. Each asks `services` with the request's actor; none waits for a migration."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.contrib.auth import logout
from django.db import DataError, OperationalError
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView, View
from horizon import exceptions as horizon_exceptions
from horizon import messages, workflows
from horizon.utils.functions import get_page_size, get_timezone

from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.actor import RULE_DRAIN, RULE_VIEW, Actor
from ukcloud_maintenance.core.printable import logger
from ukcloud_maintenance.core.states import DRAIN_TERMINAL, Method
from ukcloud_maintenance.exceptions import (
    CloudAuthError,
    CloudError,
    CloudForbidden,
    MaintenanceError,
    NotAllowed,
    Refused,
    UnknownHost,
)
from ukcloud_maintenance.store import Drain

from . import labels, listing, progress, session, tables
from .preflight import Preflight
from .tables import PANEL, REGION
from .verbs import Offers, url
from .workflows import DrainHostWorkflow

LOG = logger(__name__)

#: refusals that say that there is no such thing
UNKNOWN = ("unknown_drain", "unknown_plan")
#: the greatest id that a database has room for
MAX_ID = 2**63 - 1
#: MariaDB's ER_TRUNCATED_WRONG_VALUE_FOR_FIELD: text that it has no characters for, such as emoji
#: in its utf8mb3. PyMySQL calls it a DataError, mysqlclient an OperationalError.
NO_SUCH_CHARACTER = 1366
#: how Horizon's script names the steps of a workflow that are to be checked
VALIDATE_FROM = "HTTP_X_HORIZON_VALIDATE_STEP_START"
VALIDATE_TO = "HTTP_X_HORIZON_VALIDATE_STEP_END"


def is_ajax(request) -> bool:
    return request.headers.get("x-requested-with") == "XMLHttpRequest"


@dataclass(frozen=True)
class Problem:
    """Something that keeps a page from showing what was asked for.

    :param message: the cause
    :param remedy: what can be done about it, or empty
    :param url: a page that helps, or empty
    :param link: its name
    """

    message: str
    remedy: str = ""
    url: str = ""
    link: str = ""


def cloud_problem(error: CloudError) -> Problem:
    """OpenStack failed: say what did, and what to do."""
    if error.remedy and not isinstance(error, CloudAuthError | CloudForbidden):
        remedy = labels.said(error.remedy)
    elif isinstance(error, CloudAuthError):
        remedy = _("Look at the service catalogue, and at the region that is chosen above.")
    elif error.status == 403:
        remedy = _("Nova's policy refuses this user; it takes a role that may see all hosts.")
    elif error.retry_after is not None:
        remedy = _("OpenStack is busy; reload the page in a moment.")
    elif error.status is None:
        remedy = _("Check that nova-api runs and can be reached from here, then reload the page.")
    else:
        remedy = _("Look at the log of nova-api, then reload the page.")
        if error.request_id:
            remedy += " " + _("Its request id is %(id)s.") % {"id": error.request_id}
    return Problem(f"{labels.said(str(error)).rstrip('.')}.", remedy)


def refused_problem(error: Refused) -> Problem:
    if error.drain_id:
        url = reverse(f"{PANEL}:drain", args=[error.drain_id])
        return Problem(labels.said(error.message), labels.said(error.remedy), url, _("View drain"))
    return Problem(labels.said(error.message), labels.said(error.remedy))


def problem_json(problem: Problem, status: int) -> HttpResponse:
    """What a script is told instead of a page."""
    return JsonResponse({"message": f"{problem.message} {problem.remedy}".strip()}, status=status)


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
        if not response.headers.get("Content-Type", "").startswith("text/html"):
            uncached(response)
        return response

    def _answer(self, request, *args, **kwargs) -> HttpResponse:
        try:
            if self.actor.may(self.rule) is not True:
                raise NotAllowed("", rule=self.rule)
            if not all(map(is_text, self._sent())):
                return self._unreadable()
            self._check_ids()
            self._check_region()
            return super().dispatch(request, *args, **kwargs)
        except (DataError, OperationalError) as error:
            if isinstance(error, OperationalError) and error.args[:1] != (NO_SUCH_CHARACTER,):
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
        except MaintenanceError as error:
            return self.problem(Problem(str(error)), 500)

    def _sent(self) -> Iterator[str]:
        """Every text of the request that a view may read."""
        yield from (value for value in self.kwargs.values() if isinstance(value, str))
        for fields in (self.request.GET, self.request.POST):
            for name, values in fields.lists():
                yield name
                yield from values

    def _check_ids(self) -> None:
        """:raises Refused: an id is one that no row can have"""
        for name, value in self.kwargs.items():
            if isinstance(value, int) and value > MAX_ID:
                what = name.removesuffix("_id")
                raise Refused(f"There is no {what} {value}.", code=f"unknown_{what}")

    def _unreadable(self) -> HttpResponse:
        return self.problem(
            Problem(
                _("The request has text that the database cannot store."),
                _("Remove unusual characters, and try again."),
            ),
            400,
        )

    def _check_region(self) -> None:
        """A page knows hosts by name alone, and another region may have hosts of that name.

        :raises Refused: the region of the page that asks is not the one that is chosen
        """
        theirs = self.request.GET.get(REGION) or self.region
        if theirs != self.region:
            raise Refused(
                _("This is of region %(theirs)s, and region %(region)s is chosen now.")
                % {"theirs": theirs, "region": self.region},
                code="other_region",
                remedy=_("Switch to region %(region)s at the top of the page, and try again.")
                % {"region": theirs},
            )

    def problem(self, problem: Problem, status: int) -> HttpResponse:
        """A page that says what is wrong, and leads on."""
        modal = is_ajax(self.request)
        # Horizon's script shows a modal only for an answer of 200; a bad request is none of its.
        return render(
            self.request,
            "admin/maintenance/_problem_modal.html" if modal else "admin/maintenance/problem.html",
            {"problem": problem, "page_title": str(self.title)},
            status=200 if modal and status != 400 else status,
        )

    def drain_here(self, drain_id: int, rule: str = RULE_VIEW) -> Drain:
        """The drain, if it is one of the region that is chosen.

        :raises Refused: there is no such drain, or it belongs to another region
        """
        drain = services.get_drain(self.actor, drain_id, rule=rule)
        if drain.region != self.region:
            raise Refused(
                _("Drain %(id)s belongs to region %(region)s.")
                % {"id": drain.pk, "region": drain.region},
                code="unknown_drain",
                remedy=_("Switch to region %(region)s at the top of the page to see it.")
                % {"region": drain.region},
            )
        return drain


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
            **super().get_context_data(**kwargs),
        }


class DrainsView(PanelPage):
    """All drains of the region, newest first."""

    template_name = "admin/maintenance/drains.html"
    title = gettext_lazy("Drains")

    def get_context_data(self, **kwargs):
        now = store.now()
        query = listing.Query.of(self.request.GET)
        drains = store.find_drains(self.region, query.text, query.state)
        shown = listing.Paged(query, drains, get_page_size(self.request))
        counts = store.counts(d.pk for d in shown.page)
        return super().get_context_data(
            tab="drains",
            listing=shown,
            rows=[tables.DrainRow(d, counts[d.pk], now) for d in shown.page],
            any_at_all=bool(shown.page) or store.drains(self.region).exists(),
            states=labels.drain_state_choices(),
            worker=progress.worker_warning(services.worker_status(self.actor)),
            **kwargs,
        )


class DrainView(PanelPage):
    """One drain and its instances, from the database alone."""

    template_name = "admin/maintenance/drain.html"
    title = gettext_lazy("Drain")

    def crumbs(self):
        return [(_("Drains"), reverse(f"{PANEL}:drains"))]

    def get_context_data(self, **kwargs):
        drain_id = self.kwargs["drain_id"]
        self.drain_here(drain_id)
        report = services.drain_report(self.actor, drain_id)
        drain = report.drain
        offers = Offers(self.actor)
        buttons = offers.buttons_of(drain)
        rows = progress.rows(report, self.actor)
        columns = progress.fields(offers)
        over = drain.state in DRAIN_TERMINAL
        return super().get_context_data(
            **{
                "page_title": progress.page_title(drain),
                "browser_title": progress.title(report),
                "drain": drain,
                "parts": progress.parts(report, self.actor),
                "fields": columns,
                "columns": len(columns) + bool(buttons),
                "rows": rows,
                "buttons": [{"button": one, "url": url(one.slug, drain)} for one in buttons],
                "offered": not over or any(row.verbs for row in rows),
                "states": progress.state_choices(report),
                "token": progress.token(drain.revision, report.worker),
                "over": drain.is_settled,
                "updates_url": reverse(f"{PANEL}:updates", args=[drain.pk]),
                **kwargs,
            }
        )


class UpdatesView(PanelView):
    """What is new on a drain's page: 204 when nothing is, by two small queries.

    Answered from the database alone; OpenStack is not asked.
    """

    http_method_names = ["get", "head"]

    def get(self, request, drain_id):
        seen = request.GET.get("seen", "")
        revision = store.revision(drain_id)
        if revision is not None and seen:
            worker = services.worker_status(self.actor)
            if seen == progress.token(revision, worker):
                return uncached(HttpResponse(status=204))
        self.drain_here(drain_id)
        report = services.drain_report(self.actor, drain_id)
        return uncached(
            JsonResponse(
                {
                    "token": progress.token(report.drain.revision, report.worker),
                    "over": report.drain.is_settled,
                    "title": progress.title(report),
                    "now": report.now.isoformat(),
                    "announcement": progress.announcement(report),
                    "parts": progress.parts(report, self.actor),
                    "rows": [row.as_json() for row in progress.rows(report, self.actor)],
                }
            )
        )

    def problem(self, problem: Problem, status: int) -> HttpResponse:
        return problem_json(problem, status)


class CheckHostView(PanelPage):
    """The preflight without a drain, on a page or in a modal."""

    title = gettext_lazy("Check")

    def get_template_names(self):
        modal = is_ajax(self.request)
        return ["admin/maintenance/_check.html" if modal else "admin/maintenance/check.html"]

    def crumbs(self):
        host = self.kwargs["host"]
        return [(host, tables.of_host("host", host, self.region))]

    def get_context_data(self, **kwargs):
        host = self.kwargs["host"]
        plan = services.check_host(self.actor, self.cloud, host)
        modal = is_ajax(self.request)
        return super().get_context_data(
            **{
                "page_title": _("Check of host %(host)s") % {"host": host},
                "hide": modal,  # Horizon's word for "in a modal"
                "modal_backdrop": "true",
                "host": host,
                "problem": refused_problem(plan.refusal) if plan.refusal else None,
                "preflight": Preflight(plan, choose=False),
                **kwargs,
            }
        )


def asked_for(drain: Drain) -> str:
    """What was asked for; by name what cannot be taken back, or is noticed by its user."""
    said = _("The drain of host %(host)s is asked for.") % {"host": drain.host}
    rows = list(store.migrations(drain))
    stopped = [
        row.server_name
        for row in rows
        if row.method == Method.COLD and row.server_status != "SHUTOFF"
    ]
    confirmed = [row.server_name for row in rows if row.method == Method.CONFIRM]
    if stopped:
        words = _("Stopped, moved and started again: %(names)s.")
        said += " " + words % {"names": ", ".join(stopped)}
    if confirmed:
        words = _("Resize confirmed, not to be reverted any more: %(names)s.")
        said += " " + words % {"names": ", ".join(confirmed)}
    return said


class DrainHostView(PanelView, workflows.WorkflowView):
    """The Drain Host workflow, as a modal and as a page of its own."""

    rule = RULE_DRAIN
    workflow_class = DrainHostWorkflow
    template_name = "admin/maintenance/drain_host.html"
    ajax_template_name = "admin/maintenance/_drain_host.html"
    title = gettext_lazy("Drain Host")

    @property
    def host(self) -> str:
        return self.kwargs["host"]

    def get_workflow(self):
        return DrainHostWorkflow(self.request, actor=self.actor, cloud=self.cloud, host=self.host)

    def get_context_data(self, **kwargs):
        context = super().get_context_data(**kwargs)
        context["page_title"] = context["workflow"].name
        return context

    def get(self, request, *args, **kwargs):
        context = self.get_context_data(**kwargs)
        context["workflow"].load()
        return self.render_to_response(context)

    def post(self, request, *args, **kwargs):
        context = self.get_context_data(**kwargs)
        workflow: DrainHostWorkflow = context["workflow"]
        if VALIDATE_FROM in request.META:
            return self._validate(workflow)
        if workflow.is_valid() and workflow.finalize():
            messages.success(request, asked_for(workflow.object))
            return redirect(f"{PANEL}:drain", workflow.object.pk)
        workflow.load_after_refusal()
        return self.render_to_response(context)

    def _validate(self, workflow: DrainHostWorkflow) -> HttpResponse:
        """Horizon's script asks for this before it turns to the next step."""
        try:
            first = int(self.request.META[VALIDATE_FROM])
            last = int(self.request.META.get(VALIDATE_TO, first))
        except ValueError:
            first, last = 0, len(workflow.steps)
        found = self.validate_steps(self.request, workflow, first, last)
        # Horizon's script puts each error into the page as HTML.
        for fields in found["errors"].values():
            for name, errors in fields.items():
                fields[name] = [format_html("{}", error) for error in errors]
        return JsonResponse(found)

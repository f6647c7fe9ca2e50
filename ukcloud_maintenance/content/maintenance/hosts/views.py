"""The hosts of the region, and one of them."""

from datetime import datetime

from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from horizon import messages
from horizon.utils.functions import get_page_size

from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.actor import RULE_RESET, RULE_RETURN
from ukcloud_maintenance.core.states import DRAIN_TERMINAL, ReturnChoice
from ukcloud_maintenance.exceptions import CloudError, Refused, UnknownHost
from ukcloud_maintenance.services import ReturnRequest

from ..common import formats, labels, listing
from ..common.addresses import PANEL, of_host
from ..common.base import (
    PanelPage,
    PanelView,
    Problem,
    cloud_problem,
    is_ajax,
    problem_json,
    refused_problem,
    uncached,
)
from ..drains import overview as progress
from ..preflight.words import verdict_html
from ..record import timeline as record
from . import certificate as certificate_page
from . import table as tables
from .panel import HostPanel

DRAINS_ON_HOST_PAGE = 30


class HostsView(PanelPage):
    """All hosts of the region. Two requests to Nova, and a small one for each row shown."""

    template_name = "admin/maintenance/index.html"

    def get_context_data(self, **kwargs):
        now = store.now()
        query = listing.Query.of(self.request.GET)
        problem = None
        hosts: list = []
        try:
            hosts = services.list_hosts(self.actor, self.cloud)
        except CloudError as error:
            if error.status == 401:
                raise
            problem = cloud_problem(error)
        records = services.host_records(self.actor, self.region)
        shown = listing.listing(
            [tables.HostRow(facts, records.get(facts.host), now, self.region) for facts in hosts],
            tables.host_columns(),
            query,
            has_state=tables.host_has_state,
            page_size=get_page_size(self.request),
            default_sort="host",
        )
        self._count(shown, [facts.host for facts in hosts])
        worker = services.worker_status(self.actor)
        return super().get_context_data(
            tab="hosts",
            listing=shown,
            any_changes=any(row.changes for row in shown.page),
            may_return=self.actor.may(RULE_RETURN) is True,
            states=tables.host_state_choices(),
            max_hosts=services.PLAN_MAX_HOSTS,
            zones=sorted({facts.service.zone for facts in hosts if facts.service.zone}),
            problem=problem,
            open_drains=self._open_drains(records, now) if problem else [],
            worker=progress.worker_warning(worker),
            count_problem=next((r.count_error for r in shown.page if r.count_error), ""),
            **kwargs,
        )

    def _count(self, shown: listing.Listing, among: list[str]) -> None:
        rows = [row for row in shown.page if row.facts.service.is_known]
        answers = services.count_instances(
            self.actor, self.cloud, [row.host for row in rows], among=among
        )
        for row in rows:
            row.counted(answers.get(row.host))

    @staticmethod
    def _open_drains(records: dict[str, store.HostRecord], now: datetime) -> list[tables.DrainRow]:
        """The drains under way, to be reached while Nova does not tell its hosts."""
        return [
            tables.DrainRow(r.drain, r.counts, now)
            for r in records.values()
            if r.drain.state not in DRAIN_TERMINAL
        ]


class HostUpdatesView(PanelView):
    """The maintenance column of the hosts that are in maintenance, or were drained or given back
    a moment ago.

    Answered from the database alone; OpenStack is not asked.
    """

    http_method_names = ["get", "head"]

    def get(self, request):
        now = store.now()
        records = services.host_records(self.actor, self.region)
        shown = {
            host: tables.maintenance_cell(record, now, in_service=False)
            for host, record in records.items()
            if record.maintenance
            or record.drain.finished_at is None
            or record.returned
            or record.run_back
            or now - record.drain.finished_at < services.JUST_NOW
        }
        cells = {
            host: render_to_string("admin/maintenance/_maintenance.html", {"cell": cell})
            for host, cell in shown.items()
        }
        return uncached(JsonResponse({"cells": cells}))

    def problem(self, problem: Problem, status: int) -> HttpResponse:
        return problem_json(problem, status)


class HostView(PanelPage):
    """One host: its service, its instances, its drains so far."""

    template_name = "admin/maintenance/host.html"

    @property
    def title(self) -> str:
        return self.kwargs["host"]

    def crumbs(self):
        return []

    def get_context_data(self, **kwargs):
        host = self.kwargs["host"]
        now = store.now()
        drains = list(store.drains_of(self.region, host)[: DRAINS_ON_HOST_PAGE + 1])
        page, problem = None, None
        try:
            page = services.host_page(self.actor, self.cloud, host)
        except UnknownHost:
            if not drains:
                raise
            problem = Problem(
                _("Nova knows no compute host of this name any more."),
                _("What is shown here is the record of its drains."),
            )
        except CloudError as error:
            if error.status == 401:
                raise
            problem = cloud_problem(error)
        counts = store.counts(d.pk for d in drains)
        drain_rows = [record.HistoryRow(d, counts[d.pk], now) for d in drains]
        context = super().get_context_data(
            problem=problem,
            history=record.history(
                drain_rows[:DRAINS_ON_HOST_PAGE],
                store.maintenances_of(self.region, host)[:DRAINS_ON_HOST_PAGE],
                len(drains) > DRAINS_ON_HOST_PAGE,
                now,
            ),
            open_drain=next((row for row in drain_rows if row.is_open), None),
            panel=HostPanel(self.actor, self.region, host),
            **kwargs,
        )
        if page:
            servers = sorted(page.servers, key=lambda s: formats.natural_key(s.name))
            context |= {
                "service": page.service,
                "state": labels.host_state(page.service),
                "service_status": labels.service_status(page.service),
                "updated": formats.when(page.service.updated_at, now, seconds=True),
                "servers": [
                    {
                        "facts": server,
                        "url": reverse("horizon:admin:instances:detail", args=[server.id]),
                        "project": page.projects.get(server.project_id, server.project_id),
                        "memory": formats.size(server.memory_bytes),
                    }
                    for server in servers
                ],
                "memory": formats.size(sum(s.memory_bytes for s in servers)),
            }
        return context


# -- safe to power off -----------------------------------------------------------------------


class HostPanelView(PanelView):
    """The panel on safety and return of a host: 204 while nothing changed.

    Answered from the database alone; OpenStack is not asked.
    """

    http_method_names = ["get", "head"]

    def get(self, request, host):
        on_drain = "drain" in request.GET
        panel = HostPanel(self.actor, self.region, host, on_drain=on_drain)
        if request.GET.get("seen") == panel.token:
            return uncached(HttpResponse(status=204))
        html = render_to_string("admin/maintenance/_certificate.html", {"panel": panel}, request)
        return uncached(
            JsonResponse({"token": panel.token, "html": html, "announcement": panel.announcement})
        )

    def problem(self, problem: Problem, status: int) -> HttpResponse:
        return problem_json(problem, status)


class CertificateView(PanelView):
    """The certificate as a page of its own, to be printed. There is none of a host that was never
    drained: whether Nova knows it is told by the host's page."""

    title = gettext_lazy("Certificate")

    def get(self, request, host):
        services.check_recorded(self.actor, self.region, host)
        panel = HostPanel(self.actor, self.region, host)
        context = {
            "panel": panel,
            "found": panel.found,
            "label": certificate_page.verdict(panel.found),
            "why": labels.said(panel.found.why_not),
            "written": certificate_page.zoned(panel.found.now),
            "written_utc": panel.found.now,
            "drains": [
                (drain, certificate_page.zoned(drain.finished_at)) for drain in panel.found.drains
            ],
            "version": certificate_page.version(),
        }
        return uncached(render(request, "admin/maintenance/certificate.html", context))


class CertificateFileView(PanelView):
    """The certificate for programs and for the files."""

    http_method_names = ["get", "head"]

    def get(self, request, host):
        services.check_recorded(self.actor, self.region, host)
        found = services.certificate(self.actor, self.region, host)
        document = services.document_of(self.actor, found)
        answer = JsonResponse(document, json_dumps_params={"indent": 2})
        name = certificate_page.file_name(found)
        answer["Content-Disposition"] = f'attachment; filename="{name}"'
        return uncached(answer)

    def problem(self, problem: Problem, status: int) -> HttpResponse:
        return problem_json(problem, status)


# -- allocations that are left behind -------------------------------------------------------


class AllocationsView(PanelView):
    """What Placement holds of a host and whether that holds anything (GET); remove what is proved
    to be left behind (POST). Read and done with the admin's own session."""

    rule = RULE_RESET
    http_method_names = ["get", "head", "post"]
    title = gettext_lazy("Allocations")

    def get(self, request, host):
        return self._show(host)

    def post(self, request, host):
        consumer = request.POST.get("consumer", "")
        try:
            services.remove_allocation(self.actor, self.cloud, host, consumer)
        except UnknownHost:
            raise
        except (Refused, CloudError) as error:
            if isinstance(error, CloudError) and error.status == 401:
                raise
            return self._show(host, error)
        messages.success(request, _("The allocation of %(id)s was removed.") % {"id": consumer})
        return redirect(f"{PANEL}:host", host)

    def _show(self, host: str, error: Exception | None = None) -> HttpResponse:
        problem = None
        if isinstance(error, Refused):
            problem = refused_problem(error)
        elif isinstance(error, CloudError):
            problem = cloud_problem(error)
        modal = is_ajax(self.request)
        found: list = []
        try:
            found = services.host_allocations(self.actor, self.cloud, host)
        except CloudError as failure:
            if failure.status == 401:
                raise
            problem = problem or cloud_problem(failure)
        context = {
            "page_title": str(self.title),
            "custom_breadcrumb": [(host, of_host("host", host, self.region))],
            "hide": modal,  # Horizon's word for "in a modal"
            "modal_backdrop": "static",
            "host": host,
            "problem": problem,
            "found": [(one, certificate_page.told(one.checks)) for one in found],
            "in_maintenance": store.open_maintenance(self.region, host) is not None,
            "submit_url": of_host("allocations", host, self.region),
            "cancel_url": of_host("host", host, self.region),
        }
        name = "_allocations.html" if modal else "allocations.html"
        return uncached(render(self.request, f"admin/maintenance/{name}", context))


# -- back to service -------------------------------------------------------------------------


class ReturnHostView(PanelView):
    """Ask how a host is to be given back (GET), and ask for it (POST)."""

    rule = RULE_RETURN
    http_method_names = ["get", "head", "post"]
    title = gettext_lazy("Return to Service")

    def get(self, request, host):
        return self._ask(host, {})

    def post(self, request, host):
        entered = request.POST
        at_once = entered.get("max_concurrent", "").strip()
        try:
            if "choice" not in entered:
                raise Refused(
                    _("Choose what becomes of the compute service."),
                    code="choice_missing",
                    field="choice",
                )
            asked = ReturnRequest(
                host,
                entered["choice"],
                "bring_back" in entered,
                _whole_number(at_once) if at_once else None,
                "also_moved" in entered,
            )
            services.return_host(self.actor, self.cloud, asked)
        except Refused as error:
            if isinstance(error, UnknownHost):
                raise
            return self._ask(host, entered, error)
        except CloudError as error:
            if error.status == 401:
                raise
            return self._ask(host, entered, error)
        messages.success(
            request, _("The return of host %(host)s to service is asked for.") % {"host": host}
        )
        return redirect(f"{PANEL}:host", host)

    def _ask(self, host: str, entered, error: Exception | None = None) -> HttpResponse:
        preview = services.return_preview(self.actor, self.cloud, host)
        modal = is_ajax(self.request)
        problem = None
        if isinstance(error, Refused):
            problem = refused_problem(error)
        elif isinstance(error, CloudError):
            problem = cloud_problem(error)
        elif preview.refusal:
            problem = refused_problem(preview.refusal)
        chosen = entered.get("choice") or (preview.default.value if preview.default else "")
        context = {
            "page_title": str(self.title),
            "custom_breadcrumb": [(host, of_host("host", host, self.region))],
            "hide": modal,  # Horizon's word for "in a modal"
            "modal_backdrop": "static",
            "host": host,
            "problem": problem,
            "preview": preview,
            "found": _service_words(
                preview.maintenance.found_status, preview.maintenance.found_reason
            ),
            "now": _service_words(
                preview.service.status if preview.service else "",
                preview.service.disabled_reason if preview.service else "",
            ),
            "choices": _choices(preview, chosen),
            "instances": [_returnable(one) for one in preview.instances],
            "moved_since": [_returnable(one) for one in preview.moved_since],
            "bring_back": "bring_back" in entered,
            "also_moved": "also_moved" in entered,
            "max_concurrent": entered.get("max_concurrent") or preview.max_concurrent,
            "ceiling": preview.max_concurrent_ceiling,
            "submit_url": of_host("return_host", host, self.region),
            "cancel_url": of_host("host", host, self.region),
        }
        name = "_return.html" if modal else "return.html"
        return uncached(render(self.request, f"admin/maintenance/{name}", context))


def _returnable(one: services.Returnable) -> dict:
    return {
        "name": one.server.name or one.server.id,
        "host": one.server.host,
        "left_to": one.row.dest_compute,
        "status": one.server.status,
        "memory": formats.size(one.server.memory_bytes),
        "said": verdict_html(one.server, one.verdict),
    }


def _whole_number(text: str) -> int:
    if not text.isdecimal() or len(text) > 4:
        raise Refused(
            _("The number of migrations at once is not a number: %(text)s.") % {"text": text[:20]},
            code="max_concurrent_out_of_range",
            field="max_concurrent",
        )
    return int(text)


def _service_words(status: str, reason: str) -> str:
    if not status:
        return _("Nova has none of this host")
    words = {"enabled": _("enabled"), "disabled": _("disabled")}.get(status, status)
    return f"{words}: {reason}" if reason else words


#: what each choice is called
CHOICE_NAMES = {
    ReturnChoice.OURS: gettext_lazy("Enable the service, if it was us who disabled it"),
    ReturnChoice.ENABLE: gettext_lazy("Enable the service, whoever disabled it"),
    ReturnChoice.LEAVE: gettext_lazy("Leave the service as it is"),
}


def _choices(preview: services.ReturnPreview, chosen: str) -> list[dict]:
    """What can be chosen, with what it does, or why it cannot be. Two that do the same are one."""
    outlooks = preview.outlooks
    shown = list(ReturnChoice)
    if outlooks[ReturnChoice.OURS] == outlooks[ReturnChoice.ENABLE]:
        shown.remove(ReturnChoice.ENABLE)
    return [
        {
            "value": choice.value,
            "name": CHOICE_NAMES[choice]
            if len(shown) == len(ReturnChoice) or choice is ReturnChoice.LEAVE
            else _("Enable the service"),
            "outlook": outlooks[choice],
            "text": labels.said(outlooks[choice].text),
            "remedy": labels.said(outlooks[choice].remedy),
            "chosen": choice.value == chosen and outlooks[choice].allowed,
        }
        for choice in shown
    ]

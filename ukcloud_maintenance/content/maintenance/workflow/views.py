"""The Drain Host workflow: for one host as a modal and as a page, for several as a page."""

from collections.abc import Sequence
from functools import partial

from django.db.models import prefetch_related_objects
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from horizon import messages, workflows

from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.actor import RULE_DRAIN
from ukcloud_maintenance.core.states import Method
from ukcloud_maintenance.store import Drain, Plan

from ..common import formats
from ..common.addresses import PANEL, REGION, of_host
from ..common.base import PanelView, Problem, uncached
from ..common.selection import selected
from .drain_host import DrainHostWorkflow, InstancesAction
from .options import OptionsAction

#: how Horizon's script names the steps of a workflow that are to be checked
VALIDATE_FROM = "HTTP_X_HORIZON_VALIDATE_STEP_START"
VALIDATE_TO = "HTTP_X_HORIZON_VALIDATE_STEP_END"
#: what the form is sent for: to request it, or to show again what it would do
DRAIN, UPDATE = "drain", "update"


def asked_for(drains: Sequence[Drain]) -> str:
    """What was requested; by name what cannot be taken back, or is noticed by its user."""
    if len(drains) == 1:
        said = _("The drain of host %(host)s was requested.") % {"host": drains[0].host}
    else:
        said = ngettext(
            "The drain of %(n)s host was requested.",
            "The drains of %(n)s hosts were requested.",
            len(drains),
        ) % {"n": formats.number(len(drains))}
    prefetch_related_objects(drains, "migrations")
    rows = sorted(
        (row for drain in drains for row in drain.migrations.all()),
        key=lambda row: (row.drain_id, row.position, row.pk),
    )
    stopped = [
        row.server_name
        for row in rows
        if row.method == Method.COLD and row.server_status != "SHUTOFF"
    ]
    confirmed = [row.server_name for row in rows if row.method == Method.CONFIRM]
    if stopped:
        words = _("Stopped, moved and started again: %(names)s.")
        said += " " + words % {"names": formats.abbreviate(stopped)}
    if confirmed:
        words = _("Resize confirmed, cannot be reverted: %(names)s.")
        said += " " + words % {"names": formats.abbreviate(confirmed)}
    return said


class DrainHostView(PanelView, workflows.WorkflowView):
    """The workflow for the host of the address, as a modal and as a page of its own."""

    rule = RULE_DRAIN
    workflow_class = DrainHostWorkflow
    template_name = "admin/maintenance/workflow/drain_host.html"
    ajax_template_name = "admin/maintenance/workflow/_drain_host.html"
    title = gettext_lazy("Drain Host")

    def get_workflow(self) -> DrainHostWorkflow:
        host = self.kwargs["host"]
        url = of_host("drain_host", host, self.cloud.region)
        step = "" if self._is_submitted else InstancesAction.slug
        return self.workflow_for([host], url, step=step, is_submitted=self._is_submitted)

    @property
    def _what(self) -> str:
        """Which button was pressed."""
        return self.request.POST.get("do", "")

    @property
    def _is_submitted(self) -> bool:
        """Whether what was entered is to be checked. In a modal, no button may be named."""
        return self._what != UPDATE

    def workflow_for(self, hosts: list[str], url: str, **more) -> DrainHostWorkflow:
        return DrainHostWorkflow(
            self.request, actor=self.actor, cloud=self.cloud, hosts=hosts, url=url, **more
        )

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
        if self._is_submitted and workflow.is_valid() and workflow.finalize():
            return self.requested(workflow.object)
        workflow.load_after_refusal()
        return self.render_to_response(context)

    def requested(self, found: Drain | Plan) -> HttpResponse:
        """Say what was requested, and lead to it."""
        if isinstance(found, Plan):
            messages.success(self.request, asked_for(list(store.drains_of_plan(found.pk))))
            return redirect(f"{PANEL}:plan", found.pk)
        messages.success(self.request, asked_for([found]))
        return redirect(f"{PANEL}:drain", found.pk)

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


class DrainHostsView(DrainHostView):
    """The workflow for the hosts that were selected, which the form itself names. Hosts are moved
    and removed in it; what was entered is kept."""

    title = gettext_lazy("Drain Hosts")

    def get_workflow(self) -> DrainHostWorkflow:
        return self._workflow(self._hosts())

    def _workflow(self, hosts: list[str]) -> DrainHostWorkflow:
        url = f"{reverse(f'{PANEL}:new_plan')}?{urlencode({REGION: self.cloud.region})}"
        moved = self._what.partition(":")[0] in ("up", "down", "remove")
        return self.workflow_for(
            hosts,
            url,
            selected=True,
            step=OptionsAction.slug if moved else InstancesAction.slug,
            is_submitted=self._is_submitted,
        )

    @property
    def _is_submitted(self) -> bool:
        return self._what == DRAIN or VALIDATE_FROM in self.request.META

    def _hosts(self) -> list[str]:
        sets = partial(services.host_sets, self.actor, self.cloud)
        return selected(self.request, self._what, sets)

    def get(self, request, *args, **kwargs):
        if not self._hosts():
            return self._nothing_selected()
        return uncached(super().get(request, *args, **kwargs))

    def post(self, request, *args, **kwargs):
        if not self._hosts():
            return self._nothing_selected()
        if self._is_submitted:
            return uncached(super().post(request, *args, **kwargs))
        context = self.get_context_data(**kwargs)
        workflow: DrainHostWorkflow = context["workflow"]
        workflow.load_after_refusal()
        if self._what == "remove_refused" and workflow.refused_hosts:
            refused = workflow.refused_hosts
            if not (rest := [host for host in workflow.hosts if host not in refused]):
                return self._nothing_selected()
            workflow = context["workflow"] = self._workflow(rest)
            context["page_title"] = workflow.name
            workflow.load_after_refusal()
        return uncached(self.render_to_response(context))

    def _nothing_selected(self) -> HttpResponse:
        index = reverse(f"{PANEL}:index")
        link = _("Select Hosts to Drain Together")
        return self.problem(Problem(_("No host is selected."), "", index, link), 200)

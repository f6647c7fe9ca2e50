"""The Drain Host workflow, as a modal and as a page of its own."""

from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from horizon import messages, workflows

from ukcloud_maintenance import store
from ukcloud_maintenance.core.actor import RULE_DRAIN
from ukcloud_maintenance.core.states import Method
from ukcloud_maintenance.store import Drain

from ..common.addresses import PANEL
from ..common.base import (
    PanelView,
)
from .drain_host import DrainHostWorkflow

#: how Horizon's script names the steps of a workflow that are to be checked
VALIDATE_FROM = "HTTP_X_HORIZON_VALIDATE_STEP_START"
VALIDATE_TO = "HTTP_X_HORIZON_VALIDATE_STEP_END"


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

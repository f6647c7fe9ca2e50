"""Whether a host may be switched off: its panel, its certificate, allocations left behind."""

from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from horizon import messages

from ukcloud_maintenance import release, services, store
from ukcloud_maintenance.core.actor import RULE_RESET
from ukcloud_maintenance.exceptions import CloudError, Refused, UnknownHost

from ..common import formats, labels
from ..common.addresses import PANEL, of_host
from ..common.base import PanelView, ScriptView, cloud_problem, problem_of, uncached
from ..common.checks import told
from . import certificate as certificate_page
from .panel import HostPanel


class HostPanelView(ScriptView):
    """The panel on safety and return of a host: 204 while nothing changed.

    Answered from the database alone; OpenStack is not asked.
    """

    def get(self, request, host):
        drain = request.GET.get("drain", "")
        on_drain = int(drain) if drain.isascii() and drain.isdecimal() and len(drain) < 19 else None
        panel = HostPanel(self.actor, self.region, host, on_drain=on_drain)
        if request.GET.get("seen") == panel.token:
            return HttpResponse(status=204)
        html = render_to_string(
            "admin/maintenance/hosts/_certificate.html", {"panel": panel}, request
        )
        return JsonResponse(
            {"token": panel.token, "html": html, "announcement": panel.announcement}
        )


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
            "written": formats.zoned_time(panel.found.now),
            "written_utc": panel.found.now,
            "drains": [
                (drain, formats.zoned_time(drain.finished_at)) for drain in panel.found.drains
            ],
            "version": release.version(),
        }
        return uncached(render(request, "admin/maintenance/hosts/certificate.html", context))


class CertificateFileView(ScriptView):
    """The certificate for programs and for the files."""

    def get(self, request, host):
        services.check_recorded(self.actor, self.region, host)
        found = services.certificate(self.actor, self.region, host)
        document = services.document_of(self.actor, found)
        answer = JsonResponse(document, json_dumps_params={"indent": 2})
        name = certificate_page.file_name(found)
        answer["Content-Disposition"] = f'attachment; filename="{name}"'
        return answer


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
        problem = problem_of(error)
        found: list = []
        try:
            found = services.host_allocations(self.actor, self.cloud, host)
        except CloudError as failure:
            if failure.status == 401:
                raise
            problem = problem or cloud_problem(failure)
        shown = self.dialog(
            "hosts/_allocations",
            [(host, of_host("host", host, self.region))],
            host=host,
            problem=problem,
            found=[(one, told(one.checks)) for one in found],
            in_maintenance=store.open_maintenance(self.region, host) is not None,
            submit_url=of_host("allocations", host, self.region),
        )
        return uncached(shown)

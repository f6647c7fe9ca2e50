"""The preflight without a drain."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ukcloud_maintenance import services

from ..common.addresses import of_host
from ..common.base import PanelPage, is_ajax, refused_problem
from .summary import Preflight


class CheckHostView(PanelPage):
    """The preflight without a drain, on a page or in a modal."""

    title = gettext_lazy("Preflight")

    def get_template_names(self):
        name = "_check.html" if is_ajax(self.request) else "check.html"
        return [f"admin/maintenance/preflight/{name}"]

    def crumbs(self):
        host = self.kwargs["host"]
        return [(host, of_host("host", host, self.region))]

    def get_context_data(self, **kwargs):
        host = self.kwargs["host"]
        plan = services.check_host(self.actor, self.cloud, host)
        modal = is_ajax(self.request)
        return super().get_context_data(
            **{
                "page_title": _("Preflight of host %(host)s") % {"host": host},
                "hide": modal,  # Horizon's word for "in a modal"
                "modal_backdrop": "true",
                "host": host,
                "problem": refused_problem(plan.refusal) if plan.refusal else None,
                "preflight": Preflight(plan, choose=False),
                **kwargs,
            }
        )

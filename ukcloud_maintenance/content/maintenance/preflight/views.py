"""The preflight without a drain."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ukcloud_maintenance import services
from ukcloud_maintenance.core.actor import RULE_DRAIN

from ..common.addresses import of_host
from ..common.base import PanelView, problem_of
from .summary import Preflight


class CheckHostView(PanelView):
    """The preflight without a drain, on a page or in a modal."""

    title = gettext_lazy("Preflight")

    def get(self, request, host):
        plan = services.check_host(self.actor, self.cloud, host)
        return self.dialog(
            "preflight/_check",
            [(host, of_host("host", host, self.region))],
            page_title=_("Preflight of host %(host)s") % {"host": host},
            modal_backdrop="true",
            host=host,
            region=self.region,
            may_drain=self.actor.may(RULE_DRAIN),
            problem=problem_of(plan.refusal),
            preflight=Preflight(plan, choose=False),
        )

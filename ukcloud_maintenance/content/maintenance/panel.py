"""Admin > Compute > Maintenance."""

import horizon
from django.utils.translation import gettext_lazy as _

from ukcloud_maintenance.core.actor import RULE_VIEW

from .common import session


class Maintenance(horizon.Panel):
    name = _("Maintenance")
    slug = "maintenance"
    permissions = ("openstack.services.compute",)
    policy_rules = ((session.SCOPE, RULE_VIEW),)

    def allowed(self, context):
        """Horizon allows a scope that has no policy; this panel does not."""
        return session.may(context["request"], RULE_VIEW)

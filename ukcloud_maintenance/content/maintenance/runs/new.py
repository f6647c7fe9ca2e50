"""A run is requested: the form, the review, and the request."""

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from horizon import messages

from ukcloud_maintenance import services
from ukcloud_maintenance.core.actor import RULE_ROLL
from ukcloud_maintenance.exceptions import CloudError, Refused

from ..common import formats
from ..common.addresses import PANEL, REGION
from ..common.base import PanelPage, Problem, uncached
from ..common.selection import selected
from .form import EXAMPLE, RunForm
from .review import Review

#: what the form is sent for, beside moving and removing hosts
REVIEW, REQUEST = "review", "request"


class NewRunView(PanelPage):
    """The form for the hosts that were selected, which it names itself; then what the run would do.
    Nothing is changed before the last press."""

    rule = RULE_ROLL
    http_method_names = ["get", "head", "post"]
    template_name = "admin/maintenance/runs/new.html"
    title = gettext_lazy("Rolling Maintenance")

    def crumbs(self):
        return [(_("Runs"), reverse(f"{PANEL}:runs"))]

    # -- hosts -----------------------------------------------------------------------------

    @cached_property
    def hosts(self) -> list[str]:
        return selected(self.request, self.what, lambda: self._sets)

    @cached_property
    def _sets(self):
        return services.host_sets(self.actor, self.cloud)

    def _aggregates(self) -> list[str]:
        """Those that some of these hosts are in; none where Nova does not tell."""
        try:
            found = self._sets.aggregates
        except CloudError as error:
            if error.status == 401:
                raise
            return []
        names = [name for name, hosts in found.items() if set(hosts) & set(self.hosts)]
        return sorted(names, key=formats.natural_key)

    # -- the form --------------------------------------------------------------------------

    @property
    def what(self) -> str:
        """Which button was pressed."""
        return self.request.POST.get("do", REVIEW)

    def _form(self, data=None) -> RunForm:
        return RunForm(
            data,
            actor=self.actor,
            choices=services.drain_choices(self.actor, self.region, rule=RULE_ROLL),
            run_choices=services.run_choices(self.actor),
            hosts=self.hosts,
            aggregates=self._aggregates(),
        )

    def _show(self, form: RunForm, review: Review | None = None) -> HttpResponse:
        n = len(self.hosts)
        title = ngettext(
            "Rolling Maintenance of %(n)s Host", "Rolling Maintenance of %(n)s Hosts", n
        )
        entered = [
            (name, value)
            for name, values in self.request.POST.lists()
            if name not in ("do", "csrfmiddlewaretoken")
            for value in values
        ]
        url = f"{reverse(f'{PANEL}:new_run')}?{urlencode({REGION: self.region})}"
        context = self.get_context_data(
            form=form,
            review=review,
            hosts=self.hosts,
            example=EXAMPLE,
            entered=entered,
            submit_url=url,
            zone_note="",
        )
        context["page_title"] = title % {"n": formats.number(n)}
        return uncached(self.render_to_response(context))

    def _nothing_selected(self) -> HttpResponse:
        index = reverse(f"{PANEL}:index")
        return self.problem(Problem(_("No host is selected."), "", index, _("Select Hosts")), 200)

    def get(self, request, *args, **kwargs):
        return self._show(self._form()) if self.hosts else self._nothing_selected()

    def post(self, request, *args, **kwargs):
        if not self.hosts:
            return self._nothing_selected()
        form = self._form(request.POST)
        if self.what not in (REVIEW, REQUEST):
            # Hosts are still being chosen: what was entered is kept, and not judged.
            form.errors.clear()
            return self._show(form)
        if not form.is_valid():
            return self._show(form)
        try:
            if self.what == REQUEST:
                run = services.request_run(self.actor, self.cloud, form.request())
                n = len(self.hosts)
                said = ngettext(
                    "The rolling maintenance of %(n)s host was requested.",
                    "The rolling maintenance of %(n)s hosts was requested.",
                    n,
                )
                messages.success(request, said % {"n": formats.number(n)})
                return redirect(f"{PANEL}:run", run.pk)
            preview = services.check_run(self.actor, self.cloud, form.request())
        except Refused as error:
            form.refuse(error)
            return self._show(form)
        return self._show(form, Review(preview, self.region))

"""Several hosts as one plan: its page, all of them."""

from collections import defaultdict

from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from horizon import messages
from horizon.utils.functions import get_page_size

from ukcloud_maintenance import services, store
from ukcloud_maintenance.core import steering
from ukcloud_maintenance.core.actor import (
    RULE_ABORT,
    RULE_CANCEL,
    RULE_DRAIN,
    RULE_RETURN,
    RULE_STEER,
    RULE_VIEW,
)
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.steering import DrainVerb
from ukcloud_maintenance.exceptions import Refused
from ukcloud_maintenance.services import PlanReport
from ukcloud_maintenance.store import Plan

from ..common import counted, fields, formats, listing, words
from ..common.addresses import PANEL
from ..common.base import PanelPage, PanelView, ScriptView
from ..common.elements import STEER_FORM
from ..common.worker import worker_warning
from ..drains.dialogs import ChangeForm, refusal_text
from . import overview as plan_page
from . import table


class HostSetsView(ScriptView):
    """The hosts by availability zone and aggregate, for the chooser of the hosts page."""

    rule = RULE_DRAIN

    def get(self, request):
        sets = services.host_sets(self.actor, self.cloud)
        found = {
            kind: [
                {"name": name, "hosts": sorted(hosts, key=formats.natural_key)}
                for name, hosts in sorted(by_name.items(), key=lambda one: one[0].casefold())
            ]
            for kind, by_name in (("zones", sets.zones), ("aggregates", sets.aggregates))
        }
        return JsonResponse(found)


class _OnePlan(PanelView):
    def plan_here(self, plan_id: int) -> Plan:
        """The plan, if it is one of the region that is chosen.

        :raises Refused: there is no such plan, or it belongs to another region
        """
        plan = services.get_plan(self.actor, plan_id)
        if plan.region != self.region:
            raise Refused(
                message("plan_of_other_region", plan=plan.pk, region=plan.region),
                code="unknown_plan",
            )
        return plan

    def report(self, plan_id: int) -> PlanReport:
        self.plan_here(plan_id)
        return services.plan_report(self.actor, plan_id)

    def watched(self, report: PlanReport, records: table.Records) -> dict[str, object]:
        """What its page begins with, and is kept up to date."""
        return {
            "token": table.token(report.drains, report.worker, records, report.now),
            "over": report.is_over,
            "announcement": plan_page.announcement(report),
            "parts": plan_page.parts(report, self.actor),
        }

    def ask(self, template: str, plan_id: int, **context) -> HttpResponse:
        return self.dialog(
            template,
            [(_("Plans"), reverse(f"{PANEL}:plans"))],
            cancel_url=reverse(f"{PANEL}:plan", args=[plan_id]),
            **context,
        )


class PlanView(PanelPage, _OnePlan):
    """One plan and its hosts, from the database alone."""

    template_name = "admin/maintenance/plans/plan.html"
    title = gettext_lazy("Plan")

    def crumbs(self):
        return [(_("Plans"), reverse(f"{PANEL}:plans"))]

    def get_context_data(self, **kwargs):
        report = self.report(self.kwargs["plan_id"])
        plan = report.plan
        records = table.records_of(self.actor, report.drains)
        return super().get_context_data(
            **{
                "page_title": _("Plan %(id)s") % {"id": plan.pk},
                "browser_title": plan_page.title(report),
                "plan": plan,
                **self.watched(report, records),
                "updates_url": reverse(f"{PANEL}:plan_updates", args=[plan.pk]),
                "columns": table.headers(),
                "rows": table.rows(report, records),
                "steer_form": STEER_FORM,
                **kwargs,
            }
        )


class PlanUpdatesView(_OnePlan, ScriptView):
    """What is new on a plan's page: 204 when nothing is, by two small queries; four more for the
    hosts whose drains are over."""

    def get(self, request, plan_id):
        drains = list(store.drains_of_plan(plan_id))
        records = table.records_of(self.actor, drains)
        if seen := request.GET.get("seen", ""):
            worker = services.worker_status(self.actor)
            if seen == table.token(drains, worker, records, store.now()):
                return HttpResponse(status=204)
        report = self.report(plan_id)
        return JsonResponse(
            {
                **self.watched(report, records),
                "title": plan_page.title(report),
                "now": report.now.isoformat(),
                "rows": [row.as_json() for row in table.rows(report, records)],
            }
        )


class SteerPlanView(_OnePlan):
    """Pause, resume or retry what can be of a plan's drains (POST)."""

    rule = RULE_STEER
    http_method_names = ["post"]

    def post(self, request, plan_id):
        self.plan_here(plan_id)
        verbs = {v.value: v for v in (DrainVerb.PAUSE, DrainVerb.RESUME, DrainVerb.RETRY)}
        verb = verbs.get(request.POST.get("verb", ""))
        if verb is None:
            raise Refused(message("verb_unknown"))
        carry_out(request, self.actor, plan_id, verb)
        return redirect(f"{PANEL}:plan", plan_id)


def carry_out(request, actor, plan_id: int, verb: DrainVerb, **options) -> None:
    """Do it, and tell the admin what became of it."""
    try:
        answers = services.steer_plan(actor, plan_id, verb, **options)
    except Refused as error:
        if error.field:
            raise  # said beside the field
        messages.error(request, words.said(error.said))
        return
    done = sum(not answer.why for answer in answers)
    texts = {
        DrainVerb.PAUSE: ngettext("%(n)s drain was paused.", "%(n)s drains were paused.", done),
        DrainVerb.RESUME: ngettext("%(n)s drain was resumed.", "%(n)s drains were resumed.", done),
        DrainVerb.RETRY: ngettext(
            "The failed instances of %(n)s drain are retried.",
            "The failed instances of %(n)s drains are retried.",
            done,
        ),
        DrainVerb.CHANGE: ngettext("%(n)s drain was changed.", "%(n)s drains were changed.", done),
        DrainVerb.CANCEL: ngettext(
            "%(n)s drain was cancelled or is being cancelled.",
            "%(n)s drains were cancelled or are being cancelled.",
            done,
        ),
    }
    messages.success(request, texts[verb] % {"n": formats.number(done)})
    for answer in answers:
        if answer.why and not answer.expected:
            messages.warning(request, f"{answer.drain.host}: {words.said(answer.why)}")


class ChangePlanView(_OnePlan):
    """The pace, the destinations, the window and the timeout of all open drains of a plan."""

    rule = RULE_STEER
    http_method_names = ["get", "head", "post"]
    title = gettext_lazy("Change Plan")

    def _form(self, plan_id: int, data=None) -> ChangeForm:
        still_open = [
            drain
            for drain in self.report(plan_id).drains
            if not steering.drain_objection(DrainVerb.CHANGE, drain)
        ]
        if not still_open:
            raise Refused(message("plan_over", plan=plan_id))
        choices = services.drain_choices(self.actor, self.region, rule=RULE_STEER)
        begun = any(drain.started_at is not None for drain in still_open)
        return ChangeForm(data, still_open[0], self.actor, choices, has_begun=begun)

    def _show(self, plan_id: int, form: ChangeForm) -> HttpResponse:
        return self.ask(
            "common/_form",
            plan_id,
            lead=_(
                "What you change here is changed for all drains of the plan that are still open."
                " The values shown are those of the first one."
            ),
            form=form,
            zone_note=fields.zone_note(),
            form_class="mnt-change",
            submit_url=reverse(f"{PANEL}:change_plan", args=[plan_id]),
        )

    def get(self, request, plan_id):
        return self._show(plan_id, self._form(plan_id))

    def post(self, request, plan_id):
        form = self._form(plan_id, request.POST)
        if not form.is_valid():
            return self._show(plan_id, form)
        if not form.changed_data:
            messages.info(request, _("Nothing was changed."))
            return redirect(f"{PANEL}:plan", plan_id)
        try:
            carry_out(request, self.actor, plan_id, DrainVerb.CHANGE, change=form.change())
        except Refused as error:
            form.add_error(error.field if error.field in form.fields else None, refusal_text(error))
            return self._show(plan_id, form)
        return redirect(f"{PANEL}:plan", plan_id)


class CancelPlanView(_OnePlan):
    """Ask how all drains of a plan are to be cancelled (GET), and cancel them (POST)."""

    rule = RULE_CANCEL
    http_method_names = ["get", "head", "post"]
    title = gettext_lazy("Cancel Plan")

    def get(self, request, plan_id):
        report = self.report(plan_id)
        if report.is_over:
            raise Refused(message("plan_over", plan=plan_id))
        still_open = [d for d in report.drains if d.finished_at is None]
        total = report.total
        return self.ask(
            "plans/_plan_cancel",
            plan_id,
            plan=report.plan,
            hosts=[drain.host for drain in still_open],
            in_progress=total.in_progress,
            waiting=total.waiting,
            left=total.left,
            disabled=[d.host for d in still_open if d.did_disable],
            may_abort=self.actor.may(RULE_ABORT),
            may_enable=self.actor.may(RULE_RETURN) is True
            or all(d.did_disable for d in still_open),
            submit_url=reverse(f"{PANEL}:cancel_plan", args=[plan_id]),
        )

    def post(self, request, plan_id):
        self.plan_here(plan_id)
        enable = {"enable": True, "leave": False}.get(request.POST.get("service", ""))
        abort = request.POST.get("in_progress") == "abort"
        carry_out(request, self.actor, plan_id, DrainVerb.CANCEL, abort=abort, enable=enable)
        return redirect(f"{PANEL}:plan", plan_id)


class PlansView(PanelPage):
    """All plans of the region, newest first."""

    rule = RULE_VIEW
    template_name = "admin/maintenance/plans/plans.html"
    title = gettext_lazy("Plans")

    def get_context_data(self, **kwargs):
        now = store.now()
        query = listing.Query.of(self.request.GET)
        shown = listing.Paged(query, store.plans(self.region), get_page_size(self.request))
        plans = list(shown.page)
        drains = defaultdict(list)
        for drain in store.drains(self.region).filter(plan__in=plans).order_by("plan_order", "id"):
            drains[drain.plan_id].append(drain)
        counts = store.counts(d.pk for found in drains.values() for d in found)
        worker = services.worker_status(self.actor)
        return super().get_context_data(
            tab="plans",
            listing=shown,
            rows=[PlanListRow(plan, drains[plan.pk], counts, worker, now) for plan in plans],
            worker=worker_warning(worker),
            **kwargs,
        )


class PlanListRow:
    """One plan as the list shows it."""

    def __init__(self, plan: Plan, drains: list[store.Drain], counts, worker, now):
        mine = {drain.pk: counts[drain.pk] for drain in drains}
        report = PlanReport(plan, drains, mine, worker, now)
        self.plan = plan
        self.url = reverse(f"{PANEL}:plan", args=[plan.pk])
        self.label = plan_page.plan_state(drains, report.total)
        self.names = formats.abbreviate(drain.host for drain in drains)
        self.number = formats.number(len(drains))
        self.pace = plan_page.at_a_time(plan, len(drains))
        self.share = counted.share(report.total)
        self.asked = formats.when(plan.created_at, now)
        self.finished = formats.when(plan_page.ended(report), now)

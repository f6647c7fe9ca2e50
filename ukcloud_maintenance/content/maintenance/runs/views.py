"""The page of a run, what is done with it, and all runs of the region."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

from django import forms
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from horizon import messages
from horizon.utils.functions import get_page_size

from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.actor import RULE_ROLL, RULE_VIEW
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.run.states import (
    RUN_OPEN,
    STAGES_IN_PROGRESS,
    HostVerb,
    RunVerb,
    Stage,
)
from ukcloud_maintenance.exceptions import Refused
from ukcloud_maintenance.services import RunReport
from ukcloud_maintenance.store import Run, RunCounts, RunHost

from ..common import formats, listing, words
from ..common.addresses import PANEL, of_host
from ..common.base import PanelPage, PanelView, ScriptView
from ..common.elements import STEER_FORM
from ..common.labels import needs_you
from ..common.worker import worker_warning
from . import events, labels, overview, table
from .needs import HOST_FORM

#: events on a page of the record
EVENTS_ON_PAGE = 100


class _OneRun(PanelView):
    def run_here(self, run_id: int) -> Run:
        """The run, if it is one of the region that is chosen.

        :raises Refused: there is no such run, or it belongs to another region
        """
        run = services.get_run(self.actor, run_id)
        if run.region != self.region:
            said = message("other_region", theirs=run.region, region=self.region)
            raise Refused(said, code="unknown_run")
        return run

    def report(self, run_id: int) -> RunReport:
        self.run_here(run_id)
        return services.run_report(self.actor, run_id)

    def shown(self, run_id: int) -> overview.Shown:
        self.run_here(run_id)
        return overview.shown(self.actor, run_id)

    def watched(self, one: overview.Shown) -> dict[str, object]:
        """What its page begins with, and is kept up to date."""
        return {
            "token": table.token(one),
            "over": one.report.is_over,
            "announcement": overview.announcement(one),
            "parts": overview.parts(one),
        }

    def crumbs_to(self, run_id: int) -> list[tuple[str, str]]:
        return [
            (_("Runs"), reverse(f"{PANEL}:runs")),
            (run_name(run_id), reverse(f"{PANEL}:run", args=[run_id])),
        ]


def run_name(run_id: int) -> str:
    return _("Run %(id)s") % {"id": run_id}


class RunView(PanelPage, _OneRun):
    """One run and its hosts, from the database alone."""

    template_name = "admin/maintenance/runs/run.html"
    title = gettext_lazy("Run")

    def crumbs(self):
        return [(_("Runs"), reverse(f"{PANEL}:runs"))]

    def get_context_data(self, **kwargs):
        one = self.shown(self.kwargs["run_id"])
        return super().get_context_data(
            **{
                "page_title": run_name(one.run.pk),
                "browser_title": overview.title(one),
                "run": one.run,
                **self.watched(one),
                "updates_url": reverse(f"{PANEL}:run_updates", args=[one.run.pk]),
                "columns": table.headers(),
                "rows": table.rows(one),
                "steer_form": STEER_FORM,
                "host_form": HOST_FORM,
                **kwargs,
            }
        )


class RunUpdatesView(_OneRun, ScriptView):
    """What is new on a run's page: 204 when nothing is, by a few small queries."""

    def get(self, request, run_id):
        if seen := request.GET.get("seen", ""):
            report = self.report(run_id)
            if seen == table.token_of(report, self.actor, report.worker):
                return HttpResponse(status=204)
        one = self.shown(run_id)
        return JsonResponse(
            {
                **self.watched(one),
                "title": overview.title(one),
                "now": one.report.now.isoformat(),
                "rows": [row.as_json() for row in table.rows(one)],
            }
        )


class RunRecordView(PanelPage, _OneRun):
    """All events of a run, the newest first."""

    template_name = "admin/maintenance/runs/record.html"
    title = gettext_lazy("Record of the Run")

    def crumbs(self):
        return self.crumbs_to(self.kwargs["run_id"])

    def get_context_data(self, **kwargs):
        run = self.run_here(self.kwargs["run_id"])
        newest = list(reversed(services.run_record(self.actor, run)))
        shown = listing.Paged(listing.Query.of(self.request.GET), newest, EVENTS_ON_PAGE)
        found = events.table(list(shown.page), store.now())
        return super().get_context_data(listing=shown, table=found, **kwargs)


# -- steering --------------------------------------------------------------------------------


@contextmanager
def told(request, done: str) -> Iterator[None]:
    """Tell the admin that it was done, or why it was refused."""
    try:
        yield
    except Refused as error:
        messages.error(request, words.said(error.said))
    else:
        messages.success(request, done)


class SteerRunView(_OneRun):
    """Pause or resume a run, or approve its next host (POST)."""

    rule = RULE_ROLL
    http_method_names = ["post"]

    def post(self, request, run_id):
        self.run_here(run_id)
        found = {v.value: v for v in (RunVerb.PAUSE, RunVerb.RESUME, RunVerb.APPROVE)}
        verb = found.get(request.POST.get("verb", ""))
        if verb is None:
            raise Refused(message("verb_unknown"))
        said = {
            RunVerb.PAUSE: _("Run paused: no further host begins, and no action starts."),
            RunVerb.RESUME: _("Run resumed."),
            RunVerb.APPROVE: _("The next host was approved."),
        }
        with told(request, said[verb]):
            services.steer_run(self.actor, run_id, verb)
        return redirect(f"{PANEL}:run", run_id)


def said_of_host(verb: HostVerb, host: str) -> str:
    return {
        HostVerb.DONE: _("Host %(host)s: maintenance done. It is returned to service next."),
        HostVerb.RETRY: _("Host %(host)s is tried again."),
        HostVerb.SKIP: _("Host %(host)s is left out of the run."),
    }[verb] % {"host": host}


class SteerRunHostView(_OneRun):
    """Say that a host is done, try it again, or leave it out (POST): the name of the button is the
    verb, and its value the host."""

    rule = RULE_ROLL
    http_method_names = ["post"]

    def post(self, request, run_id):
        self.run_here(run_id)
        verb = next((verb for verb in HostVerb if verb.value in request.POST), None)
        if verb is None:
            raise Refused(message("verb_unknown"))
        host = request.POST[verb.value]
        with told(request, said_of_host(verb, host)):
            services.steer_host(self.actor, run_id, host, verb)
        return redirect(f"{PANEL}:run", run_id)


class HostDoneView(PanelView):
    """Say that the maintenance of a host is done, from the pages of hosts (POST)."""

    rule = RULE_ROLL
    http_method_names = ["post"]

    def post(self, request, host):
        with told(request, said_of_host(HostVerb.DONE, host)):
            services.host_done(self.actor, self.region, host)
        if request.POST.get("back") == "host":
            return redirect(of_host("host", host, self.region))
        return redirect(f"{PANEL}:index")


class _Dialog(_OneRun):
    """A dialog of a run: asked (GET) and done (POST)."""

    rule = RULE_ROLL
    http_method_names = ["get", "head", "post"]
    name = ""
    template = ""
    verb: RunVerb

    def check(self, run_id: int) -> RunReport:
        """:raises Refused: it cannot be done now"""
        report = self.report(run_id)
        if (why := report.objection(self.verb)) is not None:
            raise Refused(why)
        return report

    def show(self, run_id: int, **context) -> HttpResponse:
        submit_url = reverse(f"{PANEL}:{self.name}", args=[run_id])
        crumbs = self.crumbs_to(run_id)
        return self.dialog(self.template, crumbs, run_id=run_id, submit_url=submit_url, **context)


def _names(hosts: Iterable[RunHost], stages: Collection[Stage]) -> str:
    """The hosts that are in one of these stages, by name."""
    return ", ".join(host.host for host in hosts if host.stage in stages)


class CancelRunView(_Dialog):
    name = "cancel_run"
    template = "runs/_cancel_run"
    verb = RunVerb.CANCEL
    title = gettext_lazy("Cancel Run")

    def get(self, request, run_id):
        hosts = self.check(run_id).hosts
        return self.show(
            run_id,
            waiting=[h.host for h in hosts if h.stage == Stage.WAITING],
            draining=_names(hosts, {Stage.DRAINING}),
            out=_names(hosts, STAGES_IN_PROGRESS - {Stage.DRAINING}),
            failed=_names(hosts, {Stage.FAILED}),
        )

    def post(self, request, run_id):
        self.run_here(run_id)
        with told(request, _("The run is being cancelled.")):
            services.steer_run(self.actor, run_id, RunVerb.CANCEL)
        return redirect(f"{PANEL}:run", run_id)


class AddHostsForm(forms.Form):
    """Hosts that join a run, by name."""

    hosts = forms.CharField(
        label=gettext_lazy("Hosts"),
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "autocomplete": "off"}),
        max_length=30_000,
        help_text=gettext_lazy(
            "Names of compute hosts, one in each line. They take their turns after the others."
        ),
        error_messages={"required": gettext_lazy("Name one host at least.")},
    )

    def __init__(self, data=None):
        super().__init__(data)
        self.fields["hosts"].widget.attrs["aria-describedby"] = "id_hosts_helptext id_hosts_error"

    def names(self) -> list[str]:
        lines = self.cleaned_data["hosts"].splitlines()
        return list(dict.fromkeys(line.strip() for line in lines if line.strip()))


class AddHostsView(_Dialog):
    name = "add_to_run"
    template = "common/_form"
    verb = RunVerb.ADD
    title = gettext_lazy("Add Hosts")

    def ask(self, run_id: int, form: AddHostsForm) -> HttpResponse:
        lead = _("They join run %(id)s with everything that was chosen for it.") % {"id": run_id}
        return self.show(run_id, form=form, lead=lead, form_class="mnt-run-add")

    def get(self, request, run_id):
        self.check(run_id)
        return self.ask(run_id, AddHostsForm())

    def post(self, request, run_id):
        self.run_here(run_id)
        form = AddHostsForm(request.POST)
        if not form.is_valid():
            return self.ask(run_id, form)
        names = form.names()
        try:
            services.add_to_run(self.actor, self.cloud, run_id, names)
        except Refused as error:
            form.add_error("hosts", words.said(error.said))
            return self.ask(run_id, form)
        said = ngettext("%(n)s host was added.", "%(n)s hosts were added.", len(names))
        messages.success(request, said % {"n": formats.number(len(names))})
        return redirect(f"{PANEL}:run", run_id)


# -- all of them -----------------------------------------------------------------------------


class RunsView(PanelPage):
    """All runs of the region, newest first."""

    rule = RULE_VIEW
    template_name = "admin/maintenance/runs/runs.html"
    title = gettext_lazy("Runs")

    def get_context_data(self, **kwargs):
        now = store.now()
        query = listing.Query.of(self.request.GET)
        found = services.list_runs(self.actor, self.region)
        shown = listing.Paged(query, found, get_page_size(self.request))
        runs = list(shown.page)
        counts = services.run_counts(self.actor, runs)
        places = services.run_places(self.actor, self.region).values()
        yours = Counter(place.run_id for place in places if services.is_yours(place))
        return super().get_context_data(
            tab="runs",
            listing=shown,
            rows=[RunListRow(run, counts[run.pk], yours[run.pk], now) for run in runs],
            may_roll=self.actor.may(RULE_ROLL) is True,
            worker=worker_warning(services.worker_status(self.actor)),
            **kwargs,
        )


class RunListRow:
    """One run as the list shows it."""

    def __init__(self, run: Run, counts: RunCounts, yours: int, now: datetime):
        self.run = run
        self.url = reverse(f"{PANEL}:run", args=[run.pk])
        self.is_open = run.state in RUN_OPEN
        needs = yours + counts[Stage.FAILED.value] if self.is_open else 0
        self.label = labels.run_state(run, needs)
        self.needs = needs_you(needs) if needs else ""
        self.done = _("%(done)s of %(total)s") % {
            "done": formats.number(counts[Stage.DONE.value]),
            "total": formats.number(counts.total),
        }
        n = counts[Stage.FAILED.value]
        self.failed = ngettext("%(n)s failed", "%(n)s failed", n) % {"n": formats.number(n)}
        self.has_failed = n > 0
        self.pace = labels.pace(run)
        self.action = labels.action_name(run.action)
        self.asked = formats.when(run.created_at, now)
        self.started = formats.when(counts.started_at, now)
        self.took = ""
        if counts.started_at is not None:
            self.took = formats.duration((run.finished_at or now) - counts.started_at)

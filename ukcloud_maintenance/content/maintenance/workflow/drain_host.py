"""The Drain Host workflow, for one host or several: the preflight, how to drain, what is about to
happen."""

from datetime import datetime, timedelta

from django import forms
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from horizon import workflows

from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.actor import Actor
from ukcloud_maintenance.core.copying.duration import Duration
from ukcloud_maintenance.exceptions import CloudError, Refused
from ukcloud_maintenance.services import DrainRequest, HostPreflight, PlanRequest

from ..common import fields, formats, timeouts, words
from ..common.fields import SCHEDULER
from ..preflight.several import SeveralHosts
from ..preflight.summary import MANY, Preflight
from ..preflight.words import MIB
from .entered import Entered
from .options import OptionsAction, OptionsStep


class InstancesAction(workflows.Action):
    class Meta:
        name = gettext_lazy("Preflight")
        slug = "instances"


class InstancesStep(workflows.Step):
    action_class = InstancesAction
    template_name = "admin/maintenance/workflow/_step_instances.html"


class ReviewAction(workflows.Action):
    class Meta:
        name = gettext_lazy("Review")
        slug = "review"


class ReviewStep(workflows.Step):
    action_class = ReviewAction
    template_name = "admin/maintenance/workflow/_step_review.html"


class DrainHostWorkflow(workflows.Workflow):
    """:param hosts: service.host of each, to the letter, each once, in their order; at least one
    :param url: where the form is sent to
    :param selected: whether the form says itself which hosts it is about; the address does so
        where not
    :param step: the step that is shown first, where nothing is wrong with another one
    :param is_submitted: whether what was entered is checked
    """

    slug = "drain_host"
    finalize_button_name = gettext_lazy("Drain Host")
    default_steps = (InstancesStep, OptionsStep, ReviewStep)
    wizard = True
    # AngularJS is to leave the form alone, see _base.html.
    attrs = {"class": "mnt-drain-form", "ng-non-bindable": True}

    def __init__(
        self,
        request,
        *,
        actor: Actor,
        cloud: services.Cloud,
        hosts: list[str],
        url: str,
        selected: bool = False,
        step: str = "",
        is_submitted: bool = True,
    ):
        self.actor = actor
        self.cloud = cloud
        self.hosts = hosts
        self.url = url
        self.selected = selected
        self.first_step = step
        n = len(hosts)
        if n > 1:
            words = ngettext("Drain %(n)s Host", "Drain %(n)s Hosts", n)
            self.name = words % {"n": formats.number(n)}
            self.finalize_button_name = self.name
        else:
            self.name = _("Drain Host %(host)s") % {"host": hosts[0]}
        self.choices = services.drain_choices(actor, cloud.region)
        #: what a drain of the one host would do
        self.plan: HostPreflight | None = None
        #: the same of several
        self.several: SeveralHosts | None = None
        #: names of which Nova knows no host
        self.unknown: list[str] = []
        self.entered = Entered.of(request.POST)
        #: why it was refused, where that is not about one field
        self.refusal = ""
        #: the same for what was chosen for an instance
        self.choices_error = ""
        super().__init__(request)
        self.options.is_submitted = is_submitted

    @property
    def is_several(self) -> bool:
        return len(self.hosts) > 1

    @property
    def host(self) -> str:
        return self.hosts[0]

    @property
    def region(self) -> str:
        return self.cloud.region

    def get_default_attrs(self) -> dict[str, str]:
        return {"data-selected": self.cloud.region} if self.selected else {}

    def get_absolute_url(self) -> str:
        return self.url

    def get_entry_point(self) -> str:
        if self.request.method == "GET":
            return InstancesAction.slug
        wrong = [step.slug for step in self.steps if step.has_errors]
        return wrong[0] if wrong else self.first_step or ReviewAction.slug

    # -- what is shown ---------------------------------------------------------------------

    def load(self) -> None:
        """Read what the drain would do.

        :raises Refused: the one host cannot be drained now, or they are too many
        :raises CloudError: it cannot be told
        """
        entered = self.entered.for_preflight(self.request.POST, self.choices.max_concurrent_ceiling)
        if not self.is_several:
            self.plan = services.preflight_host(self.actor, self.cloud, self.host, entered)
            self._offer(self.plan)
            return
        found = services.check_plan(
            self.actor,
            self.cloud,
            self.hosts,
            entered,
            hosts_at_once=self.options.at_once,
            skip_unknown=True,
        )
        self.unknown = found.unknown
        if found.hosts:
            self.several = SeveralHosts(found, self.entered.notes, self.destination)
            self._offer(found.hosts[0])

    def _offer(self, plan: HostPreflight) -> None:
        """Offer the destinations of a plan, with what Placement says is free there."""
        names = {service.host for service in plan.destinations} - set(self.hosts)
        offered = sorted(names, key=formats.natural_key)
        self.options.offer([(name, _with_room(plan, name)) for name in offered])

    def load_after_refusal(self) -> None:
        """The same, for a form that is shown again: it keeps what was entered in any case."""
        try:
            self.load()
        except Refused as error:
            self.refusal = self.refusal or _refusal_html(error)
        except CloudError as error:
            if error.status == 401:
                raise
            self.refusal = self.refusal or f"{words.said(error.cause)}."

    @property
    def options(self) -> OptionsAction:
        return self.get_step(OptionsAction.slug).action

    @cached_property
    def preflight(self) -> Preflight | None:
        """Of the one host, or of all together."""
        if self.several:
            return self.several.joint
        if not self.plan:
            return None
        return Preflight(self.plan, self.entered.notes, choose=True, destination=self.destination)

    @property
    def sparse(self) -> bool:
        """Whether no instance gets fields of its own: the script sends what is chosen as a list."""
        return self.preflight is not None and len(self.preflight.rows) > MANY

    @property
    def can_be_requested(self) -> bool:
        """Whether nothing is known already for which it would be refused. One host is not shown
        where it cannot be drained."""
        if not self.is_several:
            return True
        return bool(self.several and not self.several.refused and not self.unknown)

    @property
    def refused_hosts(self) -> list[str]:
        """Those that must go before the others can be drained."""
        refused = [one.host for one in self.several.refused] if self.several else []
        return [*self.unknown, *refused]

    @property
    def carried(self) -> str:
        """What was entered for instances that have no field of their own now."""
        rows = self.preflight.rows if self.preflight and not self.sparse else []
        return self.entered.listed({row.server.id for row in rows})

    @property
    def note_max(self) -> int:
        return services.NOTE_MAX

    @property
    def destination(self) -> str:
        """Where all go: one host, SCHEDULER, or empty: so that the hosts stay even."""
        return self.options["destination"].value() or ""

    @property
    def destination_text(self) -> str:
        return self.options.texts.get(self.destination, self.destination)

    @property
    def order_text(self) -> str:
        chosen = self.options["order"].value() or services.LARGEST_FIRST
        return str(dict(self.options.fields["order"].choices).get(chosen, chosen))

    @property
    def pace_text(self) -> str:
        """How many hosts at a time, in words."""
        return formats.at_a_time(self.options.at_once)

    def _time(self, name: str) -> datetime | None:
        """A time that was entered, as far as it makes sense."""
        if not self.options.is_bound:
            return None
        try:
            return self.options.fields[name].clean(self.options[name].data)
        except forms.ValidationError:
            return None

    @property
    def begins(self) -> str:
        """When it begins, in words."""
        start = self._time("start_at")
        return _("at %(time)s") % {"time": _local(start)} if start else _("at once")

    @property
    def ends(self) -> str:
        """When it stops to start something, in words."""
        stop = self._time("stop_at")
        return _local(stop) if stop else _("no end")

    @property
    def local_now(self) -> str:
        """Now on the user's clock, for the script: what it reckons with needs no time zone."""
        return timezone.localtime(store.now()).strftime(fields.LOCAL)

    @property
    def zone(self) -> str:
        return formats.zone(store.now())

    @property
    def timeout_text(self) -> str:
        chosen = self.options["timeout_action"].value() or self.choices.timeout_action
        return timeouts.timeout_action(chosen)

    @property
    def duration(self) -> Duration | None:
        return self.preflight.duration if self.preflight else None

    @property
    def expected_end(self) -> str:
        """When it ends by the preflight's estimate, in words; empty without one."""
        if not self.duration:
            return ""
        now = store.now()
        begin = self._time("start_at") or now
        seconds = (self.duration.seconds, self.duration.seconds_one_by_one)
        least, most = (formats.clock(begin + timedelta(seconds=n), now) for n in seconds)
        return formats.between(least, most)

    @property
    def fit(self) -> str:
        """Whether it will end in its window, by the preflight's estimate; empty without one."""
        stop, found = self._time("stop_at"), self.duration
        if stop is None or found is None:
            return ""
        begin = self._time("start_at") or store.now()
        window = (stop - begin).total_seconds()
        if window <= 0:
            return ""
        if found.seconds_one_by_one <= window:
            return _("According to the estimate, the drain fits into the window.")
        if found.seconds <= window:
            return _(
                "According to the estimate, the drain may not fit into the window: it fits only if"
                " Nova runs as many migrations at once as allowed."
            )
        return _(
            "According to the estimate, the drain does not fit into the window: the last"
            " instances would wait until somebody resumes it."
        )

    # -- what is done ----------------------------------------------------------------------

    def handle(self, request, context) -> bool:
        """Ask for the drain, or for the plan. False where it was refused; what was entered is
        kept."""
        destination = context["destination"] or ""
        by_scheduler = destination == SCHEDULER
        each = DrainRequest(
            self.host,
            context["reason"],
            context["max_concurrent"],
            "" if by_scheduler else destination,
            choices=self.entered.choices,
            notes=self.entered.notes,
            move_locked=context["move_locked"],
            follow_estimate=not by_scheduler,
            order=context["order"] or services.LARGEST_FIRST,
            start_at=context["start_at"],
            stop_at=context["stop_at"],
            timeout_action=context["timeout_action"] or None,
        )
        try:
            if self.is_several:
                plan = PlanRequest(tuple(self.hosts), each, self.options.at_once)
                self.object = services.request_plan(self.actor, self.cloud, plan)
            else:
                self.object = services.request_drain(self.actor, self.cloud, each)
        except Refused as error:
            self._refuse(error)
            return False
        except CloudError as error:
            if error.status == 401:
                raise
            self.refusal = f"{words.said(error.cause)}."
            return False
        return True

    def _refuse(self, error: Refused) -> None:
        if error.field in self.options.fields:
            self.options.add_error(error.field, words.said(error.said))
            self.get_step(OptionsAction.slug).has_errors = True
        elif error.field == "choices":
            self.choices_error = _refusal_html(error)
            self.get_step(InstancesAction.slug).has_errors = True
        else:
            self.refusal = _refusal_html(error)


def _local(at: datetime) -> str:
    """A time in full, on the user's clock."""
    return f"{formats.clock(at, store.now())} {formats.zone(at)}"


def _with_room(plan: HostPreflight, host: str) -> str:
    """A host with what Placement says is free there."""
    found = (plan.capacity or {}).get(host)
    if found is None:
        return host
    free = formats.size(max(0, found.free("MEMORY_MB")) * MIB)
    return _("%(host)s (%(size)s free)") % {"host": host, "size": free}


def _refusal_html(error: Refused) -> str:
    text = format_html(
        "<strong>{}</strong> {}", words.said(error.said, remedy=False), words.remedy(error.said)
    )
    if not error.drain_id:
        return text
    url = reverse("horizon:admin:maintenance:drain", args=[error.drain_id])
    return format_html('{} <a class="alert-link" href="{}">{}</a>', text, url, _("View Drain"))

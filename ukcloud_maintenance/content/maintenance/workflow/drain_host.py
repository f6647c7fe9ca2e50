"""The Drain Host workflow: the preflight, how to drain, what is about to happen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django import forms
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from horizon import workflows

from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.actor import Actor
from ukcloud_maintenance.core.preflight.verdicts import Choice
from ukcloud_maintenance.exceptions import CloudError, Refused
from ukcloud_maintenance.services import DrainPlan, DrainRequest, PlanChoices

from ..common import fields, formats, labels
from ..common.addresses import of_host
from ..common.fields import FOLLOW_PLAN
from ..preflight.words import MIB, Preflight

#: the fields of the first step: one of each for an instance, its id behind
CHOICE, NOTE = "choice-", "note-"


@dataclass(frozen=True)
class Entered:
    """What was chosen and noted for instances, by server id."""

    choices: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, posted: Mapping[str, str]) -> "Entered":
        def under(prefix: str) -> dict[str, str]:
            found = {n.removeprefix(prefix): v.strip() for n, v in posted.items()}
            return {k: v for k, v in found.items() if f"{prefix}{k}" in posted and v}

        return cls(under(CHOICE), under(NOTE))

    @property
    def known_choices(self) -> dict[str, str]:
        return {k: v for k, v in self.choices.items() if v in list(Choice)}

    @property
    def as_fields(self) -> list[tuple[str, str]]:
        return [(f"{CHOICE}{k}", v) for k, v in self.choices.items()] + [
            (f"{NOTE}{k}", v) for k, v in self.notes.items()
        ]


class _ShownAction(workflows.Action):
    """A step that shows something and asks for nothing."""


class InstancesAction(_ShownAction):
    class Meta:
        name = gettext_lazy("Preflight")
        slug = "instances"


class InstancesStep(workflows.Step):
    action_class = InstancesAction
    template_name = "admin/maintenance/_step_instances.html"


class OptionsAction(workflows.Action):
    reason = fields.reason_field()
    max_concurrent = forms.IntegerField(
        label=gettext_lazy("Migrations at once"),
        min_value=1,
        help_text=gettext_lazy(
            "Nova has a limit of its own for each host, often 1; what is above it waits in Nova's"
            " queue."
        ),
    )
    # The choices are those of the plan, which may have changed since the form was opened;
    # whether one can be taken is for the services to say.
    destination = forms.CharField(
        label=gettext_lazy("Destinations"),
        required=False,
        widget=forms.Select,
        help_text=gettext_lazy(
            "Nova checks every instance whatever is chosen. With the plan, each is asked to go to"
            " its host of the estimate first, and a refusal leaves it to the scheduler. One host"
            " for all may run full."
        ),
    )
    order = forms.ChoiceField(
        label=gettext_lazy("Order"),
        required=False,
        choices=fields.order_choices(),
        help_text=gettext_lazy(
            "Largest first keeps the drain short; smallest first frees many instances soon."
        ),
    )
    move_locked = fields.move_locked_field()
    start_at = fields.start_field()
    stop_at = fields.stop_field()
    timeout_action = fields.timeout_field()

    class Meta:
        name = gettext_lazy("Options")
        slug = "options"

    def __init__(self, request, context, *args, **kwargs):
        super().__init__(request, context, *args, **kwargs)
        choices: services.DrainChoices = context["choices"]
        timeout = self.fields["timeout_action"]
        timeout.initial = choices.timeout_action
        fields.offer_timeouts(timeout, context["actor"], choices, choices.timeout_action)
        limit = self.fields["max_concurrent"]
        limit.initial = choices.max_concurrent
        too_many = _("At most %(n)s may run at once.")
        fields.at_most(limit, choices.max_concurrent_ceiling, too_many)
        self.offer([], with_plan=True)

    def offer(self, hosts: list[tuple[str, str]], *, with_plan: bool) -> None:
        """Set what to choose from. What was chosen before stays to be seen.

        :param hosts: name and text of each
        """
        chosen = (self.data.get("destination") or "") if self.is_bound else ""
        offered = fields.destination_choices(hosts, chosen, with_plan=with_plan)
        self.fields["destination"].widget.choices = offered

    def clean(self):
        cleaned = super().clean()
        fields.check_window(self)
        return cleaned

    @property
    def zone_note(self) -> str:
        return fields.zone_note()

    @property
    def timeout_words(self) -> dict[str, str]:
        """What becomes of a copy that takes too long, by what is chosen."""
        return {
            value: labels.timeout_action(value)
            for value, _text in self.fields["timeout_action"].choices
        }

    @property
    def texts(self) -> dict[str, str]:
        """The texts of the destinations."""
        found: dict[str, str] = {}
        for value, text in self.fields["destination"].widget.choices:
            found |= dict(text) if isinstance(text, list) else {value: text}
        return found


class OptionsStep(workflows.Step):
    action_class = OptionsAction
    template_name = "admin/maintenance/_step_options.html"
    contributes = (
        "reason",
        "max_concurrent",
        "destination",
        "order",
        "move_locked",
        "start_at",
        "stop_at",
        "timeout_action",
    )

    def prepare_action_context(self, request, context):
        return {**context, "choices": self.workflow.choices, "actor": self.workflow.actor}


class ReviewAction(_ShownAction):
    class Meta:
        name = gettext_lazy("Review")
        slug = "review"


class ReviewStep(workflows.Step):
    action_class = ReviewAction
    template_name = "admin/maintenance/_step_review.html"


class DrainHostWorkflow(workflows.Workflow):
    """:param host: service.host, to the letter"""

    slug = "drain_host"
    finalize_button_name = gettext_lazy("Drain Host")
    default_steps = (InstancesStep, OptionsStep, ReviewStep)
    wizard = True
    # AngularJS is to leave the form alone, see _base.html.
    attrs = {"class": "mnt-drain-form", "ng-non-bindable": True}

    def __init__(self, request, *, actor: Actor, cloud: services.Cloud, host: str):
        self.actor = actor
        self.cloud = cloud
        self.host = host
        self.name = _("Drain Host %(host)s") % {"host": host}
        self.choices = services.drain_choices(actor, cloud.region)
        self.plan: DrainPlan | None = None
        self.entered = Entered.of(request.POST)
        #: why it was refused, where that is not about one field
        self.refusal = ""
        #: the same for what was chosen for an instance
        self.choices_error = ""
        super().__init__(request)

    def get_absolute_url(self) -> str:
        """Where the form is sent to: the same page, of the region that it was read of."""
        return of_host("drain_host", self.host, self.cloud.region)

    def get_entry_point(self) -> str:
        if self.request.method == "GET":
            return InstancesAction.slug
        wrong = [step.slug for step in self.steps if step.has_errors]
        return wrong[0] if wrong else ReviewAction.slug

    # -- what is shown ---------------------------------------------------------------------

    def load(self) -> None:
        """Read what the drain would do.

        :raises Refused: it cannot be drained now
        :raises CloudError: it cannot be told
        """
        self.plan = services.plan_drain(self.actor, self.cloud, self.host, self._plan_choices())
        plan = self.plan
        names = sorted((s.host for s in plan.destinations), key=formats.natural_key)
        self.options.offer([(n, _with_room(plan, n)) for n in names], with_plan=bool(plan.packing))

    def _plan_choices(self) -> PlanChoices:
        """What was entered so far, as far as it makes sense."""
        posted = self.request.POST
        if not posted:
            return PlanChoices()
        destination = posted.get("destination", "").strip()
        entered = posted.get("max_concurrent", "").strip()
        at_once = int(entered) if entered.isdecimal() and len(entered) < 5 else 0
        known = 1 <= at_once <= self.choices.max_concurrent_ceiling
        return PlanChoices(
            self.entered.known_choices,
            move_locked="move_locked" in posted,
            max_concurrent=at_once if known else None,
            destination="" if destination == FOLLOW_PLAN else destination,
        )

    def load_after_refusal(self) -> None:
        """The same, for a form that is shown again: it keeps what was entered in any case."""
        try:
            self.load()
        except Refused as error:
            self.refusal = self.refusal or _refusal_html(error)
        except CloudError as error:
            self.refusal = self.refusal or f"{labels.said(str(error))}."

    @property
    def options(self) -> OptionsAction:
        return self.get_step(OptionsAction.slug).action

    @cached_property
    def preflight(self) -> Preflight | None:
        return Preflight(self.plan, self.entered.notes, choose=True) if self.plan else None

    @property
    def carried(self) -> list[tuple[str, str]]:
        """What was entered for instances that cannot be shown now."""
        return self.entered.as_fields

    @property
    def note_max(self) -> int:
        return services.NOTE_MAX

    @property
    def destination_text(self) -> str:
        chosen = self.options["destination"].value() or ""
        return self.options.texts.get(chosen, chosen)

    @property
    def order_text(self) -> str:
        chosen = self.options["order"].value() or services.LARGEST_FIRST
        return str(dict(self.options.fields["order"].choices).get(chosen, chosen))

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
        return _local(stop) if stop else _("no end is set")

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
        return labels.timeout_action(chosen)

    @property
    def fit(self) -> str:
        """Whether it will end in its window, by the preflight's estimate; empty without one."""
        stop, found = self._time("stop_at"), self.plan.duration if self.plan else None
        if stop is None or found is None:
            return ""
        begin = self._time("start_at") or store.now()
        window = (stop - begin).total_seconds()
        if window <= 0:
            return ""
        if found.seconds_one_by_one <= window:
            return self.fit_words["fits"]
        return self.fit_words["may" if found.seconds <= window else "not"]

    @property
    def fit_words(self) -> dict[str, str]:
        """What is said of the window, by how the estimate fits into it."""
        return {
            "fits": _("By the estimate it will fit into the window."),
            "may": _(
                "By the estimate it may not fit into the window: it does only where Nova runs as"
                " many at once as are allowed."
            ),
            "not": _(
                "By the estimate it will not fit into the window: the last ones would wait until"
                " somebody resumes the drain."
            ),
        }

    # -- what is done ----------------------------------------------------------------------

    def handle(self, request, context) -> bool:
        """Ask for the drain. False where it was refused; what was entered is kept."""
        destination = context["destination"] or ""
        follow_plan = destination == FOLLOW_PLAN
        asked = DrainRequest(
            self.host,
            context["reason"],
            context["max_concurrent"],
            "" if follow_plan else destination,
            choices=self.entered.choices,
            notes=self.entered.notes,
            move_locked=context["move_locked"],
            follow_plan=follow_plan,
            order=context["order"] or services.LARGEST_FIRST,
            start_at=context["start_at"],
            stop_at=context["stop_at"],
            timeout_action=context["timeout_action"] or None,
        )
        try:
            self.object = services.request_drain(self.actor, self.cloud, asked)
        except Refused as error:
            self._refuse(error)
            return False
        except CloudError as error:
            if error.status == 401:
                raise
            self.refusal = f"{labels.said(str(error))}."
            return False
        return True

    def _refuse(self, error: Refused) -> None:
        if error.field in self.options.fields:
            self.options.add_error(error.field, labels.said(str(error)))
            self.get_step(OptionsAction.slug).has_errors = True
        elif error.field == "choices":
            self.choices_error = _refusal_html(error)
            self.get_step(InstancesAction.slug).has_errors = True
        else:
            self.refusal = _refusal_html(error)


def _local(at: datetime) -> str:
    """A time in full, on the user's clock."""
    return f"{formats.clock(at, store.now())} {formats.zone(at)}"


def _with_room(plan: DrainPlan, host: str) -> str:
    """A host with what Placement says is free there."""
    found = (plan.capacity or {}).get(host)
    if found is None:
        return host
    free = formats.size(max(0, found.free("MEMORY_MB")) * MIB)
    return _("%(host)s (%(size)s free)") % {"host": host, "size": free}


def _refusal_html(error: Refused) -> str:
    text = format_html(
        "<strong>{}</strong> {}", labels.said(error.message), labels.said(error.remedy)
    )
    if not error.drain_id:
        return text
    url = reverse("horizon:admin:maintenance:drain", args=[error.drain_id])
    return format_html('{} <a href="{}">{}</a>', text, url, _("View drain"))

"""The Drain Host workflow: what is on the host, how to drain it, what is about to happen."""

from django import forms
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from horizon import workflows

from ukcloud_maintenance import services
from ukcloud_maintenance.core.actor import Actor
from ukcloud_maintenance.core.preflight import Kind
from ukcloud_maintenance.exceptions import CloudError, Refused
from ukcloud_maintenance.services import DrainPlan, DrainRequest, Planned

from . import formats, labels
from .labels import Label


def what_will_happen(planned: Planned) -> Label:
    kind = planned.verdict.kind
    if kind is Kind.LIVE:
        return Label(_("Live-migrate"), "success", "arrow-right", _("It moves while it runs."))
    if kind is Kind.BLOCKED:
        return Label(
            _("Blocked now"),
            "warning",
            "hand",
            _("It is looked at again while the drain runs."),
        )
    return Label(_("Stays"), "default", "anchor", _("It stays on this host."))


def summary(plan: DrainPlan) -> str:
    """What will happen to the instances, in words and numbers."""
    live, stays, blocked = (len(plan.of_kind(k)) for k in (Kind.LIVE, Kind.STAYS, Kind.BLOCKED))
    if not plan.planned:
        return _("There is no instance on this host.")
    said = []
    if live:
        said.append(
            ngettext(
                "%(n)s instance (%(memory)s) will be live-migrated",
                "%(n)s instances (%(memory)s) will be live-migrated",
                live,
            )
            % {"n": live, "memory": formats.size(plan.memory_bytes)}
        )
    if stays:
        said.append(ngettext("%(n)s stays", "%(n)s stay", stays) % {"n": stays})
    if blocked:
        said.append(
            ngettext("%(n)s is blocked now", "%(n)s are blocked now", blocked) % {"n": blocked}
        )
    return ", ".join(said) + "."


class _ShownAction(workflows.Action):
    """A step that shows something and asks for nothing."""


class InstancesAction(_ShownAction):
    class Meta:
        name = gettext_lazy("Instances")
        slug = "instances"


class InstancesStep(workflows.Step):
    action_class = InstancesAction
    template_name = "admin/maintenance/_step_instances.html"


class OptionsAction(workflows.Action):
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=services.REASON_MAX,
        help_text=gettext_lazy(
            "Everybody who may see compute services sees it, as the service's disabled reason."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={
            "required": gettext_lazy(
                "A reason is needed: it becomes the service's disabled reason."
            ),
            "max_length": gettext_lazy(
                "The reason is %(show_value)s characters long; Nova takes at most %(limit_value)s."
            ),
        },
    )
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
        label=gettext_lazy("Destination"),
        required=False,
        widget=forms.Select,
        help_text=gettext_lazy(
            "One host for all instances is checked by Nova for each of them, and may run full."
        ),
    )

    class Meta:
        name = gettext_lazy("Options")
        slug = "options"

    def __init__(self, request, context, *args, **kwargs):
        super().__init__(request, context, *args, **kwargs)
        choices: services.DrainChoices = context["choices"]
        limit = self.fields["max_concurrent"]
        limit.initial = choices.max_concurrent
        limit.max_value = choices.max_concurrent_ceiling
        limit.validators.append(_at_most(choices.max_concurrent_ceiling))
        limit.widget.attrs["max"] = choices.max_concurrent_ceiling
        self.offer([])

    def offer(self, destinations: list[str]) -> None:
        """Set the hosts to choose from. What was chosen before stays to be seen."""
        chosen = (self.data.get("destination") or "") if self.is_bound else ""
        if chosen and chosen not in destinations:
            destinations = [*destinations, chosen]
        self.fields["destination"].widget.choices = [
            ("", _("Chosen by the scheduler, for each instance")),
            *((name, name) for name in destinations),
        ]


def _at_most(ceiling: int):
    def check(value: int) -> None:
        if value > ceiling:
            raise forms.ValidationError(_("At most %(n)s may run at once.") % {"n": ceiling})

    return check


class OptionsStep(workflows.Step):
    action_class = OptionsAction
    template_name = "admin/maintenance/_step_options.html"
    contributes = ("reason", "max_concurrent", "destination")

    def prepare_action_context(self, request, context):
        return {**context, "choices": self.workflow.choices}


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
    attrs = {"class": "mnt-drain-form"}

    def __init__(self, request, *, actor: Actor, cloud: services.Cloud, host: str):
        self.actor = actor
        self.cloud = cloud
        self.host = host
        self.name = _("Drain Host %(host)s") % {"host": host}
        self.choices = services.drain_choices(actor, cloud.region)
        self.plan: DrainPlan | None = None
        #: why it was refused, where that is not about one field
        self.refusal = ""
        super().__init__(request)

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
        self.plan = services.plan_drain(self.actor, self.cloud, self.host)
        names = sorted((s.host for s in self.plan.destinations), key=formats.natural_key)
        self.options.offer(names)

    def load_after_refusal(self) -> None:
        """The same, for a form that is shown again: it keeps what was entered in any case."""
        try:
            self.load()
        except Refused as error:
            self.refusal = self.refusal or _refusal_html(error)
        except CloudError as error:
            self.refusal = self.refusal or f"{error}."

    @property
    def options(self) -> OptionsAction:
        return self.get_step(OptionsAction.slug).action

    @cached_property
    def instances(self) -> list[dict]:
        """The rows of the first step: those that need a look first."""
        order = {Kind.BLOCKED: 0, Kind.STAYS: 1, Kind.LIVE: 2}
        planned = sorted(
            self.plan.planned if self.plan else [],
            key=lambda p: (order[p.verdict.kind], formats.natural_key(p.server.name)),
        )
        return [
            {
                "server": p.server,
                "project": p.project_name or p.server.project_id,
                "memory": formats.size(p.server.memory_bytes),
                "label": what_will_happen(p),
                "reason": labels.said(p.verdict.reason),
                "remedy": labels.said(p.verdict.remedy),
            }
            for p in planned
        ]

    @property
    def summary(self) -> str:
        return summary(self.plan) if self.plan else ""

    @property
    def live(self) -> str:
        """How many will be live-migrated, in words; empty where none will."""
        number = len(self.plan.of_kind(Kind.LIVE)) if self.plan else 0
        if not self.plan or not number:
            return ""
        return ngettext(
            "%(n)s instance (%(memory)s) will be live-migrated.",
            "%(n)s instances (%(memory)s) will be live-migrated.",
            number,
        ) % {"n": number, "memory": formats.size(self.plan.memory_bytes)}

    @property
    def staying(self) -> list[Planned]:
        return self._of_kind(Kind.STAYS)

    @property
    def blocked(self) -> list[Planned]:
        return self._of_kind(Kind.BLOCKED)

    def _of_kind(self, kind: Kind) -> list[Planned]:
        found = self.plan.of_kind(kind) if self.plan else []
        return sorted(found, key=lambda p: formats.natural_key(p.server.name))

    # -- what is done ----------------------------------------------------------------------

    def handle(self, request, context) -> bool:
        """Ask for the drain. False where it was refused; what was entered is kept."""
        asked = DrainRequest(
            self.host, context["reason"], context["max_concurrent"], context["destination"] or ""
        )
        try:
            self.object = services.request_drain(self.actor, self.cloud, asked)
        except Refused as error:
            self._refuse(error)
            return False
        except CloudError as error:
            if error.status == 401:
                raise
            self.refusal = f"{error}."
            return False
        return True

    def _refuse(self, error: Refused) -> None:
        if error.field in self.options.fields:
            self.options.add_error(error.field, str(error))
            self.get_step(OptionsAction.slug).has_errors = True
        else:
            self.refusal = _refusal_html(error)


def _refusal_html(error: Refused) -> str:
    text = format_html("<strong>{}</strong> {}", error.message, error.remedy)
    if not error.drain_id:
        return text
    url = reverse("horizon:admin:maintenance:drain", args=[error.drain_id])
    return format_html('{} <a href="{}">{}</a>', text, url, _("View drain"))

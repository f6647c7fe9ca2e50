"""The Options step of the Drain Host workflow: how one host is drained, or several alike."""

from django import forms
from django.forms.utils import ErrorDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from horizon import workflows

from ukcloud_maintenance import services

from ..common import fields, formats, timeouts

#: how many hosts are emptied at a time
ONE, ALL, SOME = "1", "0", "n"
#: what is requested with several hosts alone
OF_SEVERAL = ("pace", "hosts_at_once")


class OptionsAction(workflows.Action):
    """:param context: `choices` (what may be chosen), `actor`, and `several`: whether it is about
    more than one host
    """

    reason = fields.reason_field()
    pace = forms.ChoiceField(
        label=gettext_lazy("Hosts"),
        choices=[
            (ONE, gettext_lazy("One after another")),
            (ALL, gettext_lazy("All at once")),
            (SOME, gettext_lazy("Some at a time:")),
        ],
        initial=ONE,
        widget=forms.RadioSelect,
        help_text=gettext_lazy(
            "In any case, the services of all hosts are disabled first, so that no instance moves"
            " twice."
        ),
    )
    hosts_at_once = forms.IntegerField(
        label=gettext_lazy("Hosts at a time"), min_value=1, required=False, initial=2
    )
    max_concurrent = fields.max_concurrent_field()
    # The choices are those of the preflight, which may have changed since the form was opened;
    # whether one can be taken is for the services to say.
    destination = forms.CharField(
        label=gettext_lazy("Destinations"),
        required=False,
        widget=forms.Select,
        help_text=gettext_lazy(
            "Nova checks every instance in any case. To keep the hosts even, each instance is sent"
            " to the host that is least full with it; if Nova refuses that host, the scheduler"
            " chooses another. One host for all instances may run out of capacity."
        ),
    )
    order = forms.ChoiceField(
        label=gettext_lazy("Order"),
        required=False,
        choices=fields.order_choices(),
        help_text=gettext_lazy(
            "Largest first keeps the drain short; smallest first moves many instances early."
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
        #: whether what was entered is to be checked: not while the hosts are still being chosen
        self.is_submitted = True
        self.several: bool = context["several"]
        if self.several:
            self._for_several(choices)
        else:
            for name in OF_SEVERAL:
                del self.fields[name]
        timeout = self.fields["timeout_action"]
        timeout.initial = choices.timeout_action
        fields.offer_timeouts(timeout, context["actor"], choices, choices.timeout_action)
        fields.offer_max_concurrent(self.fields["max_concurrent"], choices)
        self.offer([])
        fields.describe(self)

    def _for_several(self, choices: services.DrainChoices) -> None:
        limit = self.fields["max_concurrent"]
        limit.label = _("Migrations at once, for each host")
        ceiling = ngettext(
            "Nova has its own limit for each host, often 1. All drains of the region together run"
            " at most %(region)s at once, and at most %(destination)s to one host.",
            "Nova has its own limit for each host, often 1. All drains of the region together run"
            " at most %(region)s at once, and at most %(destination)s to one host.",
            choices.max_in_region,
        )
        limit.help_text = ceiling % {
            "region": formats.number(choices.max_in_region),
            "destination": formats.number(choices.max_per_destination),
        }
        self.fields["order"].label = _("Order of the instances")
        some = self.fields["hosts_at_once"]
        fields.at_most(some, choices.max_hosts)
        some.widget.attrs |= {"class": "form-control input-sm", "aria-label": some.label}

    def offer(self, hosts: list[tuple[str, str]]) -> None:
        """Set what to choose from. What was chosen before stays to be seen.

        :param hosts: name and text of each
        """
        chosen = (self.data.get("destination") or "") if self.is_bound else ""
        offered = fields.destination_choices(hosts, chosen)
        self.fields["destination"].widget.choices = offered

    @property
    def errors(self) -> ErrorDict:
        return super().errors if self.is_submitted else ErrorDict()

    def clean(self):
        cleaned = super().clean()
        fields.check_window(self)
        missing = cleaned.get("hosts_at_once") is None and not self.has_error("hosts_at_once")
        if cleaned.get("pace") == SOME and missing:
            self.add_error("hosts_at_once", _("Enter the number of hosts at a time."))
        return cleaned

    @property
    def at_once(self) -> int:
        """Hosts at a time, as far as entered; 0: all."""
        if not self.several:
            return 1
        pace = self["pace"].value()
        if pace != SOME:
            return 0 if pace == ALL else 1
        entered = str(self["hosts_at_once"].value() or "")
        return int(entered) if entered.isdecimal() and len(entered) < 4 else 1

    @property
    def zone_note(self) -> str:
        return fields.zone_note()

    @property
    def timeout_words(self) -> dict[str, str]:
        """What becomes of a copy that takes too long, by what is chosen."""
        return {
            value: timeouts.timeout_action(value)
            for value, _text in self.fields["timeout_action"].choices
        }

    @property
    def texts(self) -> dict[str, str]:
        """The texts of the destinations."""
        found: dict[str, str] = {}
        for value, text in self.fields["destination"].widget.choices:
            found |= dict(text) if isinstance(text, list) else {value: str(text)}
        return found


class OptionsStep(workflows.Step):
    action_class = OptionsAction
    template_name = "admin/maintenance/workflow/_step_options.html"
    contributes = (
        "reason",
        "pace",
        "hosts_at_once",
        "max_concurrent",
        "destination",
        "order",
        "move_locked",
        "start_at",
        "stop_at",
        "timeout_action",
    )

    def prepare_action_context(self, request, context):
        workflow = self.workflow
        several = len(workflow.hosts) > 1
        return {
            **context,
            "choices": workflow.choices,
            "actor": workflow.actor,
            "several": several,
        }

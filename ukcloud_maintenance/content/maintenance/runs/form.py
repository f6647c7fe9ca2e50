"""The form of a run that is requested."""

from collections.abc import Sequence

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ukcloud_maintenance import services
from ukcloud_maintenance.core.actor import Actor
from ukcloud_maintenance.core.run.domains import DomainKind
from ukcloud_maintenance.core.run.order import Order
from ukcloud_maintenance.core.run.states import Approval, OnFailure
from ukcloud_maintenance.core.run.windows import LENGTH, WindowError, parse_all
from ukcloud_maintenance.exceptions import Refused

from ..common import fields, words
from . import labels

#: How a window is written.
EXAMPLE = "Mon-Fri 22:00-04:00 Europe/London"
#: The most windows of one run; more are a mistake.
WINDOWS_MAX = 50


class WindowsField(forms.CharField):
    """Windows, a line each; a list of texts."""

    widget = forms.Textarea

    def clean(self, value) -> list[str]:
        text = super().clean(value)
        found = [line.strip() for line in text.replace(";", "\n").splitlines() if line.strip()]
        if len(found) > WINDOWS_MAX:
            raise forms.ValidationError(_("At most %(n)s windows.") % {"n": WINDOWS_MAX})
        try:
            return [str(window) for window in parse_all(found).windows]
        except WindowError as error:
            raise forms.ValidationError(words.said(error.said)) from error


class Named(forms.MultipleChoiceField):
    """Aggregates by name. Whether there is one of a name is for the services to say."""

    widget = forms.CheckboxSelectMultiple

    def valid_value(self, value) -> bool:
        return True


class RunForm(forms.Form):
    """:param hosts: in the order of the hand; what is chosen is the same for all of them
    :param aggregates: the ones that some of these hosts are in, by name
    """

    reason = fields.reason_field()
    action = forms.ChoiceField(
        label=gettext_lazy("Maintenance action"),
        required=False,
        help_text=gettext_lazy(
            "What is done with each host once it is empty and safe to power off. By hand, the run"
            " waits until somebody presses Maintenance Done."
        ),
    )
    order = forms.ChoiceField(
        label=gettext_lazy("Order"), widget=forms.RadioSelect, initial=Order.BY_HAND.value
    )
    at_once = forms.IntegerField(
        label=gettext_lazy("Hosts at a time"),
        min_value=1,
        initial=1,
        help_text=gettext_lazy(
            "How many hosts may be out of service at a time; there must be room elsewhere for all"
            " that runs on them."
        ),
    )
    domain = forms.ChoiceField(
        label=gettext_lazy("Failure domain"),
        widget=forms.RadioSelect,
        initial=DomainKind.ZONE.value,
        help_text=gettext_lazy(
            "Only hosts of the same failure domain are out of service together, unless fewer of one"
            " may be than at a time."
        ),
    )
    aggregates = Named(label=gettext_lazy("These aggregates"), required=False)
    per_domain = forms.IntegerField(
        label=gettext_lazy("Hosts of one failure domain at a time"),
        min_value=1,
        required=False,
        help_text=gettext_lazy(
            "Leave empty for as many as are out at a time. With fewer, hosts of several failure"
            " domains are out together."
        ),
    )
    windows = WindowsField(
        label=gettext_lazy("Windows"),
        required=False,
        strip=False,
        max_length=LENGTH * WINDOWS_MAX,
        help_text=gettext_lazy(
            "One in each line: days, hours, time zone. A host begins only if it is forecast to be"
            " back in service before the window ends. Leave empty for any time. For example:"
        ),
    )
    on_failure = forms.ChoiceField(
        label=gettext_lazy("If a host fails"),
        widget=forms.RadioSelect,
        initial=OnFailure.STOP.value,
        help_text=gettext_lazy(
            "A host that failed stays out of service, and is listed under Needs you."
        ),
    )
    failures = forms.IntegerField(
        label=gettext_lazy("Failed hosts at most"), min_value=0, required=False, initial=1
    )
    approval = forms.ChoiceField(
        label=gettext_lazy("Approval"),
        widget=forms.RadioSelect,
        initial=Approval.NONE.value,
        help_text=gettext_lazy("The run waits until somebody presses Approve."),
    )
    bring_back = forms.BooleanField(
        label=gettext_lazy("Bring the instances of each host back"),
        required=False,
        help_text=gettext_lazy("Each instance then moves at least twice."),
    )
    max_concurrent = fields.max_concurrent_field()
    move_locked = fields.move_locked_field()
    timeout_action = fields.timeout_field()

    def __init__(
        self,
        data=None,
        *,
        actor: Actor,
        choices: services.DrainChoices,
        run_choices: services.RunChoices,
        hosts: Sequence[str],
        aggregates: Sequence[str] = (),
    ):
        super().__init__(data)
        self.hosts = list(hosts)
        found = self.fields
        actions = [(name, name) for name in run_choices.actions]
        found["action"].choices = [("", _("By hand")), *actions]
        found["order"].choices = labels.order_choices()
        found["domain"].choices = labels.domain_choices()
        asked = self.data.getlist("aggregates") if self.is_bound else []
        names = list(dict.fromkeys([*aggregates, *asked]))
        found["aggregates"].choices = [(name, name) for name in names]
        found["on_failure"].choices = labels.failure_choices()
        found["approval"].choices = labels.approval_choices()
        for name in ("at_once", "per_domain", "failures"):
            fields.at_most(found[name], run_choices.max_hosts)
        fields.offer_max_concurrent(found["max_concurrent"], choices)
        found["timeout_action"].initial = choices.timeout_action
        fields.offer_timeouts(
            found["timeout_action"], actor, choices, self.data.get("timeout_action", "")
        )
        style = {"class": "form-control", "rows": 3, "spellcheck": "false"}
        found["windows"].widget.attrs |= style
        found["failures"].widget.attrs["aria-label"] = str(found["failures"].label)
        fields.describe(self)

    def clean(self):
        cleaned = super().clean()
        if cleaned.get("domain") == DomainKind.AGGREGATE and not cleaned.get("aggregates"):
            self.add_error("aggregates", _("Select the aggregates whose hosts fail together."))
        missing = cleaned.get("failures") is None and not self.has_error("failures")
        if cleaned.get("on_failure") == OnFailure.SKIP and missing:
            self.add_error("failures", _("Enter how many hosts may fail."))
        return cleaned

    def request(self) -> services.RunRequest:
        """What was entered, once it is valid."""
        entered = self.cleaned_data
        by_aggregate = entered["domain"] == DomainKind.AGGREGATE
        none = entered["domain"] == DomainKind.NONE
        return services.RunRequest(
            hosts=tuple(self.hosts),
            each=services.DrainRequest(
                host="",
                reason=entered["reason"],
                max_concurrent=entered["max_concurrent"],
                move_locked=entered["move_locked"],
                timeout_action=entered["timeout_action"] or None,
            ),
            action=entered["action"],
            at_once=entered["at_once"],
            domain=entered["domain"],
            aggregates=tuple(entered["aggregates"]) if by_aggregate else (),
            per_domain=0 if none else entered["per_domain"] or 0,
            order=entered["order"],
            windows=tuple(entered["windows"]),
            on_failure=entered["on_failure"],
            failures=entered["failures"] or 0,
            approval=entered["approval"],
            bring_back=entered["bring_back"],
        )

    def refuse(self, error: Refused) -> None:
        """Say beside a field what a service had against it, or above all of them."""
        field = error.field if error.field in self.fields else None
        self.add_error(field, words.said(error.said))

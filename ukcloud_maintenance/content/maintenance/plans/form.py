"""The form that asks for a plan: which hosts in which order, how, and what that would do."""

from django import forms
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from ukcloud_maintenance import services
from ukcloud_maintenance.core.actor import RULE_ABORT, RULE_FORCE, Actor
from ukcloud_maintenance.core.states import TimeoutAction
from ukcloud_maintenance.exceptions import CloudError, Refused, UnknownHost
from ukcloud_maintenance.services import DrainRequest, PlanChoices, PlanRequest

from ..common import fields, formats, labels
from ..common.fields import FOLLOW_PLAN
from ..preflight.words import MIB
from ..workflow.drain_host import Entered
from .preflight import PlanPreflight

ONE, ALL, SOME = "1", "0", "n"


class PlanOptions(forms.Form):
    """How the hosts are to be drained; the same for all of them."""

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
            "The services of all are disabled first in any case, so that no instance moves twice."
        ),
    )
    hosts_at_once = forms.IntegerField(
        label=gettext_lazy("Hosts at a time"), min_value=1, required=False, initial=2
    )
    max_concurrent = forms.IntegerField(
        label=gettext_lazy("Migrations at once, for each host"), min_value=1
    )
    destination = forms.CharField(
        label=gettext_lazy("Destinations"),
        required=False,
        widget=forms.Select,
        help_text=gettext_lazy(
            "Nova checks every instance whatever is chosen. With the plan, each is asked to go to"
            " its host of the estimate first, and a refusal leaves it to the scheduler."
        ),
    )
    order = forms.ChoiceField(
        label=gettext_lazy("Order of the instances"),
        required=False,
        choices=fields.order_choices(),
    )
    start_at = fields.start_field()
    stop_at = fields.stop_field()
    timeout_action = forms.ChoiceField(
        label=gettext_lazy("If a copy takes too long"),
        required=False,
    )
    move_locked = fields.move_locked_field()

    def __init__(self, data, initial, *, choices: services.DrainChoices, actor: Actor):
        defaults = {
            "max_concurrent": choices.max_concurrent,
            "timeout_action": choices.timeout_action,
        }
        super().__init__(data, initial={**defaults, **initial})
        self.limits = choices
        fields.at_most(self.fields["max_concurrent"], choices.max_concurrent_ceiling)
        fields.at_most(self.fields["hosts_at_once"], choices.max_hosts)
        ceiling = ngettext(
            "Nova has a limit of its own for each host, often 1. All drains of the region"
            " together: at most %(region)s at once, %(destination)s to one host.",
            "Nova has a limit of its own for each host, often 1. All drains of the region"
            " together: at most %(region)s at once, %(destination)s to one host.",
            choices.max_in_region,
        )
        self.fields["max_concurrent"].help_text = ceiling % {
            "region": formats.number(choices.max_in_region),
            "destination": formats.number(choices.max_per_destination),
        }
        self.fields["timeout_action"].choices = self._timeouts(choices, actor)
        self.fields["timeout_action"].help_text = _(
            "Too long: %(each)s s for each GiB of memory and local disk, at least %(least)s min."
        ) % {
            "each": formats.number(choices.timeout_seconds_per_gib),
            "least": formats.number(choices.timeout_min_seconds / 60),
        }
        self.offer([], with_plan=True)
        for name, field in self.fields.items():
            if name not in ("pace", "move_locked"):
                field.widget.attrs["class"] = "form-control"
            if field.help_text:
                field.widget.attrs["aria-describedby"] = f"id_{name}_note"

    @staticmethod
    def _timeouts(choices: services.DrainChoices, actor: Actor) -> list[tuple[str, str]]:
        """What may be chosen: what interrupts needs the right to interrupt."""
        every = [
            (TimeoutAction.WARN.value, _("Mark it, and let it go on"), True),
            (
                TimeoutAction.ABORT.value,
                _("Abort it: it runs on where it is; tried again if Nova leaves it ACTIVE"),
                actor.may(RULE_ABORT),
            ),
            (
                TimeoutAction.FORCE.value,
                _("Force it to complete: its guest is paused until the rest is copied"),
                actor.may(RULE_FORCE),
            ),
        ]
        return [(v, text) for v, text, may in every if may or v == choices.timeout_action]

    def offer(self, hosts: list[tuple[str, str]], *, with_plan: bool) -> None:
        """Set the destinations to choose from. What was chosen before stays to be seen."""
        chosen = str(self["destination"].value() or "")
        offered = fields.destination_choices(hosts, chosen, with_plan=with_plan)
        self.fields["destination"].widget.choices = offered

    def clean(self):
        cleaned = super().clean()
        fields.check_window(self)
        if cleaned.get("pace") == SOME and cleaned.get("hosts_at_once") is None:
            self.add_error("hosts_at_once", _("Say how many hosts at a time."))
        return cleaned

    @property
    def at_once(self) -> int:
        """Hosts at a time as far as entered; 0: all."""
        pace = self["pace"].value()
        if pace != SOME:
            return 0 if pace == ALL else 1
        entered = str(self["hosts_at_once"].value() or "")
        return int(entered) if entered.isdecimal() and len(entered) < 4 else 1


class PlanForm:
    """What was entered so far, and what it would do.

    :param hosts: in order
    :param posted: what was entered; empty at first
    :param submitted: whether it is to be checked
    """

    def __init__(self, actor: Actor, cloud, hosts: list[str], posted, *, submitted: bool):
        self.actor = actor
        self.cloud = cloud
        self.names = list(dict.fromkeys(hosts))
        self.limits = services.drain_choices(actor, cloud.region)
        self.entered = Entered.of(posted)
        self._posted = posted
        initial = {} if submitted else _initial(posted)
        data = posted if submitted else None
        self.options = PlanOptions(data, initial, choices=self.limits, actor=actor)
        #: why it was refused, where that is not about one field
        self.refusal: SafeString | str = ""
        #: hosts that Nova does not know
        self.unknown: list[str] = []
        self.preflight: PlanPreflight | None = None

    # -- what is shown -----------------------------------------------------------------------

    def load(self) -> None:
        """Read what the plan would do. What stands against that is shown in the form."""
        try:
            self._load()
        except Refused as error:
            self.refusal = self.refusal or refusal_html(error)
        except CloudError as error:
            if error.status == 401:
                raise
            self.refusal = self.refusal or f"{labels.said(str(error))}."

    def _load(self) -> None:
        if not self.names:
            return
        try:
            plans = services.check_hosts(self.actor, self.cloud, self.names, self._choices())
        except UnknownHost:
            known = {facts.host for facts in services.list_hosts(self.actor, self.cloud)}
            self.unknown = [name for name in self.names if name not in known]
            rest = [name for name in self.names if name in known]
            if not rest:
                return
            plans = services.check_hosts(self.actor, self.cloud, rest, self._choices())
        at_once = self.options.at_once
        self.preflight = PlanPreflight(
            plans, self.entered.notes, at_once, self.limits.max_in_region
        )
        first = plans[0]
        free = first.capacity or {}
        others = {service.host for service in first.destinations} - set(self.names)
        offered = sorted(others, key=formats.natural_key)
        self.options.offer(
            [(name, _with_room(free.get(name), name)) for name in offered],
            with_plan=bool(first.packing),
        )

    def _choices(self) -> PlanChoices:
        """What was entered, as far as it makes sense."""
        posted = self._posted
        if not posted or "reason" not in posted:
            return PlanChoices()
        destination = posted.get("destination", "").strip()
        entered = posted.get("max_concurrent", "").strip()
        at_once = int(entered) if entered.isdecimal() and len(entered) < 5 else 0
        return PlanChoices(
            self.entered.known_choices,
            move_locked="move_locked" in posted,
            max_concurrent=at_once if 1 <= at_once <= self.limits.max_concurrent_ceiling else None,
            destination="" if destination == FOLLOW_PLAN else destination,
        )

    @property
    def zone(self) -> str:
        return fields.zone_note()

    @property
    def note_max(self) -> int:
        return services.NOTE_MAX

    @property
    def carried(self) -> list[tuple[str, str]]:
        """What was entered for instances that cannot be shown now."""
        shown = set()
        if self.preflight:
            shown = {row.server.id for row in self.preflight.joint.rows}
        return [(n, v) for n, v in self.entered.as_fields if n.partition("-")[2] not in shown]

    @property
    def can_be_asked(self) -> bool:
        found = self.preflight
        return bool(found and not found.refused and not self.unknown)

    # -- what is done ------------------------------------------------------------------------

    def request(self):
        """Ask for the plan. None where it was refused; what was entered is kept."""
        if not self.options.is_valid():
            return None
        entered = self.options.cleaned_data
        destination = entered["destination"]
        follow_plan = destination == FOLLOW_PLAN
        each = DrainRequest(
            "",
            entered["reason"],
            entered["max_concurrent"],
            "" if follow_plan else destination,
            choices=self.entered.choices,
            notes=self.entered.notes,
            move_locked=entered["move_locked"],
            follow_plan=follow_plan,
            order=entered["order"] or services.LARGEST_FIRST,
            start_at=entered["start_at"],
            stop_at=entered["stop_at"],
            timeout_action=entered["timeout_action"] or None,
        )
        asked = PlanRequest(tuple(self.names), each, self.options.at_once)
        try:
            return services.request_plan(self.actor, self.cloud, asked)
        except Refused as error:
            if error.field in self.options.fields:
                self.options.add_error(error.field, labels.said(str(error)))
            else:
                self.refusal = refusal_html(error)
        except CloudError as error:
            if error.status == 401:
                raise
            self.refusal = f"{labels.said(str(error))}."
        return None


def _initial(posted) -> dict[str, object]:
    """What was entered, for a form that is shown again without being checked."""
    if "reason" not in posted:
        return {}
    return {
        name: (name in posted) if name == "move_locked" else posted.get(name, "")
        for name in PlanOptions.base_fields
    }


def _with_room(capacity, host: str) -> str:
    """A host with what Placement says is free there."""
    if capacity is None:
        return host
    free = formats.size(max(0, capacity.free("MEMORY_MB")) * MIB)
    return _("%(host)s (%(size)s free)") % {"host": host, "size": free}


def refusal_html(error: Refused) -> SafeString:
    text = format_html(
        "<strong>{}</strong> {}", labels.said(error.message), labels.said(error.remedy)
    )
    if not error.drain_id:
        return text
    url = reverse("horizon:admin:maintenance:drain", args=[error.drain_id])
    return format_html('{} <a class="alert-link" href="{}">{}</a>', text, url, _("View drain"))

"""Form fields: a time in the user's time zone, and the window and timeout that drains share."""

from datetime import datetime, timedelta

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ukcloud_maintenance import store
from ukcloud_maintenance.core.actor import RULE_ABORT, RULE_FORCE, Actor
from ukcloud_maintenance.core.states import TimeoutAction
from ukcloud_maintenance.services import (
    LARGEST_FIRST,
    REASON_MAX,
    SMALLEST_FIRST,
    DrainChoices,
)

from ....core.backports import UTC
from . import formats, timeouts

#: the destination that means: the scheduler chooses each. No host has such a name.
SCHEDULER = "*scheduler"
#: how destinations are chosen where none is named
EVENLY = gettext_lazy("Keep the hosts even")
BY_SCHEDULER = gettext_lazy("Leave it to Nova's scheduler")
#: what the browser sends and takes for `datetime-local`
LOCAL = "%Y-%m-%dT%H:%M"
_TAKEN = (LOCAL, "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S")


class LocalTimeInput(forms.DateTimeInput):
    input_type = "datetime-local"

    def __init__(self, attrs=None):
        super().__init__(attrs=attrs, format=LOCAL)


class LocalTimeField(forms.Field):
    """A date and time of day of the user's time zone; an aware datetime, or None.

    A time that the clocks leave out, or show twice, is refused with what to do about it.
    """

    widget = LocalTimeInput

    def prepare_value(self, value):
        """An aware time as the user's clock shows it; what was entered as it was entered."""
        if isinstance(value, datetime):
            return timezone.localtime(value).strftime(LOCAL)
        return value

    def to_python(self, value) -> datetime | None:
        if value in self.empty_values:
            return None
        naive = _parse(str(value).strip())
        zone = timezone.get_current_timezone()
        first, second = (naive.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
        try:
            there = first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == naive
            twice = first.utcoffset() != second.utcoffset()
        except OverflowError as error:
            raise forms.ValidationError(_("The year is out of range.")) from error
        if not there:
            # Both readings lie an hour or so beside it, one before and one after.
            raise forms.ValidationError(
                _(
                    "The clocks of %(zone)s go forward then, so %(time)s does not exist. The next"
                    " valid time is %(next)s."
                )
                % {
                    "zone": timezone.get_current_timezone_name(),
                    "time": f"{naive:%H:%M}",
                    "next": f"{first.astimezone(UTC).astimezone(zone):%H:%M}",
                }
            )
        if twice:
            raise forms.ValidationError(
                _(
                    "The clocks of %(zone)s go back then, so %(time)s occurs twice. Choose a time"
                    " before or after that hour."
                )
                % {"zone": timezone.get_current_timezone_name(), "time": f"{naive:%H:%M}"}
            )
        return first.astimezone(UTC)

    def has_changed(self, initial, data) -> bool:
        """By the minute, which is what is shown of it."""
        return (self.prepare_value(initial) or "") != (data or "")


def _parse(text: str) -> datetime:
    for form in _TAKEN:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 - its zone is the user's
        except ValueError:
            continue
    raise forms.ValidationError(
        _("This is not a date with a time. Write it like %(example)s.")
        % {"example": timezone.localtime(store.now()).strftime("%Y-%m-%d %H:%M")}
    )


def reason_field() -> forms.CharField:
    return forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=REASON_MAX,
        help_text=gettext_lazy(
            "Shown as the service's disabled reason to everybody who may list compute services."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={
            "required": gettext_lazy(
                "A reason is required: it becomes the service's disabled reason."
            ),
            "max_length": gettext_lazy(
                "The reason has %(show_value)s characters; Nova accepts at most %(limit_value)s."
            ),
        },
    )


def move_locked_field() -> forms.BooleanField:
    return forms.BooleanField(
        label=gettext_lazy("Move locked instances"),
        required=False,
        initial=True,
        help_text=gettext_lazy(
            "Administrators can move locked instances. A choice for one instance takes precedence."
        ),
    )


def order_choices() -> list:
    return [
        (LARGEST_FIRST, gettext_lazy("Largest first")),
        (SMALLEST_FIRST, gettext_lazy("Smallest first")),
    ]


def placing_field() -> forms.ChoiceField:
    """How destinations are chosen, of a drain that names none."""
    return forms.ChoiceField(
        label=gettext_lazy("Destinations"),
        required=False,
        choices=[("even", EVENLY), ("scheduler", BY_SCHEDULER)],
        help_text=gettext_lazy(
            "Applies to new migrations. Nova checks every instance in any case."
        ),
    )


def destination_choices(hosts: list[tuple[str, str]], chosen: str) -> list:
    """What to choose from. What was chosen before stays to be seen.

    :param hosts: name and text of each
    """
    if chosen and chosen not in (SCHEDULER, *(name for name, _text in hosts)):
        hosts = [*hosts, (chosen, chosen)]
    offered: list = [("", EVENLY), (SCHEDULER, BY_SCHEDULER)]
    if hosts:
        offered.append((_("One host for all instances"), hosts))
    return offered


def at_most(field: forms.Field, most: int, words: str = "") -> None:
    """Bound a number that is entered.

    :param words: what is said of one above it, with the bound as %(n)s
    """

    def check(value: int) -> None:
        if value > most:
            said = words or _("At most %(n)s.")
            raise forms.ValidationError(said % {"n": formats.number(most)})

    field.max_value = most
    field.validators.append(check)
    field.widget.attrs["max"] = most


def max_concurrent_field() -> forms.IntegerField:
    return forms.IntegerField(
        label=gettext_lazy("Migrations at once"),
        min_value=1,
        help_text=gettext_lazy(
            "Nova has its own limit for each host, often 1; migrations above it wait in Nova's"
            " queue."
        ),
    )


def offer_max_concurrent(field: forms.Field, choices: DrainChoices) -> None:
    field.initial = choices.max_concurrent
    too_many = _("At most %(n)s migrations may run at once.")
    at_most(field, choices.max_concurrent_ceiling, too_many)


def describe(form: forms.BaseForm) -> None:
    """Tie each field to its help and to what is wrong with it, which common/_field.html has under
    these ids; radio buttons are tied as a group there."""
    for bound in form:
        widget = bound.field.widget
        if not isinstance(widget, forms.RadioSelect):
            helped = f"{bound.auto_id}_helptext " if bound.help_text else ""
            widget.attrs["aria-describedby"] = f"{helped}{bound.auto_id}_error"


def check_window(form: forms.BaseForm) -> None:
    """Put what is wrong with a window beside the field that it is about."""
    start, stop = form.cleaned_data.get("start_at"), form.cleaned_data.get("stop_at")
    if wrong := check_start(start):
        form.add_error("start_at", wrong)
    elif stop and not form.has_error("start_at") and (wrong := check_stop(start, stop)):
        form.add_error("stop_at", wrong)


def start_field() -> LocalTimeField:
    return LocalTimeField(
        label=gettext_lazy("Start at"),
        required=False,
        help_text=gettext_lazy(
            "Nothing is changed before this time: the compute service stays enabled until then."
            " Leave empty to start at once."
        ),
    )


def stop_field() -> LocalTimeField:
    return LocalTimeField(
        label=gettext_lazy("No new migrations after"),
        required=False,
        help_text=gettext_lazy(
            "Migrations in progress at this time finish; the drain is then paused until somebody"
            " resumes it, sets another window or cancels it. Leave empty for no end."
        ),
    )


def timeout_field() -> forms.ChoiceField:
    return forms.ChoiceField(
        label=gettext_lazy("A copy that takes too long"),
        required=False,
        choices=[(action.value, action.value) for action in TimeoutAction],
        widget=forms.RadioSelect,
    )


def zone_note() -> str:
    """Which clock the times are read on."""
    return _("Times are in the time zone %(zone)s.") % {"zone": formats.zone(store.now())}


def check_start(value: datetime | None) -> str:
    """What is wrong with a time of a beginning, or empty. A minute is what it takes to read the
    form."""
    if value is not None and value < store.now() - timedelta(minutes=1):
        return _("This time is in the past. Leave it empty to start at once.")
    return ""


def check_stop(start: datetime | None, stop: datetime) -> str:
    """What is wrong with a time of an end, or empty."""
    if stop <= store.now():
        return _("This time is in the past. Leave it empty for no end.")
    if start is not None and stop <= start:
        return _("The window ends before it starts.")
    return ""


def timeout_note(seconds_per_gib: float, minimum: float) -> str:
    """After how long a copy takes too long, by the settings."""
    return _(
        "The settings define too long as %(each)s per GiB of memory and local disk, at least"
        " %(least)s."
    ) % {"each": formats.about(seconds_per_gib), "least": formats.about(minimum)}


def offer_timeouts(field: forms.Field, actor: Actor, choices: DrainChoices, chosen: str) -> None:
    """Offer what this actor may choose: what is set already, and what they may do themselves."""
    rules = {TimeoutAction.ABORT.value: RULE_ABORT, TimeoutAction.FORCE.value: RULE_FORCE}
    field.choices = [
        (value, text)
        for value, text in timeouts.timeout_choices()
        if value in (chosen, choices.timeout_action)
        or value not in rules
        or actor.may(rules[value]) is True
    ]
    field.help_text = timeout_note(choices.timeout_seconds_per_gib, choices.timeout_min_seconds)

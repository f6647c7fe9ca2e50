"""Steering a drain: each view asks first (GET) and does it (POST).

A script that asks is answered in JSON, so that the page stays as it is, with what is selected on
it; a browser without one is led back to the page, with the same words.
"""

from collections.abc import Iterable

from django import forms
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from horizon import messages

from ukcloud_maintenance import services, store
from ukcloud_maintenance.core import steering
from ukcloud_maintenance.core.actor import (
    RULE_ABORT,
    RULE_CANCEL,
    RULE_RETURN,
    RULE_STEER,
    Actor,
)
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.states import (
    DRAIN_TERMINAL,
    Direction,
    DrainState,
)
from ukcloud_maintenance.core.steering import Verb
from ukcloud_maintenance.exceptions import Refused
from ukcloud_maintenance.services import UNCHANGED, DrainChange, Steered
from ukcloud_maintenance.store import Drain

from ..common import fields, formats, labels, words
from ..common.addresses import PANEL
from ..common.base import PanelView, Problem
from .offers import Button, button

#: what is told: a kind of Horizon's messages, and a text
Said = tuple[str, str]


def wants_json(request) -> bool:
    """Whether the script of the drain page asks."""
    return "application/json" in request.headers.get("accept", "")


def refusal_text(error: Refused) -> str:
    """A refusal and its remedy, in the language of the reader."""
    return words.said(error.said)


class SteeringView(PanelView):
    """What the views of this module have in common."""

    http_method_names = ["get", "head", "post"]

    def answer(self, drain_id: int, said: Iterable[Said]) -> HttpResponse:
        """Tell what was done, on the page of the drain."""
        if wants_json(self.request):
            return JsonResponse({"messages": list(said)})
        for kind, text in said:
            getattr(messages, kind)(self.request, text)
        if self.request.POST.get("back") == "plan":
            plan_id = services.get_drain(self.actor, drain_id, rule=self.rule).plan_id
            if plan_id:
                return redirect(f"{PANEL}:plan", plan_id)
        return redirect(f"{PANEL}:drain", drain_id)

    def refused(self, drain_id: int, error: Refused) -> HttpResponse:
        return self.answer(drain_id, [("error", refusal_text(error))])

    def show(self, template: str, drain: Drain, **context) -> HttpResponse:
        """A dialog of the drain."""
        crumbs = [
            (_("Drains"), reverse(f"{PANEL}:drains")),
            (labels.drain_name(drain), reverse(f"{PANEL}:drain", args=[drain.pk])),
        ]
        return self.dialog(template, crumbs, drain=drain, **context)

    def problem(self, problem: Problem, status: int) -> HttpResponse:
        if wants_json(self.request):
            return JsonResponse({"messages": [("error", problem.text)]}, status=status)
        return super().problem(problem, status)


class AtOnceView(SteeringView):
    """What is done without a question. A GET, as after a login, leads to the drain."""

    def ask(self, drain_id: int) -> list[Said]:
        raise NotImplementedError

    def get(self, request, drain_id):
        self.drain_here(drain_id, self.rule)
        return redirect(f"{PANEL}:drain", drain_id)

    def post(self, request, drain_id):
        self.drain_here(drain_id, self.rule)
        try:
            said = self.ask(drain_id)
        except Refused as error:
            return self.refused(drain_id, error)
        return self.answer(drain_id, said)


class PauseDrainView(AtOnceView):
    rule = RULE_STEER
    title = gettext_lazy("Pause Drain")

    def ask(self, drain_id):
        services.pause_drain(self.actor, drain_id)
        return [("success", _("Paused: no new migrations start; those in progress finish."))]


class ResumeDrainView(AtOnceView):
    rule = RULE_STEER
    title = gettext_lazy("Resume Drain")

    def ask(self, drain_id):
        before = services.get_drain(self.actor, drain_id, rule=RULE_STEER).stop_at
        drain = services.resume_drain(self.actor, drain_id)
        window_gone = before and drain.stop_at is None
        if drain.direction == Direction.BACK:
            said = (
                _("Bring-back resumed. Its expired window was removed.")
                if window_gone
                else _("Bring-back resumed.")
            )
        else:
            said = (
                _("Drain resumed. Its expired window was removed.")
                if window_gone
                else _("Drain resumed.")
            )
        return [("success", said)]


class RetryFailedView(AtOnceView):
    rule = RULE_STEER
    title = gettext_lazy("Retry Failed")

    def ask(self, drain_id):
        return told(button("retry"), services.retry_failed(self.actor, drain_id))


class CancelDrainView(SteeringView):
    """Ask what becomes of what is in progress and of the service, and cancel the drain.

    Of one that is being cancelled, what is in progress can still be aborted.
    """

    rule = RULE_CANCEL
    title = gettext_lazy("Cancel Drain")

    def get(self, request, drain_id):
        drain = self.drain_here(drain_id, RULE_CANCEL)
        if drain.state in DRAIN_TERMINAL:
            raise Refused(message("nothing_to_cancel", drain=drain.pk), code="drain_over")
        counts = store.counts([drain.pk])[drain.pk]
        again = drain.state == DrainState.CANCELLING
        back = drain.direction == Direction.BACK
        enable = drain.cancel_enable if again else drain.did_disable
        return self.show(
            "drains/_cancel",
            drain,
            back=back,
            again=again,
            untouched=store.is_untouched(drain),
            may_abort=self.actor.may(RULE_ABORT),
            in_progress=counts.in_progress,
            waiting=counts.waiting,
            left=counts.left,
            offer_service=not back,
            abort=again,
            enable=enable,
            may_enable=drain.did_disable or self.actor.may(RULE_RETURN) is True,
            did_disable=drain.did_disable,
            submit_url=reverse(f"{PANEL}:cancel_drain", args=[drain.pk]),
        )

    def post(self, request, drain_id):
        self.drain_here(drain_id, RULE_CANCEL)
        abort = request.POST.get("in_progress") == "abort"
        chosen = {"enable": True, "leave": False}.get(request.POST.get("service", ""))
        try:
            drain = services.cancel_drain(self.actor, drain_id, abort=abort, enable=chosen)
        except Refused as error:
            return self.refused(drain_id, error)
        return self.answer(drain_id, [("success", _cancelled(drain))])


def _cancelled(drain: Drain) -> str:
    """What becomes of one that was just cancelled."""
    back = drain.direction == Direction.BACK
    if drain.state in DRAIN_TERMINAL:
        if back:
            return _("The bring-back was cancelled before it started; nothing was changed.")
        return _("The drain was cancelled before it started; nothing was changed.")
    if drain.cancel_abort:
        if back:
            return _(
                "The bring-back is being cancelled: no new migrations start; those in progress"
                " are aborted."
            )
        return _(
            "The drain is being cancelled: no new migrations start; those in progress are aborted."
        )
    if back:
        return _(
            "The bring-back is being cancelled: no new migrations start; those in progress finish."
        )
    return _("The drain is being cancelled: no new migrations start; those in progress finish.")


class ChangeForm(forms.Form):
    """What was shown is sent with what was entered, so that both can be compared when another
    admin has changed the drain in between.

    :param drain: as it is now
    """

    max_concurrent = forms.IntegerField(
        label=gettext_lazy("Migrations at once"),
        min_value=1,
        help_text=gettext_lazy(
            "If more are in progress now, they finish; the limit applies to new migrations."
        ),
    )
    placing = fields.placing_field()
    start_at = fields.start_field()
    stop_at = fields.stop_field()
    timeout_action = fields.timeout_field()

    def __init__(
        self,
        data,
        drain: Drain,
        actor: Actor,
        choices: services.DrainChoices,
        *,
        has_begun: bool,
    ):
        """:param drain: whose values are shown; of a plan the first one that is open
        :param has_begun: it, or another one that is changed with it
        """
        self.drain = drain
        super().__init__(
            data,
            initial={
                "max_concurrent": drain.max_concurrent,
                "placing": "even" if drain.follow_estimate else "scheduler",
                "start_at": drain.start_at,
                "stop_at": drain.stop_at,
                "timeout_action": drain.timeout_action,
            },
        )
        for field in self.fields.values():
            field.show_hidden_initial = True
        limit = self.fields["max_concurrent"]
        limit.widget.attrs["max"] = choices.max_concurrent_ceiling
        if drain.destination:
            del self.fields["placing"]
        if has_begun:
            del self.fields["start_at"]
        fields.offer_timeouts(self.fields["timeout_action"], actor, choices, drain.timeout_action)
        fields.describe(self)

    def clean_start_at(self):
        value = self.cleaned_data["start_at"]
        if "start_at" in self.changed_data and (wrong := fields.check_start(value)):
            raise forms.ValidationError(wrong)
        return value

    @property
    def timeout_shown(self) -> SafeString:
        """What was shown of the radio buttons; the other fields render theirs themselves."""
        return self["timeout_action"].as_hidden(only_initial=True)

    def change(self) -> DrainChange:
        """What differs from what was shown; another admin's change of the rest stands."""
        new = {name: self.cleaned_data[name] for name in self.changed_data}
        return DrainChange(
            max_concurrent=new.get("max_concurrent"),
            timeout_action=new.get("timeout_action") or None,
            follow_estimate=new["placing"] == "even" if new.get("placing") else None,
            start_at=new.get("start_at", UNCHANGED),
            stop_at=new.get("stop_at", UNCHANGED),
        )


class ChangeDrainView(SteeringView):
    """The pace, the destinations, the window and the timeout of a drain."""

    rule = RULE_STEER
    title = gettext_lazy("Change Drain")

    def _form(self, drain: Drain, data=None) -> ChangeForm:
        choices = services.drain_choices(self.actor, drain.region, rule=RULE_STEER)
        begun = drain.started_at is not None
        return ChangeForm(data, drain, self.actor, choices, has_begun=begun)

    def _show(self, drain: Drain, form: ChangeForm) -> HttpResponse:
        is_back = drain.direction == Direction.BACK
        return self.show(
            "common/_form",
            drain,
            modal_header=_("Change Bring-Back") if is_back else "",
            form=form,
            zone_note=fields.zone_note(),
            form_class="mnt-steer mnt-change",
            submit_url=reverse(f"{PANEL}:change_drain", args=[drain.pk]),
        )

    def get(self, request, drain_id):
        drain = self.drain_here(drain_id, self.rule)
        if why := steering.drain_objection(steering.DrainVerb.CHANGE, drain):
            raise Refused(message("drain_cannot", drain=drain.pk, why=why), code="cannot_change")
        return self._show(drain, self._form(drain))

    def post(self, request, drain_id):
        drain = self.drain_here(drain_id, self.rule)
        form = self._form(drain, request.POST)
        if not form.is_valid():
            return self._show(drain, form)
        try:
            services.change_drain(self.actor, drain_id, form.change())
        except Refused as error:
            if error.field not in form.fields:
                return self.refused(drain_id, error)
            form.add_error(error.field, refusal_text(error))
            return self._show(drain, form)
        if not form.changed_data:
            return self.answer(drain_id, [("info", _("Nothing was changed."))])
        back = drain.direction == Direction.BACK
        said = _("The bring-back was changed.") if back else _("The drain was changed.")
        return self.answer(drain_id, [("success", said)])


def told(asked: Button, steered: Steered) -> list[Said]:
    """What became of a request for several instances."""
    said: list[Said] = []
    if steered.done:
        names = formats.abbreviate(row.server_name for row in steered.done)
        text = {
            Verb.RETRY: _("Retry requested: %(names)s."),
            Verb.SKIP: _("Skipped: %(names)s."),
            Verb.FIRST: _("Moved to the front: %(names)s."),
            Verb.ABORT: _("Abort requested: %(names)s."),
            Verb.FORCE: _("Force complete requested: %(names)s."),
            Verb.RESET: _("Reset to active requested: %(names)s."),
        }[asked.verb]
        said.append(("success", text % {"names": names}))
    for row, why in steered.refused:
        said.append(("warning", f"{asked.text}: {row.server_name}: {words.said(why)}"))
    return said

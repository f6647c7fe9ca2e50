"""Steering a drain and its instances: each view asks first (GET) and does it (POST).

A script that asks is answered in JSON, so that the page stays as it is, with what is selected on
it; a browser without one is led back to the page, with the same words.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django import forms
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from horizon import messages

from ukcloud_maintenance import services, store
from ukcloud_maintenance.core import steering
from ukcloud_maintenance.core.actor import (
    RULE_ABORT,
    RULE_CANCEL,
    RULE_FORCE,
    RULE_RESET,
    RULE_RETURN,
    RULE_STEER,
    Actor,
)
from ukcloud_maintenance.core.host.evidence import Evidence
from ukcloud_maintenance.core.states import (
    DRAIN_TERMINAL,
    MIGRATION_UNDER_WAY,
    MIGRATION_WAITING,
    Direction,
    DrainState,
    Wish,
)
from ukcloud_maintenance.core.steering import Verb
from ukcloud_maintenance.exceptions import Refused
from ukcloud_maintenance.services import UNCHANGED, DrainChange, Steered
from ukcloud_maintenance.store import Drain, InstanceMigration

from ..common import fields, formats, labels
from ..common.addresses import PANEL
from ..common.base import PanelView, Problem, is_ajax
from ..hosts import certificate as certificate_page
from ..preflight.words import few
from . import course
from .offers import RETRY_ON, Button, button, url

#: what is told: a kind of Horizon's messages, and a text
Said = tuple[str, str]


def wants_json(request) -> bool:
    """Whether the script of the drain page asks."""
    return "application/json" in request.headers.get("accept", "")


def refusal_text(error: Refused) -> str:
    """A refusal and its remedy, in the language of the reader."""
    return f"{labels.said(error.message)} {labels.said(error.remedy)}".strip()


class SteeringView(PanelView):
    """What the views of this module have in common."""

    http_method_names = ["get", "head", "post"]

    def answer(self, drain_id: int, said: Iterable[Said]) -> HttpResponse:
        """Tell what was done, on the page of the drain."""
        if wants_json(self.request):
            return JsonResponse({"messages": list(said)})
        for kind, text in said:
            getattr(messages, kind)(self.request, text)
        return redirect(f"{PANEL}:drain", drain_id)

    def refused(self, drain_id: int, error: Refused) -> HttpResponse:
        return self.answer(drain_id, [("error", refusal_text(error))])

    def dialog(self, name: str, drain: Drain, context: dict) -> HttpResponse:
        """The dialog of this name, in a modal or on a page of its own."""
        modal = is_ajax(self.request)
        return render(
            self.request,
            f"admin/maintenance/{'_' if modal else ''}{name}.html",
            {
                "page_title": str(self.title),
                "custom_breadcrumb": [
                    (_("Drains"), reverse(f"{PANEL}:drains")),
                    (
                        _("Drain %(id)s") % {"id": drain.pk},
                        reverse(f"{PANEL}:drain", args=[drain.pk]),
                    ),
                ],
                "hide": modal,  # Horizon's word for "in a modal"
                "modal_backdrop": "static",
                "drain": drain,
                "cancel_url": reverse(f"{PANEL}:drain", args=[drain.pk]),
                **context,
            },
        )

    def problem(self, problem: Problem, status: int) -> HttpResponse:
        if wants_json(self.request):
            text = f"{problem.message} {problem.remedy}".strip()
            return JsonResponse({"messages": [("error", text)]}, status=status)
        return super().problem(problem, status)


# -- a drain ---------------------------------------------------------------------------------


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
    title = gettext_lazy("Pause")

    def ask(self, drain_id):
        services.pause_drain(self.actor, drain_id)
        return [("success", _("Paused: what is under way lands, nothing new starts."))]


class ResumeDrainView(AtOnceView):
    rule = RULE_STEER
    title = gettext_lazy("Resume")

    def ask(self, drain_id):
        before = services.get_drain(self.actor, drain_id, rule=RULE_STEER).stop_at
        drain = services.resume_drain(self.actor, drain_id)
        if before and drain.stop_at is None:
            return [("success", _("It goes on; its window was over, and is forgotten."))]
        return [("success", _("It goes on."))]


class RetryFailedView(AtOnceView):
    rule = RULE_STEER
    title = gettext_lazy("Retry Failed")

    def ask(self, drain_id):
        return told(button("retry"), services.retry_failed(self.actor, drain_id))


class CancelDrainView(SteeringView):
    """Ask what becomes of what is under way and of the service, and cancel the drain.

    Of one that is being cancelled, what is under way can still be aborted.
    """

    rule = RULE_CANCEL
    title = gettext_lazy("Cancel Drain")

    def get(self, request, drain_id):
        drain = self.drain_here(drain_id, RULE_CANCEL)
        if drain.state in DRAIN_TERMINAL:
            raise Refused(
                _("Drain %(id)s is over; there is nothing left to cancel.") % {"id": drain.pk},
                code="drain_over",
            )
        counts = store.counts([drain.pk])[drain.pk]
        again = drain.state == DrainState.CANCELLING
        back = drain.direction == Direction.BACK
        enable = drain.cancel_enable if again else drain.did_disable
        return self.dialog(
            "cancel",
            drain,
            {
                "back": back,
                "again": again,
                "untouched": store.is_untouched(drain),
                "may_abort": self.actor.may(RULE_ABORT),
                "under_way": sum(counts[state] for state in MIGRATION_UNDER_WAY),
                "waiting": sum(counts[state] for state in MIGRATION_WAITING),
                "left": counts.left,
                "offer_service": not back,
                "abort": again,
                "enable": enable,
                "may_enable": drain.did_disable or self.actor.may(RULE_RETURN) is True,
                "did_disable": drain.did_disable,
                "submit_url": reverse(f"{PANEL}:cancel_drain", args=[drain.pk]),
            },
        )

    def post(self, request, drain_id):
        self.drain_here(drain_id, RULE_CANCEL)
        abort = request.POST.get("under_way") == "abort"
        chosen = {"enable": True, "leave": False}.get(request.POST.get("service", ""))
        try:
            drain = services.cancel_drain(self.actor, drain_id, abort=abort, enable=chosen)
        except Refused as error:
            return self.refused(drain_id, error)
        if drain.state in DRAIN_TERMINAL:
            said = _("The drain is cancelled; nothing was touched.")
        elif drain.cancel_abort:
            said = _("The drain is being cancelled: what is under way is aborted.")
        else:
            said = _("The drain is being cancelled: what is under way lands, nothing new starts.")
        return self.answer(drain_id, [("success", said)])


class ChangeForm(forms.Form):
    """What was shown is sent with what was entered, so that both can be compared when another
    admin has changed the drain in between.

    :param drain: as it is now
    """

    max_concurrent = forms.IntegerField(
        label=gettext_lazy("Migrations at once"),
        min_value=1,
        help_text=gettext_lazy(
            "Where more are under way than that, they land; only then does it hold."
        ),
    )
    start_at = fields.start_field()
    stop_at = fields.stop_field()
    timeout_action = fields.timeout_field()

    def __init__(self, data, drain: Drain, actor: Actor, choices: services.DrainChoices):
        self.drain = drain
        super().__init__(
            data,
            initial={
                "max_concurrent": drain.max_concurrent,
                "start_at": drain.start_at,
                "stop_at": drain.stop_at,
                "timeout_action": drain.timeout_action,
            },
        )
        for field in self.fields.values():
            field.show_hidden_initial = True
        limit = self.fields["max_concurrent"]
        limit.widget.attrs["max"] = choices.max_concurrent_ceiling
        if drain.started_at is not None:
            del self.fields["start_at"]
        fields.offer_timeouts(self.fields["timeout_action"], actor, choices, drain.timeout_action)

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
            start_at=new.get("start_at", UNCHANGED),
            stop_at=new.get("stop_at", UNCHANGED),
        )


class ChangeDrainView(SteeringView):
    """The pace, the window and the timeout of a drain."""

    rule = RULE_STEER
    title = gettext_lazy("Change Drain")

    def _form(self, drain: Drain, data=None) -> ChangeForm:
        choices = services.drain_choices(self.actor, drain.region, rule=RULE_STEER)
        return ChangeForm(data, drain, self.actor, choices)

    def _show(self, drain: Drain, form: ChangeForm) -> HttpResponse:
        return self.dialog(
            "change",
            drain,
            {
                "form": form,
                "zone_note": fields.zone_note(),
                "submit_url": reverse(f"{PANEL}:change_drain", args=[drain.pk]),
            },
        )

    def get(self, request, drain_id):
        drain = self.drain_here(drain_id, self.rule)
        if why := steering.drain_objection(steering.DrainVerb.CHANGE, drain):
            raise Refused(f"Drain {drain.pk}: {why}", code="cannot_change")
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
        return self.answer(drain_id, [("success", _("The drain is changed."))])


# -- its instances ---------------------------------------------------------------------------


def told(asked: Button, steered: Steered) -> list[Said]:
    """What became of a request for several instances."""
    said: list[Said] = []
    if steered.done:
        names = few(row.server_name for row in steered.done)
        if asked.of_nova:
            text = _("%(what)s is asked for: %(names)s.") % {"what": asked.text, "names": names}
        else:
            text = f"{asked.text}: {names}."
        said.append(("success", text))
    for row, why in steered.refused:
        said.append(("warning", f"{asked.text}: {row.server_name}: {labels.said(why)}"))
    return said


@dataclass(frozen=True)
class Judged:
    """One selected instance in a dialog.

    :param note: what it means for this one, or why it cannot be done with it
    """

    row: InstanceMigration
    note: str


class InstancesView(SteeringView):
    """Something for instances of a drain: asked with a GET, done with a POST. What wants a
    confirmation is done only if it is there; a form without it is answered with the question."""

    slug = ""
    verb: Verb

    @property
    def button(self) -> Button:
        return button(self.slug)

    @property
    def title(self) -> str:
        return self.button.text

    def get(self, request, drain_id):
        drain = self.drain_here(drain_id, self.rule)
        return self.ask(drain, self.selected(drain, request.GET))

    def post(self, request, drain_id):
        drain = self.drain_here(drain_id, self.rule)
        try:
            rows = self.selected(drain, request.POST)
            if self.button.confirm and request.POST.get("confirmed") != "yes":
                return self.ask(drain, rows)
            return self.answer(drain_id, told(self.button, self.do(drain, rows)))
        except Refused as error:
            return self.refused(drain_id, error)

    def selected(self, drain: Drain, sent) -> list[InstanceMigration]:
        """The instances that were selected, in the order of the drain.

        :raises Refused: none is, or one is not part of this drain
        """
        wanted = {int(pk) if pk.isdecimal() and len(pk) < 19 else -1 for pk in sent.getlist("row")}
        if not wanted:
            raise Refused(
                _("No instance is selected."),
                code="nothing_selected",
                remedy=_("Select at least one in the table."),
            )
        rows = [row for row in store.migrations(drain) if row.pk in wanted]
        if len(rows) < len(wanted):
            raise Refused(
                _("An instance that was selected is not part of this drain."),
                code="unknown_instance",
                remedy=_("Reload the page."),
            )
        return rows

    def do(self, drain: Drain, rows: list[InstanceMigration]) -> Steered:
        return services.steer(self.actor, drain.pk, self.verb, [row.pk for row in rows])

    def ask(self, drain: Drain, rows: list[InstanceMigration], **context: object) -> HttpResponse:
        fit, unfit = [], []
        for row in rows:
            if why := steering.objection(self.verb, row, drain):
                unfit.append(Judged(row, labels.said(why)))
            else:
                fit.append(Judged(row, self.note(row)))
        return self.dialog(
            "steer",
            drain,
            {
                "button": self.button,
                "question": self.question(len(fit)) if fit else "",
                "consequences": self.consequences(drain, len(fit)) if fit else [],
                "fit": fit,
                "unfit": unfit,
                "submit_url": url(self.slug, drain),
                **context,
            },
        )

    def note(self, row: InstanceMigration) -> str:
        """What it means for this one, where that is not the same for all."""
        return ""

    def question(self, n: int) -> str:
        raise NotImplementedError

    def consequences(self, drain: Drain, n: int) -> list[str]:
        return []


class AbortView(InstancesView):
    slug, verb, rule = "abort", Verb.ABORT, RULE_ABORT

    def question(self, n):
        return ngettext(
            "Abort the migration of this instance?", "Abort the migrations of %(n)s instances?", n
        ) % {"n": n}

    def consequences(self, drain, n):
        return [
            _("It runs on where it is, uninterrupted."),
            _("What was copied so far is lost."),
            _("It is not tried again by itself: choose Retry for that."),
            _(
                "On Nova 33 and 34 the server may turn to ERROR about two seconds later, although"
                " its guest runs on. This page recognises that, and says what to do."
            ),
        ]

    def note(self, row):
        if row.fraction and row.nova_status == "running":
            return _("%(percent)s %% are copied") % {"percent": int(100 * row.fraction)}
        return _("Nova status: %(status)s") % {"status": row.nova_status}


class ForceView(InstancesView):
    slug, verb, rule = "force", Verb.FORCE, RULE_FORCE

    def question(self, n):
        return ngettext(
            "Force this migration to complete?", "Force %(n)s migrations to complete?", n
        ) % {"n": n}

    def consequences(self, drain, n):
        return [
            _(
                "The guest is paused until what is left is copied. Its users notice: it does not"
                " answer meanwhile. Nova may copy more slowly than until now, so that it takes"
                " longer than reckoned here."
            ),
            _(
                "Where Nova permits post-copy it is over in seconds: the guest goes on at the"
                " destination, slower at first, and is lost if the network fails then."
            ),
            _("It cannot be taken back; an abort is still possible while it copies."),
        ]

    def note(self, row):
        return _("paused %(time)s") % {"time": course.pause_text(row)}


class RetryView(InstancesView):
    slug, verb, rule = "retry", Verb.RETRY, RULE_STEER

    def question(self, n):
        return ngettext("Try this instance again?", "Try %(n)s instances again?", n) % {"n": n}

    def consequences(self, drain, n):
        said = [_("It is tried with all its attempts, as if it had just begun.")]
        if drain.state in DRAIN_TERMINAL:
            said.append(_("The drain, which is over, goes on."))
        return said


class RetryOnView(RetryView):
    """The same, to a host that is named."""

    slug = RETRY_ON

    def question(self, n):
        return ngettext(
            "Try this instance again, to which host?",
            "Try %(n)s instances again, to which host?",
            n,
        ) % {"n": n}

    def ask(self, drain, rows, **context):
        return super().ask(drain, rows, hosts=self.hosts(drain), **context)

    def hosts(self, drain: Drain) -> list[tuple[str, str]]:
        """Those that can receive, with what the hypervisor says is free: name and text."""
        away = store.away_hosts(self.region) | {drain.host}
        found = []
        for facts in services.list_hosts(self.actor, self.cloud):
            service = facts.service
            bare_metal = facts.hypervisor is not None and facts.hypervisor.is_bare_metal
            if bare_metal or facts.host in away or not service.is_up or service.status != "enabled":
                continue
            text = facts.host
            if facts.hypervisor:
                free = facts.hypervisor.memory_bytes - facts.hypervisor.memory_used_bytes
                text = _("%(host)s (%(size)s free)") % {
                    "host": facts.host,
                    "size": formats.size(max(0, free)),
                }
            found.append((facts.host, text))
        return sorted(found, key=lambda host: formats.natural_key(host[0]))

    def do(self, drain, rows):
        destination = self.request.POST.get("destination", "").strip()
        if not destination:
            raise Refused(
                _("No host is chosen."),
                code="destination_missing",
                remedy=_("Choose one, or use Retry, which leaves it to the scheduler."),
                field="destination",
            )
        return services.steer(
            self.actor,
            drain.pk,
            self.verb,
            [row.pk for row in rows],
            destination=destination,
            cloud=self.cloud,
        )

    def post(self, request, drain_id):
        drain = self.drain_here(drain_id, self.rule)
        try:
            rows = self.selected(drain, request.POST)
            if request.POST.get("confirmed") != "yes":
                return self.ask(drain, rows)
            return self.answer(drain_id, told(self.button, self.do(drain, rows)))
        except Refused as error:
            if error.field != "destination":
                return self.refused(drain_id, error)
            return self.ask(
                drain,
                rows,
                chosen=request.POST.get("destination", ""),
                destination_error=refusal_text(error),
            )


class SkipView(InstancesView):
    slug, verb, rule = "skip", Verb.SKIP, RULE_STEER

    def question(self, n):
        return ngettext("Skip this instance?", "Skip %(n)s instances?", n) % {"n": n}

    def consequences(self, drain, n):
        if drain.direction == Direction.BACK:
            return [_("It stays where it is, and is not brought back.")]
        return [
            _("It stays on %(host)s, so that the host will not be empty at the end.")
            % {"host": drain.host},
            _("Retry takes it up again, as long as the drain is not over."),
        ]


class FirstView(InstancesView):
    slug, verb, rule = "first", Verb.FIRST, RULE_STEER

    def question(self, n):
        return ngettext("Start this instance next?", "Start these %(n)s instances next?", n) % {
            "n": n
        }


class ResetView(InstancesView):
    """Set a server that Nova has in ERROR to active: offered beside the evidence, and only where
    that is complete. It is read with the admin's own token, when asked and when done."""

    slug, verb, rule = "reset", Verb.RESET, RULE_RESET

    def ask(self, drain, rows, **context):
        row = self.one(drain, rows)
        return self.show(drain, row, services.evidence(self.actor, self.cloud, drain.pk, row.pk))

    def show(self, drain: Drain, row: InstanceMigration, evidence: Evidence) -> HttpResponse:
        return self.dialog(
            "evidence",
            drain,
            {
                "row": row,
                "happened": labels.said(row.message),
                "asked": row.wish == Wish.RESET,
                "answer": labels.said(row.answer),
                "evidence": evidence,
                "checks": certificate_page.told(evidence.checks),
                "meaning": labels.said(evidence.meaning),
                "by_hand": [labels.said(line) for line in evidence.by_hand],
                "read_at": formats.full_time(evidence.read_at),
                "submit_url": url(self.slug, drain),
                "look_url": f"{url(self.slug, drain)}?row={row.pk}",
            },
        )

    def one(self, drain: Drain, rows: list[InstanceMigration]) -> InstanceMigration:
        if len(rows) > 1:
            raise Refused(
                _("Instances are reset one by one, each on its own evidence."),
                code="one_by_one",
                remedy=_("Select one."),
            )
        return rows[0]

    def post(self, request, drain_id):
        drain = self.drain_here(drain_id, self.rule)
        try:
            row = self.one(drain, self.selected(drain, request.POST))
            evidence = services.evidence(self.actor, self.cloud, drain.pk, row.pk)
            if request.POST.get("confirmed") != "yes" or not evidence.complete:
                return self.show(drain, row, evidence)
            return self.answer(drain_id, told(self.button, self.do(drain, [row])))
        except Refused as error:
            return self.refused(drain_id, error)


#: the views of the instances, by slug; each has its own policy rule
INSTANCES_VIEWS: dict[str, type[InstancesView]] = {
    view.slug: view
    for view in (AbortView, ForceView, RetryView, RetryOnView, SkipView, FirstView, ResetView)
}

"""Steering instances of a drain: each view asks first (GET) and does it (POST)."""

from dataclasses import dataclass

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ukcloud_maintenance import services, store
from ukcloud_maintenance.core import steering
from ukcloud_maintenance.core.actor import (
    RULE_ABORT,
    RULE_FORCE,
    RULE_RESET,
    RULE_STEER,
)
from ukcloud_maintenance.core.copying.fraction import of_pass
from ukcloud_maintenance.core.host.evidence import Evidence
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.states import (
    DRAIN_TERMINAL,
    Direction,
    RequestKind,
)
from ukcloud_maintenance.core.steering import Verb
from ukcloud_maintenance.exceptions import Refused
from ukcloud_maintenance.services import Steered
from ukcloud_maintenance.store import Drain, InstanceMigration

from ..common import checks, formats, labels, words
from . import course
from .dialogs import SteeringView, refusal_text, told
from .offers import RETRY_ON, Button, button, url


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
        rows: list[InstanceMigration] = []
        try:
            rows = self.selected(drain, request.POST)
            if self.button.confirm and request.POST.get("confirmed") != "yes":
                return self.ask(drain, rows)
            return self.answer(drain_id, told(self.button, self.do(drain, rows)))
        except Refused as error:
            return self.refuse(drain, rows, error)

    def refuse(self, drain: Drain, rows: list[InstanceMigration], error: Refused) -> HttpResponse:
        return self.refused(drain.pk, error)

    def selected(self, drain: Drain, sent) -> list[InstanceMigration]:
        """The instances that were selected, in the order of the drain. The script names them all in
        one field, as Django takes 1,000 of them.

        :raises Refused: none is, or one is not part of this drain
        """
        ids = [pk for value in sent.getlist("row") for pk in value.split(",")]
        wanted = {int(pk) if pk.isdecimal() and len(pk) < 19 else -1 for pk in ids}
        if not wanted:
            raise Refused(message("none_in_table_selected"), code="nothing_selected")
        rows = [row for row in store.migrations(drain) if row.pk in wanted]
        if len(rows) < len(wanted):
            raise Refused(message("selected_elsewhere"), code="unknown_instance")
        return rows

    def do(self, drain: Drain, rows: list[InstanceMigration]) -> Steered:
        return services.steer(self.actor, drain.pk, self.verb, [row.pk for row in rows])

    def ask(self, drain: Drain, rows: list[InstanceMigration], **context: object) -> HttpResponse:
        fit, unfit = [], []
        for row in rows:
            if why := steering.objection(self.verb, row, drain):
                unfit.append(Judged(row, words.said(why)))
            else:
                fit.append(Judged(row, self.note(row)))
        return self.show(
            "drains/_steer",
            drain,
            button=self.button,
            question=self.question(len(fit)) if fit else "",
            consequences=self.consequences(drain, len(fit)) if fit else [],
            fit=fit,
            unfit=unfit,
            selected=",".join(str(one.row.pk) for one in fit),
            submit_url=url(self.slug, drain),
            **context,
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
            _("Each instance keeps running on its source host, without interruption."),
            _("The data copied so far is discarded."),
            _("It is not retried automatically: choose Retry for that."),
            _(
                "Nova 33 and 34 may set the server to ERROR about two seconds later,"
                " although its guest keeps running. This page recognizes that and says what"
                " to do."
            ),
        ]

    def note(self, row):
        copied = of_pass(row.attempt)
        if copied and row.attempt.nova_status == "running":
            text = (
                _("%(percent)s %% of the rewritten data copied")
                if row.attempt.pass_bytes
                else _("%(percent)s %% copied")
            )
            return text % {"percent": int(100 * copied)}
        return _("Nova status: %(status)s") % {"status": row.attempt.nova_status}


class ForceView(InstancesView):
    slug, verb, rule = "force", Verb.FORCE, RULE_FORCE

    def question(self, n):
        return ngettext(
            "Force this migration to complete?", "Force %(n)s migrations to complete?", n
        ) % {"n": n}

    def consequences(self, drain, n):
        return [
            _(
                "The guest is paused until the rest is copied. Its users notice: it does"
                " not respond meanwhile. Nova may copy more slowly than before, so the pause"
                " may be longer than estimated here."
            ),
            _(
                "Where Nova permits post-copy, the pause lasts only seconds: the guest"
                " continues on the destination, slower at first, and is lost if the network"
                " fails at that time."
            ),
            _("This cannot be undone; the migration can still be aborted while it copies."),
        ]

    def note(self, row):
        return _("paused %(time)s") % {"time": course.pause_text(row)}


class RetryView(InstancesView):
    slug, verb, rule = "retry", Verb.RETRY, RULE_STEER

    def question(self, n):
        return ngettext("Retry this instance?", "Retry %(n)s instances?", n) % {"n": n}

    def consequences(self, drain, n):
        said = [_("It gets its full number of attempts again.")]
        if drain.state in DRAIN_TERMINAL:
            back = drain.direction == Direction.BACK
            said.append(
                _("The bring-back has finished and is reopened.")
                if back
                else _("The drain has finished and is reopened.")
            )
        return said


class RetryOnView(RetryView):
    """The same, to a host that is named."""

    slug = RETRY_ON

    def question(self, n):
        return ngettext(
            "Retry this instance: to which host?",
            "Retry %(n)s instances: to which host?",
            n,
        ) % {"n": n}

    def ask(self, drain, rows, **context):
        return super().ask(drain, rows, hosts=self.hosts(drain), **context)

    def hosts(self, drain: Drain) -> list[tuple[str, str]]:
        """Those that can receive, with what the hypervisor says is free: name and text."""
        away = store.away_hosts(self.region) | {drain.host}
        found = []
        region = services.list_hosts(self.actor, self.cloud)
        age = formats.age(region.read_at, store.now())
        for facts in region.hosts:
            service = facts.service
            bare_metal = facts.hypervisor is not None and facts.hypervisor.is_bare_metal
            if bare_metal or facts.host in away or not service.is_up or service.status != "enabled":
                continue
            text = facts.host
            if facts.hypervisor:
                free = facts.hypervisor.memory_bytes - facts.hypervisor.memory_used_bytes
                words = _("%(host)s (%(size)s free %(age)s ago)")
                text = (words if age else _("%(host)s (%(size)s free)")) % {
                    "host": facts.host,
                    "size": formats.size(max(0, free)),
                    "age": age,
                }
            found.append((facts.host, text))
        return sorted(found, key=lambda host: formats.natural_key(host[0]))

    def do(self, drain, rows):
        destination = self.request.POST.get("destination", "").strip()
        if not destination:
            raise Refused(message("destination_missing"), field="destination")
        return services.steer(
            self.actor,
            drain.pk,
            self.verb,
            [row.pk for row in rows],
            destination=destination,
            cloud=self.cloud,
        )

    def refuse(self, drain, rows, error):
        if error.field != "destination":
            return super().refuse(drain, rows, error)
        chosen = self.request.POST.get("destination", "")
        return self.ask(drain, rows, chosen=chosen, destination_error=refusal_text(error))


class SkipView(InstancesView):
    slug, verb, rule = "skip", Verb.SKIP, RULE_STEER

    def question(self, n):
        return ngettext("Skip this instance?", "Skip %(n)s instances?", n) % {"n": n}

    def consequences(self, drain, n):
        if drain.direction == Direction.BACK:
            return [_("It stays where it is and is not brought back.")]
        return [
            _("It stays on %(host)s, so the host will not be empty.") % {"host": drain.host},
            _("Choose Retry to move it after all, as long as the drain has not finished."),
        ]


class FirstView(InstancesView):
    slug, verb, rule = "first", Verb.FIRST, RULE_STEER

    def question(self, n):
        return ngettext(
            "Move this instance to the front?", "Move these %(n)s instances to the front?", n
        ) % {"n": n}


class ResetView(InstancesView):
    """Set a server that Nova has in ERROR to active: offered beside the evidence, and only where
    that is complete. It is read with the admin's own token, when asked and when done."""

    slug, verb, rule = "reset", Verb.RESET, RULE_RESET

    def ask(self, drain, rows, **context):
        row = self.one(drain, rows)
        return self.weigh(drain, row, services.evidence(self.actor, self.cloud, drain.pk, row.pk))

    def weigh(self, drain: Drain, row: InstanceMigration, evidence: Evidence) -> HttpResponse:
        asked = row.requests.open
        return self.show(
            "drains/_evidence",
            drain,
            row=row,
            happened=labels.said(row.message),
            asked=asked is not None and asked.kind == RequestKind.RESET,
            answer=labels.said(row.requests.answer),
            evidence=evidence,
            checks=checks.told(evidence.checks),
            meaning=labels.said(evidence.meaning),
            by_hand=[labels.said(line) for line in evidence.by_hand],
            read_at=formats.zoned_time(evidence.read_at),
            submit_url=url(self.slug, drain),
            look_url=f"{url(self.slug, drain)}?row={row.pk}",
        )

    def one(self, drain: Drain, rows: list[InstanceMigration]) -> InstanceMigration:
        if len(rows) > 1:
            raise Refused(message("one_by_one"))
        return rows[0]

    def post(self, request, drain_id):
        drain = self.drain_here(drain_id, self.rule)
        try:
            row = self.one(drain, self.selected(drain, request.POST))
            evidence = services.evidence(self.actor, self.cloud, drain.pk, row.pk)
            if request.POST.get("confirmed") != "yes" or not evidence.complete:
                return self.weigh(drain, row, evidence)
            return self.answer(drain_id, told(self.button, self.do(drain, [row])))
        except Refused as error:
            return self.refused(drain_id, error)


#: the views of the instances, by slug; each has its own policy rule
INSTANCES_VIEWS: dict[str, type[InstancesView]] = {
    view.slug: view
    for view in (AbortView, ForceView, RetryView, RetryOnView, SkipView, FirstView, ResetView)
}

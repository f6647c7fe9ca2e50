"""The list of drains, and the page of one that keeps itself up to date."""

from django.http import HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from horizon.utils.functions import get_page_size

from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.states import DRAIN_TERMINAL, Direction

from ..common import labels, listing
from ..common.addresses import PANEL
from ..common.base import PanelPage, ScriptView
from ..common.worker import worker_warning
from . import overview as progress
from . import table
from .list import DrainRow
from .mark import Mark, mark
from .offers import Offers, url


class DrainsView(PanelPage):
    """All drains of the region, newest first."""

    template_name = "admin/maintenance/drains/drains.html"
    title = gettext_lazy("Drains")

    def get_context_data(self, **kwargs):
        now = store.now()
        query = listing.Query.of(self.request.GET)
        drains = store.find_drains(self.region, query.text, query.state)
        shown = listing.Paged(query, drains, get_page_size(self.request))
        counts = store.counts(d.pk for d in shown.page)
        # What was not brought back can be retried for ever, and its state says so.
        away = [d for d in shown.page if d.direction == Direction.AWAY]
        can_retry = store.those_that_can_retry(away)
        return super().get_context_data(
            tab="drains",
            listing=shown,
            rows=[DrainRow(d, counts[d.pk], now, can_retry=d.pk in can_retry) for d in shown.page],
            any_at_all=bool(shown.page) or store.drains(self.region).exists(),
            states=labels.drain_state_choices(),
            worker=worker_warning(services.worker_status(self.actor)),
            **kwargs,
        )


class DrainView(PanelPage):
    """One drain and its instances, from the database alone."""

    template_name = "admin/maintenance/drains/drain.html"
    title = gettext_lazy("Drain")

    def crumbs(self):
        return [(_("Drains"), reverse(f"{PANEL}:drains"))]

    def get_context_data(self, **kwargs):
        offers = Offers(self.actor)
        worker = services.worker_status(self.actor)
        there = mark(self.drain_here(self.kwargs["drain_id"], outline=True), worker)
        report = services.drain_report(self.actor, self.kwargs["drain_id"], worker=worker)
        drain = report.drain
        buttons = offers.buttons_of(drain)
        rows = table.rows(report, offers)
        columns = table.fields(offers)
        over = drain.state in DRAIN_TERMINAL
        return super().get_context_data(
            **{
                "page_title": progress.page_title(drain),
                "browser_title": progress.title(report),
                "drain": drain,
                "parts": progress.parts(report, offers),
                "fields": columns,
                "columns": len(columns) + 2 * bool(buttons),
                "rows": rows,
                "buttons": [{"button": one, "url": url(one.slug, drain)} for one in buttons],
                "offered": not over or any(row.verbs for row in rows),
                "states": table.state_choices(report),
                "token": there.of(report, offers),
                "over": drain.is_settled,
                "announcement": progress.announcement(report),
                "updates_url": reverse(f"{PANEL}:updates", args=[drain.pk]),
                **kwargs,
            }
        )


class UpdatesView(ScriptView):
    """What is new on a drain's page: 204 when nothing is, by two small queries; else the pieces
    above the table, and the rows that changed since what was seen. All rows to a page that shows
    none of them, or in other words.

    Answered from the database alone; OpenStack is not asked.
    """

    def get(self, request, drain_id):
        worker = services.worker_status(self.actor)
        there = mark(self.drain_here(drain_id, outline=True), worker)
        seen = Mark.read(request.GET.get("seen", ""))
        if seen and seen.holds(there):
            return HttpResponse(status=204)
        offers = Offers(self.actor)
        since = seen.rows_since(there) if seen else 0
        report = services.drain_report(self.actor, drain_id, since, worker)
        shown = there.of(report, offers)
        return JsonResponse(
            {
                "token": str(shown),
                "over": report.drain.is_settled,
                "title": progress.title(report),
                "now": report.now.isoformat(),
                "announcement": progress.announcement(report),
                "parts": progress.parts(report, offers),
                "rows": [row.as_json() for row in table.rows(report, offers)],
                "whole": not since,
                "verbs": table.verbs(report, offers) if seen and not seen.offers_as(shown) else {},
            }
        )

"""The hosts of the region, and one of them."""

from datetime import datetime

from django.http import JsonResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from horizon.utils.functions import get_page_size

from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.actor import RULE_RETURN, RULE_ROLL
from ukcloud_maintenance.core.states import DRAIN_TERMINAL
from ukcloud_maintenance.exceptions import CloudError, UnknownHost

from ..common import formats, labels, listing
from ..common.base import PanelPage, Problem, ScriptView, cloud_problem
from ..common.worker import worker_warning
from ..drains.list import DrainRow
from . import table as tables
from .history import HistoryRow, history
from .maintenance import MaintenanceCell, in_run, maintenance_cell
from .panel import HostPanel

DRAINS_ON_HOST_PAGE = 30
#: hosts of which a list without an inventory takes long
MANY = 100


class HostsView(PanelPage):
    """All hosts of the region. One request to Nova, or two where the worker keeps no inventory, and
    a small one for each row shown."""

    template_name = "admin/maintenance/hosts/index.html"

    def get_context_data(self, **kwargs):
        now = store.now()
        query = listing.Query.of(self.request.GET)
        problem = None
        found = services.RegionHosts([])
        try:
            found = services.list_hosts(self.actor, self.cloud)
        except CloudError as error:
            if error.status == 401:
                raise
            problem = cloud_problem(error)
        hosts = found.hosts
        records = services.host_records(self.actor, self.region)
        places = services.run_places(self.actor, self.region)
        shown = listing.listing(
            [
                tables.HostRow(
                    facts, records.get(facts.host), now, self.region, places.get(facts.host)
                )
                for facts in hosts
            ],
            tables.host_columns(),
            query,
            has_state=tables.host_has_state,
            page_size=get_page_size(self.request),
            default_sort="host",
        )
        self._look_at(shown, [facts.host for facts in hosts])
        worker = services.worker_status(self.actor)
        return super().get_context_data(
            tab="hosts",
            listing=shown,
            may_return=self.actor.may(RULE_RETURN) is True,
            may_roll=self.actor.may(RULE_ROLL) is True,
            states=tables.host_state_choices(),
            max_hosts=services.PLAN_MAX_HOSTS,
            zones=sorted({facts.service.zone for facts in hosts if facts.service.zone}),
            problem=problem,
            open_drains=self._open_drains(records, now) if problem else [],
            worker=worker_warning(worker),
            age=formats.age(found.read_at, now),
            is_slow=found.read_at is None and len(hosts) > MANY,
            count_problem=next((r.count_error for r in shown.page if r.count_error), ""),
            **kwargs,
        )

    def _look_at(self, shown: listing.Listing, among: list[str]) -> None:
        rows = [row for row in shown.page if row.facts.service.is_known]
        answers = services.hosts_now(
            self.actor, self.cloud, [row.facts for row in rows], among=among
        )
        for row in rows:
            row.is_now(answers[row.host])

    @staticmethod
    def _open_drains(records: dict[str, store.HostRecord], now: datetime) -> list[DrainRow]:
        """The drains and bring-backs in progress, to be reached while Nova does not tell its
        hosts."""
        found = [(r.drain, r.counts) for r in records.values()]
        found += [(r.run_back, r.back) for r in records.values() if r.run_back]
        return [DrainRow(d, counts, now) for d, counts in found if d.state not in DRAIN_TERMINAL]


class HostUpdatesView(ScriptView):
    """The maintenance column of the hosts that are in maintenance, or were drained or returned
    a moment ago.

    Answered from the database alone; OpenStack is not asked.
    """

    def get(self, request):
        now = store.now()
        records = services.host_records(self.actor, self.region, lately=True)
        places = services.run_places(self.actor, self.region)
        shown = {host: in_run(MaintenanceCell(), place) for host, place in places.items()}
        shown |= {
            host: in_run(maintenance_cell(record, now, in_service=False), places.get(host))
            for host, record in records.items()
            if record.maintenance
            or record.drain.finished_at is None
            or record.returned
            or record.run_back
            or now - record.drain.finished_at < services.JUST_NOW
            or host in places
        }
        cells = {
            host: render_to_string("admin/maintenance/hosts/_maintenance.html", {"cell": cell})
            for host, cell in shown.items()
        }
        return JsonResponse({"cells": cells})


class HostView(PanelPage):
    """One host: its service, its instances, its drains so far."""

    template_name = "admin/maintenance/hosts/host.html"

    @property
    def title(self) -> str:
        return self.kwargs["host"]

    def get_context_data(self, **kwargs):
        host = self.kwargs["host"]
        now = store.now()
        drains = list(store.drains_of(self.region, host)[: DRAINS_ON_HOST_PAGE + 1])
        page, problem = None, None
        try:
            page = services.host_page(self.actor, self.cloud, host)
        except UnknownHost:
            if not drains:
                raise
            problem = Problem(
                _("Nova no longer has a compute host of this name."),
                _("This page shows the record of its drains."),
            )
        except CloudError as error:
            if error.status == 401:
                raise
            problem = cloud_problem(error)
        place = services.run_of_host(self.actor, self.region, host)
        counts = store.counts(d.pk for d in drains)
        drain_rows = [HistoryRow(d, counts[d.pk], now) for d in drains]
        context = super().get_context_data(
            problem=problem,
            history=history(
                drain_rows[:DRAINS_ON_HOST_PAGE],
                store.maintenances_of(self.region, host)[:DRAINS_ON_HOST_PAGE],
                len(drains) > DRAINS_ON_HOST_PAGE,
                now,
            ),
            open_drain=next((row for row in drain_rows if row.is_open), None),
            panel=HostPanel(self.actor, self.region, host),
            place=place,
            is_yours=place is not None and services.is_yours(place),
            may_roll=self.actor.may(RULE_ROLL) is True,
            **kwargs,
        )
        if page:
            servers = sorted(page.servers, key=lambda s: formats.natural_key(s.name))
            context |= {
                "service": page.service,
                "state": labels.host_state(page.service),
                "service_status": labels.service_status(page.service),
                "updated": formats.when(page.service.updated_at, now, seconds=True),
                "servers": [
                    {
                        "facts": server,
                        "url": reverse("horizon:admin:instances:detail", args=[server.id]),
                        "project": page.projects.get(server.project_id, server.project_id),
                        "memory": formats.size(server.memory_bytes),
                    }
                    for server in servers
                ],
                "memory": formats.size(sum(s.memory_bytes for s in servers)),
            }
        return context

"""The record of a drain: its timeline, its picture and its export, from the database alone.

Timeline and picture are requested by the script of the drain's page, when their section is
opened; without a script, a link leads to the same as a page.
"""

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.record import export
from ukcloud_maintenance.store import Drain

from ..common.addresses import PANEL
from ..common.base import PanelView, Problem, is_ajax, uncached
from .picture import Picture, picture_token
from .timeline import Timeline, TimelineQuery


class RecordView(PanelView):
    """A part of a drain's record: as a piece of its page, or as a page of its own.

    A request that names what it has seen is answered with 204 while there is nothing new.
    """

    http_method_names = ["get", "head"]
    template = ""
    name = ""

    def get(self, request, drain_id):
        drain = self.drain_here(drain_id)
        token = self.token(drain)
        if request.GET.get("seen") == token:
            return HttpResponse(status=204)
        context = {
            "drain": drain,
            "token": token,
            "over": drain.is_settled,
            "own_url": reverse(f"{PANEL}:{self.name}", args=[drain.pk]),
            **self.content(drain),
        }
        if is_ajax(request):
            return uncached(render(request, f"admin/maintenance/record/_{self.template}", context))
        title = _("Drain %(id)s of %(host)s") % {"id": drain.pk, "host": drain.host}
        context |= {
            "page_title": f"{self.title}: {title}",
            "record_template": f"admin/maintenance/record/_{self.template}",
            "custom_breadcrumb": [
                (_("Drains"), reverse(f"{PANEL}:drains")),
                (title, reverse(f"{PANEL}:drain", args=[drain.pk])),
            ],
        }
        return render(request, "admin/maintenance/record/record.html", context)

    def token(self, drain: Drain) -> str:
        """Names what is shown."""
        raise NotImplementedError

    def content(self, drain: Drain) -> dict:
        raise NotImplementedError

    def problem(self, problem: Problem, status: int) -> HttpResponse:
        if is_ajax(self.request):
            return JsonResponse({"message": problem.text}, status=status)
        return super().problem(problem, status)


class TimelineView(RecordView):
    """Who did what and when."""

    template = "timeline.html"
    name = "timeline"
    title = gettext_lazy("Timeline")

    def token(self, drain: Drain) -> str:
        return f"{store.newest_event(drain.pk)}-{int(drain.is_settled)}"

    def content(self, drain: Drain) -> dict:
        query = TimelineQuery.of(self.request.GET)
        return {"timeline": Timeline(drain, query, store.now())}


class PictureView(RecordView):
    """Every instance through the time of the drain."""

    template = "lanes.html"
    name = "picture"
    title = gettext_lazy("Chart")

    def token(self, drain: Drain) -> str:
        return picture_token(drain, store.now())

    def content(self, drain: Drain) -> dict:
        return {"picture": Picture(drain, store.now())}


class ExportView(PanelView):
    """A drain as a file.

    :param form: of `core.export`
    """

    http_method_names = ["get", "head"]
    title = gettext_lazy("Export")
    form = export.JSON

    def get(self, request, drain_id):
        self.drain_here(drain_id)
        document = services.export_drain(self.actor, drain_id)
        response = HttpResponse(
            export.rendered(document, self.form), content_type=export.CONTENT_TYPES[self.form]
        )
        name = export.file_name(document, self.form)
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response

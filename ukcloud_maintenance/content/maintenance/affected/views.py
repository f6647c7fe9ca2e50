"""Who is affected by a drain, a plan or a run: a page of its own, and files.

The database has nearly all of it; Keystone is asked for the e-mail addresses, with the admin's own
token. What it does not tell is said.
"""

from typing import NamedTuple

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from ukcloud_maintenance import services
from ukcloud_maintenance.core.actor import RULE_AFFECTED
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.exceptions import Refused
from ukcloud_maintenance.services import AFFECTED_FORMS, Affected, AffectedRequest

from ..common import formats, words
from ..common.addresses import PANEL
from ..common.base import PanelPage, PanelView, uncached

#: Projects on a page; the files have all of them.
SHOWN = 100
_FORMS = {"csv": "CSV", "json": "JSON", "text": gettext_lazy("Text for customers")}


class _Row(NamedTuple):
    name: str
    server_id: str
    url: str
    host: str
    when: str
    effect: str
    at_most: str


class _Of(PanelView):
    """What one drain, plan or run of the chosen region means, and for whom.

    :param of: drain, plan or run
    """

    rule = RULE_AFFECTED
    http_method_names = ["get", "head"]
    of = "drain"

    def found(self) -> Affected:
        """:raises Refused: there is no such thing, or it belongs to another region"""
        number = self.kwargs[f"{self.of}_id"]
        request = (
            AffectedRequest((number,))
            if self.of == "drain"
            else AffectedRequest(**{f"{self.of}_id": number})
        )
        theirs = services.affected_region(self.actor, request)
        if theirs != self.region:
            said = message("other_region", theirs=theirs, region=self.region)
            raise Refused(said, code=f"unknown_{self.of}")
        return services.affected(self.actor, self.cloud, request)

    def back(self) -> str:
        return reverse(f"{PANEL}:{self.of}", kwargs=self.kwargs)


class AffectedView(PanelPage, _Of):
    """Who is affected, by project."""

    template_name = "admin/maintenance/affected/affected.html"
    title = gettext_lazy("Who Is Affected")

    def crumbs(self):
        several, one = {
            "drain": (_("Drains"), _("Drain %(id)s")),
            "plan": (_("Plans"), _("Plan %(id)s")),
            "run": (_("Runs"), _("Run %(id)s")),
        }[self.of]
        return [
            (several, reverse(f"{PANEL}:{self.of}s")),
            (one % {"id": self.kwargs[f"{self.of}_id"]}, self.back()),
        ]

    def get_context_data(self, **kwargs):
        found = self.found()
        beyond = len(found.projects) - SHOWN
        return super().get_context_data(
            found=found,
            back=self.back(),
            summary=_summary(found),
            again=any(one.may_move_again for one in found.instances),
            waits=bool(found.run_id and found.hosts),
            problems=[words.said(one) for one in found.problems],
            projects=[(one, _rows(one)) for one in found.projects[:SHOWN]],
            beyond=_beyond(beyond) if beyond > 0 else "",
            files=[
                (reverse(f"{PANEL}:affected_{self.of}_{form}", kwargs=self.kwargs), _FORMS[form])
                for form in AFFECTED_FORMS
            ],
            **kwargs,
        )


class AffectedFileView(_Of):
    """The same as a file.

    :param form: one of `services.AFFECTED_FORMS`
    """

    title = gettext_lazy("Who Is Affected")
    form = "json"

    def get(self, request, **_kwargs):
        found = self.found()
        answer = HttpResponse(
            services.affected_rendered(found, self.form),
            content_type=services.AFFECTED_TYPES[self.form],
        )
        name = services.affected_file_name(found, self.form)
        answer["Content-Disposition"] = f'attachment; filename="{name}"'
        return uncached(answer)


def _summary(found: Affected) -> str:
    text = ngettext(
        "%(n)s instance of %(projects)s.", "%(n)s instances of %(projects)s.", found.number
    )
    projects = _projects(len(found.projects))
    said = text % {"n": formats.number(found.number), "projects": projects}
    if twice := sum(one.move == 2 for one in found.instances):
        more = _("%(n)s of them with more than one move.") % {"n": formats.number(twice)}
        said = f"{said} {more}"
    return said


def _projects(number: int) -> str:
    text = ngettext("%(n)s project", "%(n)s projects", number)
    return text % {"n": formats.number(number)}


def _beyond(number: int) -> str:
    text = ngettext(
        "%(n)s more project is in the files.", "%(n)s more projects are in the files.", number
    )
    return text % {"n": formats.number(number)}


def _rows(project: services.AffectedProject) -> list[_Row]:
    return [
        _Row(
            one.server_name or one.server_id,
            one.server_id,
            reverse("horizon:admin:instances:detail", args=[one.server_id]),
            one.host,
            words.said(one.when) or formats.NOTHING,
            words.said(one.effect.said),
            _at_most(one.effect.at_most),
        )
        for one in project.instances
    ]


def _at_most(seconds: float | None) -> str:
    if seconds is None:
        return _("unknown")
    return formats.about(seconds) if seconds else formats.NOTHING

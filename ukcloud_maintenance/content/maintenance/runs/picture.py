"""The picture of a run: every host through its time, a lane for each.

Solid is what was, pale is the forecast; the ground is shaded where a window is open. The words of
it are here too, for who does not see it; times are in the reader's zone.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from ukcloud_maintenance.core.run.course import Happened, HostNow, Stretch, courses
from ukcloud_maintenance.core.run.states import STAGES_IN_PROGRESS, STAGES_OVER, Stage
from ukcloud_maintenance.core.run.windows import WindowError, parse_all
from ukcloud_maintenance.services import RunReport, is_yours
from ukcloud_maintenance.store import Event, RunHost

from ..common import formats, svg
from ..common.addresses import of_host
from ..common.formats import NOTHING
from ..common.svg import BAR_HEIGHT, LANE_HEIGHT
from . import labels
from .events import host_of

#: Per cent of the width that time takes; what is right of it is for the word at the end of a lane.
PLOT = 80.0
_PATTERN = "mnt-run-hatch"


class Picture:
    """:param record: what happened in the run, in its order"""

    def __init__(self, report: RunReport, record: Sequence[Event]):
        self.report = report
        self.run = report.run
        self.hosts = report.hosts
        self.now = report.now
        happened = [
            Happened(one.at, one.kind, host) for one in record if (host := host_of(one.message))
        ]
        now = [HostNow(host.host, Stage(host.stage), host.since) for host in self.hosts]
        found = courses(now, happened)
        #: the stretches of each host that are drawn
        self.stretches = {
            host: [one for one in every if one.stage in STAGES_IN_PROGRESS]
            for host, every in found.items()
        }
        self.ahead = self._ahead()
        self.begin, self.end = self._span()
        self.scale = svg.Scale(self.begin, self.end, PLOT)
        try:
            self.openings = parse_all(self.run.windows).openings(self.begin, self.end)
        except WindowError:  # its zone is not known on this machine
            self.openings = ()

    def _ahead(self) -> dict[str, tuple[datetime, datetime]]:
        """When each host that is not over is forecast to begin and to end."""
        if self.report.forecast is None:
            return {}
        left = [host.host for host in self.hosts if host.stage not in STAGES_OVER]
        found = zip(left, self.report.forecast.hosts, strict=False)
        return {host: opening for host, opening in found if opening is not None}

    def _span(self) -> tuple[datetime, datetime]:
        starts = [one.start for every in self.stretches.values() for one in every]
        ends = [one.end for every in self.stretches.values() for one in every if one.end]
        begin = min(starts, default=self.run.created_at)
        if self.report.is_over:
            end = max([self.run.finished_at or self.now, *ends])
        else:
            end = max([self.now, *(opening[1] for opening in self.ahead.values())])
        # what began long after it was requested is not a picture of that waiting
        begin = max(min(self.run.created_at, begin), begin - (end - begin) / 20)
        return begin, max(end, begin + timedelta(seconds=1))

    @property
    def height(self) -> int:
        return len(self.hosts) * LANE_HEIGHT

    # -- words -----------------------------------------------------------------------------

    def _clock(self, at: datetime) -> str:
        return formats.clock(at, self.now)

    def _times(self, since: datetime, until: datetime) -> str:
        return f"{self._clock(since)} {NOTHING} {self._clock(until)}"

    def words(self, host: RunHost) -> str:
        """A lane for who does not see it."""
        said = [labels.stage_words(host.stage)]
        took = [
            f"{labels.stage_words(one.stage)} {formats.duration((one.end or self.now) - one.start)}"
            for one in self.stretches[host.host]
        ]
        if took:
            said.append(", ".join(took))
        if host.host in self.ahead:
            end = self._clock(self.ahead[host.host][1])
            said.append(_("ends about %(time)s") % {"time": end})
        return "; ".join(said)

    @property
    def summary(self) -> str:
        return _("Run %(id)s from %(begin)s to %(end)s, a lane for each host.") % {
            "id": self.run.pk,
            "begin": formats.full_time(self.begin),
            "end": formats.full_time(self.end),
        }

    def legend(self) -> list[tuple[SafeString, str]]:
        """What occurs in this picture: a sample of it, and what it means."""
        stages = {one.stage for every in self.stretches.values() for one in every}
        found = [
            (svg.sample(_bar(stage.value, "0", "100%", 1)), labels.stage_words(stage))
            for stage in Stage
            if stage in stages
        ]
        if self.ahead:
            found.append((svg.sample(_bar("forecast", "0", "100%", 1)), _("forecast")))
        if self.run.windows and self.openings:
            ground = mark_safe('<rect class="mnt-window" width="100%" height="14"></rect>')
            found.append((svg.sample(ground), _("a window is open")))
        if not self.report.is_over:
            line = mark_safe('<line class="mnt-now" x1="50%" x2="50%" y1="0" y2="14"></line>')
            found.append((svg.sample(line), _("now")))
        return found

    # -- drawing ---------------------------------------------------------------------------

    def html(self) -> SafeString:
        legend = format_html_join(" ", "<span>{} {}</span>", self.legend())
        names = format_html_join(
            "",
            '<li><a href="{}" title="{}: {}">{}</a><span class="sr-only">: {}</span></li>',
            (
                (of_host("host", host.host, self.run.region), host.host, said, host.host, said)
                for host in self.hosts
                for said in [self.words(host)]
            ),
        )
        return format_html(
            '<p class="mnt-legend">{}</p><div class="mnt-lanes" tabindex="0" role="region"'
            ' aria-label="{}"><div class="mnt-lanes-head">'
            '<span class="mnt-lanes-zone mnt-quiet">{}</span>{}</div>'
            '<div class="mnt-lanes-body"><ol class="mnt-lanes-names">{}</ol>{}</div></div>',
            legend,
            _("Chart of the run"),
            timezone.localtime(self.begin).tzname() or "",
            self.scale.axis(self._ticks(), edge=4),
            names,
            self._svg(),
        )

    def _ticks(self) -> list[tuple[datetime, str]]:
        return formats.labelled_ticks(self.begin, self.end, self.now, most=7)

    def _svg(self) -> SafeString:
        scale, height = self.scale, self.height
        pieces = [self._window(*opening) for opening in self.openings if self.run.windows]
        pieces += [scale.line("mnt-tick", at, height) for at, _text in self._ticks()]
        pieces += [self._lane(host, n * LANE_HEIGHT) for n, host in enumerate(self.hosts)]
        if not self.report.is_over:
            pieces.append(scale.line("mnt-now", self.now, height))
        css = "mnt-lanes-picture mnt-run-picture"
        return svg.picture(css, self.summary, height, pieces, _PATTERN, "mnt-hatch-line")

    def _window(self, opens: datetime, closes: datetime) -> SafeString:
        title = _("A window is open, %(times)s") % {"times": self._times(opens, closes)}
        return self.scale.ground("mnt-window", opens, closes, self.height, title)

    def _lane(self, host: RunHost, top: int) -> SafeString:
        y = top + (LANE_HEIGHT - BAR_HEIGHT) // 2
        pieces = [self._stretch(host, one, y) for one in self.stretches[host.host]]
        ahead = self.ahead.get(host.host)
        if ahead is not None:
            begins = self.now if host.stage in STAGES_IN_PROGRESS else ahead[0]
            pieces.append(self._forecast(host, begins, ahead[1], y))
        pieces.append(self._end(host, top))
        return svg.lane(top, pieces)

    def _stretch(self, host: RunHost, one: Stretch, y: int) -> SafeString:
        end = one.end or (self.end if self.report.is_over else self.now)
        left, width = self.scale.stretch(one.start, end)
        until = self._clock(end) if one.end else _("now")
        title = ", ".join(
            (
                host.host,
                labels.stage_words(one.stage),
                f"{self._clock(one.start)} {NOTHING} {until}",
                formats.duration(end - one.start),
            )
        )
        return _bar(one.stage.value, f"{left}%", f"{width}%", y, title)

    def _forecast(self, host: RunHost, begins: datetime, ends: datetime, y: int) -> SafeString:
        left, width = self.scale.stretch(begins, ends)
        title = _("%(host)s, forecast: %(times)s") % {
            "host": host.host,
            "times": self._times(begins, ends),
        }
        return _bar("forecast", f"{left}%", f"{width}%", y, title)

    def _end(self, host: RunHost, top: int) -> SafeString:
        """How the host is, right behind what is drawn of it."""
        drawn = self.stretches[host.host]
        at = drawn[-1].end or self.now if drawn else self.begin
        if host.host in self.ahead:
            at = max(at, self.ahead[host.host][1])
        failed = host.stage == Stage.FAILED
        said = _("waits for you") if is_yours(host) else labels.stage_words(host.stage)
        text = f"\N{MULTIPLICATION SIGN} {said}" if failed else said
        return svg.lane_end("failed" if failed else "open", self.scale.x(at), top, text)


def _bar(css: str, x: str, width: str, y: int, title: str = "") -> SafeString:
    return svg.segment(css, x, width, y, title, hatch=_PATTERN if css == Stage.ACTING else "")

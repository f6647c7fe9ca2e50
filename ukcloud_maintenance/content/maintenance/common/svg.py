"""The shapes that a picture of lanes is drawn with, as SVG.

Widths are per cent and heights pixels, so that a picture fits any window and its letters keep
their size; colours are those of the style sheet, made for light and dark themes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from ukcloud_maintenance.core.record.lanes import ATTEMPT, Outcome, Stretch

from .elements import joined

LANE_HEIGHT = 24  # pixels: what a finger needs (WCAG 2.2, 2.5.8)
BAR_HEIGHT = 12
_WAITING_HEIGHT = 6
_AXIS_HEIGHT = 24
#: Per cent of the width that are left of the time, for a mark at its beginning.
LEFT = 1.0
#: Per cent of a stretch that would be too narrow to be seen.
_NARROWEST = 0.25
#: how old a picture may get while things go on, in seconds
REDRAWN_EVERY = 15


@dataclass(frozen=True)
class Scale:
    """Where moments are, in per cent of the width.

    :param plot: what time takes of the width
    """

    begin: datetime
    end: datetime
    plot: float

    def x(self, moment: datetime) -> float:
        seconds = max((self.end - self.begin).total_seconds(), 1.0)
        share = (moment - self.begin).total_seconds() / seconds
        return round(LEFT + self.plot * min(max(share, 0.0), 1.0), 3)

    def stretch(self, since: datetime, until: datetime) -> tuple[float, float]:
        """Its left edge and its width, which is seen however short it is."""
        left = self.x(since)
        return left, max(round(self.x(until) - left, 3), _NARROWEST)

    def axis(self, ticks: Iterable[tuple[datetime, str]], edge: float) -> SafeString:
        """The times above the lanes.

        :param edge: per cent of the width in which a time does not fit around its tick
        """
        at = ((self.x(moment), text) for moment, text in ticks)
        return format_html(
            '<svg class="mnt-lanes-times" height="{}" width="100%" aria-hidden="true"'
            ' focusable="false">{}</svg>',
            _AXIS_HEIGHT,
            format_html_join(
                "",
                '<text x="{}%" y="15" text-anchor="{}">{}</text>',
                ((x, "start" if x < edge else "middle", text) for x, text in at),
            ),
        )

    def line(self, css: str, at: datetime, height: int) -> SafeString:
        return format_html(
            '<line class="{0}" x1="{1}%" x2="{1}%" y1="0" y2="{2}"></line>', css, self.x(at), height
        )

    def ground(
        self, css: str, since: datetime, until: datetime, height: int, title: str
    ) -> SafeString:
        """A stretch of time behind all lanes."""
        left, width = self.stretch(since, until)
        return format_html(
            '<rect class="{}" x="{}%" y="0" width="{}%" height="{}"><title>{}</title></rect>',
            css,
            left,
            width,
            height,
            title,
        )


def picture(
    css: str, summary: str, height: int, pieces: Iterable[SafeString], hatch: str, line: str = ""
) -> SafeString:
    """:param hatch: the id of the pattern of what is hatched
    :param line: the class of its lines
    """
    return format_html(
        '<svg class="{}" role="img" aria-label="{}" width="100%" height="{}" focusable="false">'
        '<defs><pattern id="{}" width="6" height="6" patternUnits="userSpaceOnUse"'
        ' patternTransform="rotate(45)"><rect{} width="2.5" height="6"></rect></pattern></defs>'
        "{}</svg>",
        css,
        summary,
        height,
        hatch,
        format_html(' class="{}"', line) if line else "",
        joined(pieces, ""),
    )


def lane(top: int, pieces: Iterable[SafeString]) -> SafeString:
    return format_html(
        '<g class="mnt-lane"><rect class="mnt-lane-ground" x="0" y="{}" width="100%"'
        ' height="{}"></rect>{}</g>',
        top,
        LANE_HEIGHT,
        joined(pieces, ""),
    )


def lane_end(css: str, x: float, top: int, text: str) -> SafeString:
    """What is said right behind the last stretch of a lane."""
    return format_html(
        '<text class="mnt-lane-end mnt-lane-{}" x="{}%" dx="9" y="{}">{}</text>',
        css,
        x,
        top + LANE_HEIGHT // 2 + 4,
        text,
    )


def bar(kind: Stretch, outcome: Outcome, x: str, width: str, y: int, title: str = "") -> SafeString:
    failed = kind in ATTEMPT and outcome in (Outcome.FAILED, Outcome.ABORTED)
    css = "failed" if failed else kind.value
    hatched = failed or kind in (Stretch.BLOCKED, Stretch.QUEUED)
    height = _WAITING_HEIGHT if css == Stretch.WAITING else BAR_HEIGHT
    y += (BAR_HEIGHT - height) // 2
    return segment(css, x, width, y, title, height, "mnt-hatch" if hatched else "")


def segment(
    css: str, x: str, width: str, y: int, title: str, height: int = BAR_HEIGHT, hatch: str = ""
) -> SafeString:
    """:param hatch: the id of the pattern that it is hatched with, or empty"""
    box = format_html('x="{}" y="{}" width="{}" height="{}"', x, y, width, height)
    return format_html(
        '<g class="mnt-seg mnt-seg-{}">{}<rect {} rx="1.5"></rect>{}</g>',
        css,
        format_html("<title>{}</title>", title) if title else "",
        box,
        format_html('<rect class="mnt-hatched" {} fill="url(#{})"></rect>', box, hatch)
        if hatch
        else "",
    )


def _shape(css: str, path: str, x: str, y: int, title: str) -> SafeString:
    return format_html(
        '<svg class="{}" x="{}" y="{}" overflow="visible"><g>{}<path d="{}"></path></g></svg>',
        css,
        x,
        y + BAR_HEIGHT // 2,
        format_html("<title>{}</title>", title) if title else "",
        path,
    )


def cross(x: str, y: int, title: str) -> SafeString:
    return _shape("mnt-cross", "M-4.5-4.5l9 9m0-9l-9 9", x, y, title)


def diamond(x: str, y: int, title: str) -> SafeString:
    return _shape("mnt-diamond", "M0-5l5 5-5 5-5-5z", x, y, title)


def sample(drawn: SafeString) -> SafeString:
    return format_html(
        '<svg width="26" height="14" aria-hidden="true" focusable="false">{}</svg>', drawn
    )

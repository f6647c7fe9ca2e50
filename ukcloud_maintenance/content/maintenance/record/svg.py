"""The shapes that a picture of lanes is drawn with, as SVG.

Widths are per cent and heights pixels, so that a picture fits any window and its letters keep
their size; colours are those of the style sheet, made for light and dark themes.
"""

from django.utils.html import format_html
from django.utils.safestring import SafeString

from ukcloud_maintenance.core.record.lanes import ATTEMPT, Outcome, Stretch

BAR_HEIGHT = 12
_WAITING_HEIGHT = 6


def bar(kind: Stretch, outcome: Outcome, x: str, width: str, y: int, title: str = "") -> SafeString:
    failed = kind in ATTEMPT and outcome in (Outcome.FAILED, Outcome.ABORTED)
    css = "failed" if failed else kind.value
    hatched = failed or kind in (Stretch.BLOCKED, Stretch.QUEUED)
    height = _WAITING_HEIGHT if css == Stretch.WAITING else BAR_HEIGHT
    y += (BAR_HEIGHT - height) // 2
    box = format_html('x="{}" y="{}" width="{}" height="{}"', x, y, width, height)
    return format_html(
        '<g class="mnt-seg mnt-seg-{}">{}<rect {} rx="1.5"></rect>{}</g>',
        css,
        format_html("<title>{}</title>", title) if title else "",
        box,
        format_html('<rect class="mnt-hatched" {} fill="url(#mnt-hatch)"></rect>', box)
        if hatched
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

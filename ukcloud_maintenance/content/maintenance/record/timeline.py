"""The timeline of a drain: who did what and when, a page of its events at a time."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.urls import reverse
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from ukcloud_maintenance import store
from ukcloud_maintenance.core.states import Direction
from ukcloud_maintenance.store import Drain, Event

from ..common import formats
from .events import ICONS, event_text, kind_class, kind_tone, kind_words

EVENTS_ON_PAGE = 100
MESSAGE_SHOWN = 160
WORKER, ADMIN = "worker", "admin"
NEWEST, OLDEST = "newest", "oldest"


def _ago(moment: datetime, now: datetime) -> str:
    if now - moment < timedelta(minutes=1):
        return _("just now")
    return _("%(time)s ago") % {"time": timesince(moment, now, depth=1)}


class EventRow:
    """One event as the timeline shows it."""

    def __init__(self, event: Event, workers: frozenset[str], now: datetime, back: bool = False):
        self.event = event
        self.is_worker = event.actor in workers
        # A worker's name is its machine's, its process and its start.
        self.who = event.actor.split(":")[0] if self.is_worker else event.actor
        self.words = kind_words(event.kind, back)
        self.css = kind_class(event.kind)
        self.tone = kind_tone(event.kind)
        self.icon = ICONS[self.tone]
        self.iso = event.at.isoformat()
        self.at = formats.zoned_time(event.at)
        self.ago = _ago(event.at, now)
        self.text = event_text(event)
        cut = formats.cut(self.text, MESSAGE_SHOWN)
        self.short = cut if cut != self.text else ""
        row = event.migration
        self.instance = (row.server_name or row.server_id) if row else ""
        self.url = reverse("horizon:admin:instances:detail", args=[row.server_id]) if row else ""


@dataclass(frozen=True)
class TimelineQuery:
    """What of the timeline is requested.

    :param text: in the name or id of an instance
    :param who: :data:`WORKER`, :data:`ADMIN` or empty
    :param order: :data:`NEWEST` first, or :data:`OLDEST`
    """

    text: str = ""
    who: str = ""
    order: str = NEWEST
    page: int = 1

    @classmethod
    def of(cls, given) -> "TimelineQuery":
        """From a request's GET; what is nonsense is left out."""
        who = given.get("who", "")
        page = given.get("page", "")
        return cls(
            text=given.get("q", "").strip()[:255],
            who=who if who in (WORKER, ADMIN) else "",
            order=OLDEST if given.get("order") == OLDEST else NEWEST,
            page=int(page) if re.fullmatch(r"[1-9]\d{0,6}", page) else 1,
        )

    @property
    def is_filtered(self) -> bool:
        return bool(self.text or self.who)

    def url(self, page: int) -> str:
        order = self.order if self.order != NEWEST else ""
        wanted = {"q": self.text, "who": self.who, "order": order}
        wanted["page"] = str(page) if page > 1 else ""
        return "?" + urlencode({key: value for key, value in wanted.items() if value})


class Timeline:
    """One page of the events of a drain: four queries, however many there are."""

    def __init__(self, drain: Drain, query: TimelineQuery, now: datetime):
        self.query = query
        by_worker = {WORKER: True, ADMIN: False}.get(query.who)
        found = store.find_events(drain, query.text, by_worker)
        if query.order == NEWEST:
            found = found.order_by("-at", "-id")
        self.page: Page = Paginator(found, EVENTS_ON_PAGE).get_page(query.page)
        shown = list(self.page)
        workers = store.workers_among(event.actor for event in shown)
        back = drain.direction == Direction.BACK
        self.rows = [EventRow(event, workers, now, back) for event in shown]

    # what `_pages.html` asks for
    @property
    def previous_url(self) -> str:
        return self.query.url(self.page.previous_page_number())

    @property
    def next_url(self) -> str:
        return self.query.url(self.page.next_page_number())

    @staticmethod
    def who_choices() -> list[tuple[str, str]]:
        return [(ADMIN, _("requests by people")), (WORKER, _("actions of the worker"))]

    @staticmethod
    def order_choices() -> list[tuple[str, str]]:
        return [(NEWEST, _("newest first")), (OLDEST, _("oldest first"))]

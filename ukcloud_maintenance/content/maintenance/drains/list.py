"""The rows of the list of drains."""

from datetime import datetime

from django.urls import reverse

from ukcloud_maintenance.core.states import DRAIN_OPEN, Direction
from ukcloud_maintenance.store import Counts, Drain

from ..common import counted, formats, labels
from ..common.addresses import PANEL, of_host


class DrainRow:
    """One drain as the lists show it.

    :param can_retry: whether somebody can still see to what failed, where the drain is over
    """

    def __init__(self, drain: Drain, counts: Counts, now: datetime, *, can_retry: bool = False):
        self.drain = drain
        self.name = labels.drain_name(drain)
        self.label = labels.drain_state(drain, counts)
        self.share = counted.share(counts)
        self.stay = counts.stay
        self.url = reverse(f"{PANEL}:drain", args=[drain.pk])
        self.host_url = of_host("host", drain.host, drain.region)
        self.plan_url = reverse(f"{PANEL}:plan", args=[drain.plan_id]) if drain.plan_id else ""
        self.asked = formats.when(drain.created_at, now)
        self.finished = formats.when(drain.finished_at, now)
        self.needs = labels.needs_badge(
            counts.in_need(drain.state, can_retry=can_retry), labels.alarm(counts)
        )
        self.took = ""
        if drain.started_at:
            self.took = formats.duration((drain.finished_at or now) - drain.started_at)
        self.is_back = drain.direction == Direction.BACK
        self.is_open = drain.state in DRAIN_OPEN

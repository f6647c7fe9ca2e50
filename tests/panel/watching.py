"""A browser that watches a drain, as far as it keeps what it was sent."""

import json
import re
from datetime import timedelta
from unittest import mock

from django.test import RequestFactory
from django.utils import timezone
from openstack_auth import utils as auth_utils

from tests.panel.conftest import make_user
from ukcloud_maintenance import store
from ukcloud_maintenance.content.maintenance.drains.views import UpdatesView

#: what ticks by itself in the browser
_TICKS = re.compile(r'(data-(?:since|until)="[^"]*">)[^<]*')


def ask(drain: store.Drain, seen: str = ""):
    """What the drain's page is answered: the view's own answer."""
    request = RequestFactory().get("/", {"seen": seen} if seen else {})
    request.user = user = make_user("admin")
    user.token.expires = timezone.now() + timedelta(hours=1)  # by the clock of the test
    request.session = {}
    with mock.patch.object(auth_utils, "get_user", return_value=user):
        return UpdatesView.as_view()(request, drain_id=drain.pk)


class Watcher:
    """Asks for news, and does with them what maintenance.live.js and maintenance.drain.js do.

    :ivar rows: what it shows of each instance, by the row's id
    :ivar touched: the rows of the last answer; None where there was no news
    """

    def __init__(self, drain: store.Drain):
        self.drain = drain
        self.token = ""
        self.rows: dict[int, dict] = {}
        self.shown: dict = {}
        self.touched: set[int] | None = None
        self.poll()

    def poll(self, lost: bool = False) -> "Watcher":
        """:param lost: the answer does not arrive"""
        answer = ask(self.drain, self.token)
        if lost:
            return self
        self.touched = None
        if answer.status_code == 200:
            self._show(_data(answer))
        else:
            assert answer.status_code == 204
        return self

    def _show(self, data: dict) -> None:
        self.token = data["token"]
        sent = {row["id"]: row for row in data["rows"]}
        self.rows = sent if data["whole"] else self.rows | sent
        for pk, verbs in data["verbs"].items():
            self.rows[int(pk)]["verbs"] = verbs
        self.touched = set(sent)
        self.shown = data

    def assert_up_to_date(self) -> None:
        """It shows what somebody who opens the page now is shown."""
        fresh = _data(ask(self.drain))
        rows = {row["id"]: row for row in fresh["rows"]}
        assert _still(self.rows) == _still(rows)
        for name in ("title", "over", "announcement"):
            assert self.shown[name] == fresh[name]
        # What is estimated goes by what was known at the last change.
        mine, now = ({**data["parts"], "facts": ""} for data in (self.shown, fresh))
        assert _still(mine) == _still(now)


def _data(answer) -> dict:
    assert answer.status_code == 200
    return json.loads(answer.content)


def _still(shown):
    if isinstance(shown, dict):
        return {key: _still(value) for key, value in shown.items()}
    if isinstance(shown, list):
        return [_still(value) for value in shown]
    return _TICKS.sub(r"\1", shown) if isinstance(shown, str) else shown

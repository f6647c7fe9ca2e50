"""What it costs that many admins watch a drain: each of them asks for news every two seconds."""

import json
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

INSTANCES = 300
#: rows that a pass of the worker changes: two are copied, the next one begins
CHANGED = 3


def measure(watchers: int) -> dict[str, Any]:
    """Of one drain of :data:`INSTANCES` instances.

    Milliseconds are of processor time for one poll, the cheapest of all: of the view by
    itself, and with what Horizon's middleware adds to it (session, user, messages).

    :param watchers: how many browsers ask in turn, after each change and once more after that
    """
    from django.test import Client, RequestFactory
    from django.urls import reverse
    from keystoneauth1.session import Session
    from openstack_auth import utils as auth_utils

    from tests.panel.conftest import make_user
    from ukcloud_maintenance import store
    from ukcloud_maintenance.content.maintenance.drains.views import UpdatesView

    drain, change = _drain_under_way()
    user = make_user("admin")
    view, url = UpdatesView.as_view(), reverse("horizon:admin:maintenance:updates", args=[drain.pk])
    factory, client = RequestFactory(), Client()
    store.sign_of_life("benchmark", "ctl", 1, store.now())

    def by_itself(seen: str) -> Any:
        request = factory.get(url, {"seen": seen})
        request.user, request.session = user, {}
        return _timed(lambda: view(request, drain_id=drain.pk))

    def through_horizon(seen: str) -> Any:
        return _timed(lambda: client.get(url, {"seen": seen}))

    with (
        mock.patch.object(auth_utils, "get_user", return_value=user),
        mock.patch.object(Session, "request") as asked,
    ):
        whole, _ms = by_itself("")
        found: dict[str, Any] = {
            "instances": INSTANCES,
            "watchers": watchers,
            "changed": CHANGED,
            "bytes_whole": len(whole.content),
        }
        for name, poll in (("ms", by_itself), ("ms_through_horizon", through_horizon)):
            token = json.loads(poll("")[0].content)["token"]
            change()
            news = [poll(token) for _ in range(watchers)]
            tokens = [json.loads(answer.content)["token"] for answer, _ms in news]
            nothing = [poll(one) for one in tokens]
            assert {answer.status_code for answer, _ms in nothing} == {204}
            found |= {
                f"{name}_with_news": min(ms for _answer, ms in news),
                f"{name}_without_news": min(ms for _answer, ms in nothing),
                "bytes_with_news": len(news[0][0].content),
                "bytes_without_news": len(nothing[0][0].content),
            }
        found["requests_to_openstack"] = asked.call_count
    return found


def _timed(function: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    answer = function()
    return answer, (time.process_time() - start) * 1000


def _drain_under_way() -> tuple[Any, Callable[[], None]]:
    """A drain of which a third has arrived and two are copied; and what a pass changes of it."""
    from benchmarks.run import make_drain
    from ukcloud_maintenance import store
    from ukcloud_maintenance.core.states import DrainState, MigrationState

    drain = store.drain(make_drain("watched", INSTANCES))
    assert drain is not None
    now = store.now()
    store.change_drain(drain, now, state=DrainState.RUNNING, started_at=now)
    rows = list(store.migrations(drain))

    def start(row: Any) -> None:
        store.change_migration(
            row, now, state=MigrationState.SUBMITTED, attempts=1, submitted_at=now
        )
        store.change_migration(
            row,
            now,
            state=MigrationState.MIGRATING,
            nova_status="running",
            running_since=now,
            dest_compute="elsewhere",
            memory_total_bytes=2**30,
            memory_remaining_bytes=2**30,
            points=[[2 * n, 0, 2**30 - n * 2**20, n * 2**20] for n in range(60)],
        )

    third = INSTANCES // 3
    for row in rows[: third + 2]:
        start(row)
    for row in rows[:third]:
        store.change_migration(row, now, state=MigrationState.SUCCEEDED)
    waiting = iter(rows[third + 2 :])

    def change() -> None:
        for row in rows[third : third + 2]:
            left = row.attempt.memory_remaining_bytes - 2**20
            store.change_migration(row, store.now(), memory_remaining_bytes=left)
        start(next(waiting))

    return drain, change

"""What is made of the answers of Nova about a guest."""

import math
from types import SimpleNamespace

import pytest

from ukcloud_maintenance.core.attempt import AttemptView
from ukcloud_maintenance.core.drain import Observation
from ukcloud_maintenance.core.drain.whereabouts import GuestSight
from ukcloud_maintenance.exceptions import CloudConflict, CloudNotFound, CloudServerError
from ukcloud_maintenance.observe import drain as observed
from ukcloud_maintenance.observe import evidence as inquiry
from ukcloud_maintenance.observe.placement import Surroundings


class Answers:
    """A cloud that gives one answer about every guest."""

    def __init__(self, error: Exception):
        self.error = error

    def diagnostics(self, server_id: str):
        raise self.error


@pytest.mark.parametrize(
    ("error", "refused"),
    [
        (CloudConflict("ask", "it is in power state running", status=409), True),
        # the server was deleted meanwhile; that the guest is not there does not follow
        (CloudNotFound("ask", "no such server", status=404), False),
        (CloudServerError("ask", "MessagingTimeout", status=500), False),
    ],
)
def test_only_a_conflict_says_that_the_guest_does_not_run_there(error, refused):
    sight = inquiry.hear(Answers(error), "web")
    assert sight.refused is refused
    assert sight.diagnostics is None
    assert sight.error


def test_the_words_about_an_attempt_count_for_what_is_under_way_alone(monkeypatch):
    """What waits was put back in the line since, by somebody who looked."""
    heard = {}

    def hear(cloud, server_id, request_id=""):
        heard[server_id] = request_id
        return GuestSight()

    monkeypatch.setattr(observed, "hear", hear)
    monkeypatch.setattr(observed.d, "words_wanted", lambda *_: ["waits", "moves"])
    monkeypatch.setattr(observed, "drain_view", lambda drain: drain)
    monkeypatch.setattr(observed, "row_view", lambda row: row)
    monkeypatch.setattr(observed, "limits", lambda: None)
    monkeypatch.setattr(observed.store, "looked_around", lambda *_: None)
    rows = [
        SimpleNamespace(
            server_id="waits", state="blocked", attempt=AttemptView(request_id="req-old")
        ),
        SimpleNamespace(
            server_id="moves", state="migrating", attempt=AttemptView(request_id="req-now")
        ),
    ]
    surroundings = Surroundings()
    by = observed.Observer(None, lambda: None, lambda: None, lambda row: math.inf, surroundings)
    observed.with_words(by, SimpleNamespace(), rows, Observation(service=None), due=True)
    assert heard == {"waits": "", "moves": "req-now"}

"""Webhooks, against receivers that are slow, down, wrong, or lie."""

import gzip
import json
import threading
from datetime import datetime

import pytest

from tests.actions.servers import answer, closed, drips, raw, serving, silent
from ukcloud_maintenance.actions import webhook
from ukcloud_maintenance.actions.webhook import Progress, Sending
from ukcloud_maintenance.core import signing
from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.messages import english
from ukcloud_maintenance.settings.actions import Action, read_actions

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
POLL = {"field": "status", "done": ["successful"], "failed": ["failed", "error"]}
VALUES = {"host": "cmp1", "run": "7", "reason": "new kernel"}


def action(url: str, **more) -> Action:
    hook = {"url": url, "secret": "s3cret-of-both-ends", "timeout": 5, "poll": POLL, **more}
    return read_actions({"awx": {"webhook": hook}})["awx"]


def send(one: Action, content=None):
    return webhook.send(one, "delivery-1", content or webhook.body(one, VALUES), NOW)


def said(found) -> str:
    return english(found.said)


# -- the request -----------------------------------------------------------------------------


def test_the_receiver_can_verify_what_it_gets():
    with serving(answer(202)) as server:
        send(action(f"{server.url}/launch", headers={"Authorization": "Bearer token-1"}))
    [sent] = server.sent
    assert (sent.method, sent.path) == ("POST", "/launch")
    assert json.loads(sent.body) == {"action": "awx", **VALUES}
    assert sent.headers["Content-Type"] == "application/json"
    assert sent.headers["Authorization"] == "Bearer token-1"
    assert sent.headers[signing.ID] == "delivery-1"
    now = NOW.timestamp()
    assert signing.verify(b"s3cret-of-both-ends", sent.headers, sent.body, now)
    assert not signing.verify(b"another", sent.headers, sent.body, now)
    assert not signing.verify(b"s3cret-of-both-ends", sent.headers, sent.body + b" ", now)


def test_a_body_of_the_settings_has_its_values():
    body = {"limit": "{host}", "extra_vars": {"why": "{reason}", "n": 1, "all": ["{{}}", None]}}
    with serving(answer(201)) as server:
        send(action(server.url, body=body))
    assert json.loads(server.sent[0].body) == {
        "limit": "cmp1",
        "extra_vars": {"why": "new kernel", "n": 1, "all": ["{}", None]},
    }


def test_a_password_of_the_address_is_sent_and_no_netrc_is_read(tmp_path, monkeypatch):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login other password wrong\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    with serving(answer()) as server:
        host = server.url.removeprefix("http://")
        send(action(f"http://me:pass%20word@{host}"))
        send(action(server.url, headers={"Authorization": "Bearer token-1"}))
        send(action(server.url))
    given = [one.headers.get("Authorization") for one in server.sent]
    assert given == ["Basic bWU6cGFzcyB3b3Jk", "Bearer token-1", None]


# -- the answer ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind", "may_have_begun"),
    [
        *[(status, Sending.ACCEPTED, False) for status in (200, 201, 202, 204)],
        *[(status, Sending.REFUSED, False) for status in (301, 302, 307, 400, 401, 404, 409)],
        *[(status, Sending.LATER, False) for status in (408, 429, 503)],
        *[(status, Sending.LATER, True) for status in (500, 502, 504)],
    ],
)
def test_the_status_says_whether_it_makes_sense_to_send_it_again(status, kind, may_have_begun):
    content = b"" if status == 204 else b"{}"
    with serving(answer(status, content, Location="/elsewhere")) as server:
        found = send(action(server.url))
    assert (found.kind, found.may_have_begun) == (kind, may_have_begun)
    assert server.url in said(found)
    assert kind is Sending.ACCEPTED or str(status) in said(found)
    assert len(server.sent) == 1  # nothing is followed, nothing repeated


def test_one_that_fails_once_gets_the_same_delivery_again():
    with serving(answer(500), answer(201, {"url": "/jobs/38/"})) as server:
        one = action(server.url)
        assert send(one).kind is Sending.LATER
        found = send(one)
    assert (found.kind, found.poll_url) == (Sending.ACCEPTED, f"{server.url}/jobs/38/")
    first, second = server.sent
    assert first.headers[signing.ID] == second.headers[signing.ID]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        ("9" * 30, 86400),
        ("Sun, 01 Mar 2026 12:02:00 GMT", 120),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
        ("soon", None),
        ("-1", None),
    ],
)
def test_how_long_it_wants_to_be_left_alone(header, seconds):
    headers = {"Retry_After": header, "Date": "Sun, 01 Mar 2026 12:00:00 GMT"}
    with serving(answer(429, **headers)) as server:
        assert send(action(server.url)).retry_after == seconds


def test_no_server():
    found = send(action(closed()))
    assert (found.kind, found.may_have_begun) == (Sending.LATER, False)
    assert "no connection could be made" in said(found)


def test_one_that_hangs_up():
    with raw(lambda connection, over: connection.recv(65536)) as url:
        found = send(action(url))
    assert (found.kind, found.may_have_begun) == (Sending.LATER, True)
    assert "the connection broke" in said(found)


@pytest.mark.parametrize(
    "serve", [silent, drips(b""), drips(b"HTTP/1.1 200 OK\r\nX-A: ")], ids=["silent", "d", "header"]
)
def test_one_that_never_answers_is_not_waited_for(serve):
    with raw(serve) as url:
        found = send(action(url, timeout=2))
    assert (found.kind, found.may_have_begun) == (Sending.LATER, True)
    assert "2 s" in said(found) or "broke" in said(found)


@pytest.mark.parametrize("tls", [False, True])
def test_nothing_waits_for_it_either(tls, certificate, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
    served = drips(b"HTTP/1.1 200 OK\r\nX-A: ")
    with raw(served, certificate if tls else None) as url:
        found = send(action(url, timeout=2))
        assert found.kind is Sending.LATER
        for thread in threading.enumerate():
            if thread.name == "action request":
                thread.join(60)
                assert not thread.is_alive()


def test_a_certificate_that_is_not_trusted(certificate):
    with raw(silent, certificate) as url:
        found = send(action(url))
    assert (found.kind, found.may_have_begun) == (Sending.LATER, False)
    assert "TLS failed" in said(found)


def test_one_that_accepts_and_never_ends_its_answer_has_accepted():
    begin = b"HTTP/1.1 201 Created\r\nLocation: /jobs/1\r\nContent-Length: 999999\r\n\r\n"
    with raw(drips(begin)) as url:
        found = send(action(url, timeout=5))
    assert (found.kind, found.poll_url) == (Sending.ACCEPTED, f"{url}/jobs/1")


@pytest.mark.parametrize(
    "content",
    [
        b"<html>ok</html>",
        b'{"url": ',
        b"[" * 60000,
        b"\xff\xfe",
        json.dumps(["/jobs/1"]).encode(),
        json.dumps({"url": 7, "status_url": None}).encode(),
        json.dumps({"url": "/jobs/\n1"}).encode(),
        json.dumps({"url": "/jobs/" + "1" * 3000}).encode(),
        json.dumps({"pad": "x" * 70000, "url": "/jobs/1"}).encode(),
        b"",
    ],
    ids=["html", "cut", "deep", "bytes", "list", "numbers", "line", "long", "huge", "empty"],
)
def test_an_answer_that_says_it_is_json_and_names_nothing(content):
    with serving(answer(200, content, Content_Type="application/json")) as server:
        found = send(action(server.url))
    assert (found.kind, found.poll_url) == (Sending.ACCEPTED, "")
    assert "names no address" in said(found)


def test_an_answer_that_unpacks_to_much_more_is_not_unpacked():
    packed = gzip.compress(json.dumps({"url": "/jobs/1", "pad": "x" * 9_000_000}).encode())
    with serving(answer(200, packed, Content_Encoding="gzip")) as server:
        found = send(action(server.url))
    assert (found.kind, found.poll_url) == (Sending.ACCEPTED, "")


@pytest.mark.parametrize("where", ["Location", "status_url", "url", "href"])
@pytest.mark.parametrize("whole", [True, False])
def test_where_its_end_can_be_read(where, whole):
    with serving(answer()) as server:
        address = (server.url if whole else "") + "/api/v2/jobs/38/?format=json"
        if where == "Location":
            server.answers[:] = [answer(201, {}, Location=address)]
        else:
            server.answers[:] = [answer(201, {where: address, "job": 38})]
        found = send(action(f"{server.url}/api/v2/job_templates/5/launch/"))
        assert found.poll_url == f"{server.url}/api/v2/jobs/38/?format=json"
        assert said(found).endswith("accepted the action.")


@pytest.mark.parametrize(
    "address",
    [
        "http://169.254.169.254/latest/meta-data/",
        "//127.0.0.1:1/jobs/1",
        "https://127.0.0.1/jobs/1",
        "file:///etc/passwd",
        "http://127.0.0.1:99999/",
        "http://[::1",
    ],
)
def test_an_address_of_another_server_is_refused_and_said_to_have_begun(address):
    with serving(answer(201, {"url": address})) as server:
        one = action(server.url)
        found = send(one)
        assert (found.kind, found.poll_url) == (Sending.REFUSED, "")
        assert found.may_have_begun
        assert "another server" in said(found)
        assert webhook.poll(one, address).kind is Progress.TRY_LATER
    assert len(server.sent) == 1


def test_where_nothing_is_polled_no_address_is_looked_for():
    with serving(answer(201, {"url": "http://elsewhere/"})) as server:
        one = action(server.url)
        hook = {"url": server.url, "secret": "s3cret-of-both-ends"}
        found = send(read_actions({"awx": {"webhook": hook}})["awx"])
        assert (found.kind, found.poll_url) == (Sending.ACCEPTED, "")
        assert said(found).endswith("accepted the action.")
        assert one.webhook.poll


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"detail": "No such template."}, ": No such template. (HTTP 400)"),
        ({"message": "a\n\x1b[31mb"}, r": a \x1b[31mb (HTTP 400)"),
        (b"Bad <b>limit</b>", ": Bad <b>limit</b> (HTTP 400)"),
        (b"<!DOCTYPE html><p>No", "(HTTP 400)"),
        ({"detail": "token-of-mine, s3cret-of-both-ends"}, ": ***, *** (HTTP 400)"),
        ({"detail": "x" * 5000}, "x... (HTTP 400)"),
    ],
    ids=["detail", "control", "text", "html", "secrets", "long"],
)
def test_why_it_refuses_is_quoted_without_what_is_secret(content, words):
    with serving(answer(400, content)) as server:
        found = send(action(server.url, headers={"Authorization": "Bearer token-of-mine"}))
    assert words in said(found)
    assert len(said(found)) < 500


def test_no_secret_is_in_what_is_said_or_shown():
    one = action("http://me:pass-word@127.0.0.1:1/hooks/t0ken?key=k3y", headers={"X-A": "h3ader"})
    shown = repr(one) + said(send(one)) + repr(send(one))
    assert not any(secret in shown for secret in ("pass-word", "t0ken", "k3y", "h3ader", "s3cret"))
    assert "http://127.0.0.1:1" in shown


@pytest.mark.parametrize(
    ("words", "quoted"),
    [
        ("Route POST:/hooks/T0KEN-of-mine?key=k3y-of-mine not found", "Route POST:/hooks/***?***"),
        ("No hook T0KEN-of-mine", "No hook ***"),
        ("The key k3y-of-mine is over", "The key *** is over"),
        ("Wrong password pa s/word for the hooks", "Wrong password *** for the hooks"),
        ("hooks are not there", "hooks are not there"),
    ],
)
def test_what_it_says_of_our_address_is_quoted_without_its_keys(words, quoted):
    with serving(answer(404, {"message": words})) as server:
        place = server.url.removeprefix("http://")
        found = send(action(f"http://me:pa%20s%2Fword@{place}/hooks/T0KEN-of-mine?key=k3y-of-mine"))
    assert quoted in said(found)
    assert not any(secret in said(found) for secret in ("T0KEN", "k3y", "s/word"))


def test_what_it_says_of_the_address_of_its_end_is_quoted_without_its_keys():
    with serving(answer(404, {"message": "No job S1GNED-for-you"})) as server:
        found = webhook.poll(action(server.url), f"{server.url}/jobs/S1GNED-for-you")
    assert "No job ***" in said(found)


# -- how far it is ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        ({"status": "successful"}, Progress.DONE, "as done (successful)"),
        ({"status": "failed"}, Progress.FAILED, "as failed (failed)"),
        ({"status": "waiting"}, Progress.RUNNING, "in progress (waiting)"),
        ({"status": "w\x1b\n" + "x" * 999}, Progress.RUNNING, r"(w\x1b xxx"),
        ({"status": None}, Progress.TRY_LATER, "no readable 'status'"),
        ({"state": "successful"}, Progress.TRY_LATER, "no readable 'status'"),
        (["successful"], Progress.TRY_LATER, "no readable 'status'"),
        (b"successful", Progress.TRY_LATER, "no readable 'status'"),
        (b'{"status": "successful"', Progress.TRY_LATER, "no readable 'status'"),
        (b"[" * 999_999, Progress.TRY_LATER, "no readable 'status'"),
        (
            json.dumps({"status": "successful", "pad": "x" * 2_000_000}).encode(),
            Progress.TRY_LATER,
            "no readable 'status'",
        ),
    ],
    ids=["done", "failed", "running", "odd", "null", "none", "list", "text", "cut", "deep", "huge"],
)
def test_the_status_of_its_answer(content, kind, words):
    with serving(answer(200, content)) as server:
        one = action(f"{server.url}/launch", headers={"Authorization": "Bearer token-1"})
        found = webhook.poll(one, f"{server.url}/jobs/38/")
    assert found.kind is kind
    assert words in said(found)
    assert len(said(found)) < 500
    [sent] = server.sent
    assert (sent.method, sent.path) == ("GET", "/jobs/38/")
    assert sent.headers["Authorization"] == "Bearer token-1"


@pytest.mark.parametrize(
    ("field", "content", "kind"),
    [
        ("job.state.name", {"job": {"state": {"name": "ok"}}}, Progress.DONE),
        ("finished", {"finished": True}, Progress.DONE),
        ("finished", {"finished": False}, Progress.FAILED),
        ("code", {"code": 3}, Progress.RUNNING),
        ("code", {"code": 0}, Progress.DONE),
    ],
)
def test_a_status_can_be_deep_a_number_or_a_truth(field, content, kind):
    poll = {"field": field, "done": ["ok", "true", "0"], "failed": ["false"]}
    with serving(answer(200, content)) as server:
        assert webhook.poll(action(server.url, poll=poll), f"{server.url}/1").kind is kind


@pytest.mark.parametrize("status", [302, 401, 404, 429, 500, 503])
def test_a_status_that_cannot_be_read_is_read_again_later(status):
    with serving(answer(status, {"status": "failed"}, Retry_After="7", Location="/")) as server:
        found = webhook.poll(action(server.url), f"{server.url}/jobs/1")
    assert (found.kind, found.retry_after) == (Progress.TRY_LATER, 7)
    assert f"HTTP {status}" in said(found)
    assert len(server.sent) == 1


def test_a_report_that_breaks_off_is_none():
    cut = b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"status": "successful"}'

    def serve(connection, over):
        connection.recv(65536)
        connection.sendall(cut)

    with raw(serve) as url:
        assert webhook.poll(action(url), f"{url}/jobs/1").kind is Progress.TRY_LATER


def test_no_server_to_poll():
    url = closed()
    assert webhook.poll(action(url), f"{url}/jobs/1").kind is Progress.TRY_LATER
    with raw(silent) as url:
        found = webhook.poll(action(url, timeout=2), f"{url}/jobs/1")
    assert found.kind is Progress.TRY_LATER

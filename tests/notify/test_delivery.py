"""One notice to one receiver: signed, bounded, and without a word of its address."""

import importlib.util
import time

import pytest
from django.utils import timezone

from tests import readme
from tests.notify.receivers import PASSWORD, SECRET, TOKEN, receiver
from ukcloud_maintenance import notify
from ukcloud_maintenance.messages import english
from ukcloud_maintenance.notify import delivery
from ukcloud_maintenance.settings import Settings

LETTER = notify.letter_for_test("0f4b", "en", "https://cloud/horizon", timezone.now())
needs_apprise = pytest.mark.skipif(
    importlib.util.find_spec("apprise") is None, reason="Apprise is not installed"
)


def webhook(found, **more):
    [one] = Settings(webhooks=[found.webhook(**more)]).receivers
    return one


def apprise(found, **more):
    [one] = Settings(notify=[found.apprise(**more)]).receivers
    return one


def deliver(to):
    failed = notify.deliver(to, LETTER, timezone.now())
    if failed is not None:
        said = f"{failed!r} {english(failed.why)}"
        assert not any(secret in said for secret in (PASSWORD, TOKEN, SECRET))
    return failed


def verifier():
    """The function that the documentation shows for a receiver."""
    page = readme.DOCS / "notifications.md"
    [code] = [code for code in readme.code_blocks(page, "python") if "def verified" in code]
    found: dict = {}
    exec(code, found)
    return found["verified"]


def test_a_webhook_is_what_the_documentation_verifies(hook):
    assert deliver(webhook(hook)) is None
    [one] = hook.requests
    verified = verifier()
    assert verified(SECRET.encode(), one.headers, one.content.encode())
    assert not verified(b"another key", one.headers, one.content.encode())
    assert not verified(SECRET.encode(), one.headers, one.content.replace("test", "text").encode())
    for name, value in (("webhook-id", "1"), ("webhook-timestamp", str(int(time.time()) - 3600))):
        assert not verified(SECRET.encode(), {**one.headers, name: value}, one.content.encode())
    assert (one.delivery, one.topic, one.path) == ("0f4b", "test", f"/{TOKEN}")
    assert one.document["type"] == "test"
    assert one.document["data"]["url"] == "https://cloud/horizon"


@pytest.mark.parametrize("status", [301, 400, 404, 429, 500])
def test_what_is_no_success_is_none(hook, status):
    hook.answers = [status]
    failed = deliver(webhook(hook))
    assert failed.status == status
    assert str(status) in english(failed.why)
    assert len(hook.requests) == 1, "a redirect was followed"


def test_a_receiver_that_is_down():
    with receiver() as gone:
        to = webhook(gone)
    failed = deliver(to)
    assert english(failed.why) == "It could not be sent (ConnectionError)."


def never(_handler) -> int:
    time.sleep(60)
    return 0


def drips(handler) -> int:
    """A little of a head that has no end: no timeout of a single read would end that."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for _ in range(300):
        handler.wfile.write(b"x: y\r\n")
        handler.wfile.flush()
        time.sleep(0.2)
    return 0


@pytest.mark.parametrize("answer", [never, drips])
def test_a_receiver_may_be_slow_but_not_for_ever(hook, monkeypatch, answer):
    monkeypatch.setattr(delivery, "SEND_SECONDS", 2)
    hook.answers = [answer]
    failed = deliver(webhook(hook))
    assert "2 s" in english(failed.why) or "ReadTimeout" in english(failed.why)


@needs_apprise
def test_apprise_tells_a_receiver(hook):
    assert deliver(apprise(hook)) is None
    [one] = hook.requests
    assert one.document["title"] == "Test of the notifications of hypervisor maintenance"
    assert one.document["type"] == "info"
    assert one.document["message"].endswith("https://cloud/horizon")


@needs_apprise
def test_what_apprise_fails_at_is_told_without_the_address(hook, capfd):
    hook.answers = [500]
    assert deliver(apprise(hook)).why.code == "told_not_by_apprise"
    with receiver() as gone:
        to = apprise(gone)
    assert deliver(to).why.code == "told_not_by_apprise"
    assert deliver(apprise(hook, url=f"nosuch://{TOKEN}")).why.code == "told_url_unknown"
    assert capfd.readouterr() == ("", "")


#: In front of the library: it talks, and is the library otherwise.
TALKS = """
import os, sys

print("sending")
os.write(1, b"about to be removed")
sys.path.remove(os.path.dirname(os.path.dirname(__file__)))
del sys.modules["requests"]
import requests
"""


def test_what_a_library_prints_is_no_failure(hook, tmp_path, monkeypatch):
    """It would be told again and again."""
    (tmp_path / "requests").mkdir()
    (tmp_path / "requests" / "__init__.py").write_text(TALKS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert deliver(webhook(hook)) is None
    assert len(hook.requests) == 1


def test_nothing_shows_an_address_or_a_key(hook):
    found = Settings(notify=[hook.apprise()], webhooks=[hook.webhook()])
    said = f"{found!r} {found.receivers!r}"
    assert not any(secret in said for secret in (PASSWORD, TOKEN, SECRET))

"""Horizon below a path of its own (WEBROOT = "/dashboard/"): every address of ours is below it."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.urls import get_script_prefix, set_script_prefix

import ukcloud_maintenance
from tests.panel.test_inline import texts
from tests.panel.test_roles import SCRIPT, URLS, addresses

__all__ = ["addresses"]
JAVASCRIPT = Path(ukcloud_maintenance.__file__).parent.glob("static/**/*.js")
#: what a form may send, so that something comes of it
SENT = {
    "reason": "new kernel",
    "max_concurrent": "1",
    "order": "largest",
    "row": "1",
    "verb": "pause",
    "confirmed": "yes",
    "choice": "leave",
    "in_progress": "finish",
}


class Addresses(HTMLParser):
    """Whatever in a page is an address on this server: all that begins with one slash."""

    def __init__(self):
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.found += [
            f"<{tag} {name}> {value}" for name, value in attrs if re.match(r"/(?!/)", value or "")
        ]


def found_in(value: object) -> list[str]:
    """The addresses of an answer, whether HTML, or JSON with HTML or addresses in it."""
    parser = Addresses()
    for text in texts(value):
        parser.feed(text)
        parser.found += [f" {text}"] if re.match(r"/(?!/)", text) else []
    return parser.found


@pytest.fixture(params=["/dashboard/", "/horizon/"])
def webroot(request, settings):
    """As Horizon's settings make it of WEBROOT, and a web server of its alias."""
    before = get_script_prefix()
    settings.STATIC_URL = f"{request.param}static/"
    for name, path in (("LOGIN_URL", "auth/login/"), ("LOGOUT_URL", "auth/logout/")):
        setattr(settings, name, request.param + path)
    settings.WEBROOT = settings.LOGIN_REDIRECT_URL = request.param
    set_script_prefix(request.param)
    yield request.param
    set_script_prefix(before)


@pytest.mark.parametrize("name", URLS)
def test_every_address_is_below_it(admin, webroot, addresses, name):
    path = addresses[name]
    assert path.startswith(webroot)
    below = {"SCRIPT_NAME": webroot[:-1]}
    inside = path.removeprefix(webroot[:-1])
    answers = []
    for more in ({}, SCRIPT):
        for method in sorted(URLS[name][1] & {"GET", "POST"}):
            sent = SENT if method == "POST" else {}
            answers.append(getattr(admin, method.lower())(inside, sent, **below, **more))
    for answer in answers:
        assert answer.status_code != 500
        told = [answer.headers.get(h, "") for h in ("Location", "X-Horizon-Location")]
        kind = answer.headers.get("Content-Type", "")
        body = answer.json() if kind == "application/json" else answer.content.decode()
        for where in (*found_in(body), *(f" {one}" for one in told if one)):
            assert where.partition(" ")[2].split("> ")[-1].lstrip().startswith(webroot), where


def test_the_page_to_print_has_its_style_and_its_script_there(admin, webroot, addresses):
    below = {"SCRIPT_NAME": webroot[:-1]}
    page = admin.get(addresses["certificate"].removeprefix(webroot[:-1]), **below)
    for kind in ("css", "js"):
        assert f'="{webroot}static/ukcloud_maintenance/{kind}/' in page.content.decode()


def test_addresses_are_found():
    html = {"html": ['<a href="/x/">', "/y/"], "no": "//z"}
    assert found_in(html) == ["<a href> /x/", " /y/"]


def test_no_script_knows_an_address():
    """They are in the page, as it was served."""
    for file in JAVASCRIPT:
        assert re.findall(r"""['"`]/[a-z]""", file.read_text()) == [], file.name

"""What is rendered of ours has no style and no script in it, whoever puts it together."""

from html.parser import HTMLParser

import pytest

from tests.panel.test_roles import SCRIPT, URLS, addresses

__all__ = ["addresses"]
#: elements without an end
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "wbr"}


class Ours(HTMLParser):
    """Finds what is inline in our part of a page; all of a page that is ours alone."""

    def __init__(self, whole: bool):
        super().__init__()
        self.whole, self.depth, self.seen = whole, 0, 0
        self.inline: list[str] = []

    def handle_starttag(self, tag, attrs):
        given = {name: value or "" for name, value in attrs}
        ours = {"mnt-page", "modal", "mnt-drain-form"} & set(given.get("class", "").split())
        if (self.depth or ours) and tag not in VOID:
            self.depth += 1
        if not (self.depth or self.whole):
            return
        self.seen += 1
        if tag == "style" or (tag == "script" and not given.get("src")):
            self.inline.append(tag)
        for name, value in given.items():
            if name == "style" or name.startswith("on") or value.startswith("javascript:"):
                self.inline.append(f"<{tag} {name}={value}>")

    def handle_endtag(self, tag):
        if self.depth and tag not in VOID:
            self.depth -= 1


def look(html: str, whole: bool = False) -> Ours:
    found = Ours(whole)
    found.feed(html)
    return found


def test_it_is_found():
    html = '<p style="a"><div class="mnt-page"><b onclick="b">.</b></div><i onclick="c">'
    assert look(html).inline == ["<b onclick=b>"]
    assert look(html, whole=True).inline == ["<p style=a>", "<b onclick=b>", "<i onclick=c>"]


@pytest.mark.parametrize("name", [name for name, (_, methods) in URLS.items() if "GET" in methods])
def test_no_url_shows_any(admin, addresses, name):
    for how in ({}, SCRIPT):
        answer = admin.get(addresses[name], **how)
        kind, body = answer.headers["Content-Type"], answer.content.decode()
        if kind.startswith("text/html") and body:
            # Horizon's frame is not ours; a dialog, a piece and the page to print have none
            found = look(body, whole="<body" not in body or name == "certificate")
            assert (found.inline, found.seen > 5) == ([], True)
        elif kind == "application/json":
            for html in texts(answer.json()):
                assert look(html, whole=True).inline == []


def texts(value):
    """Every text of an answer to a script, wherever it is in it."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from texts(one)

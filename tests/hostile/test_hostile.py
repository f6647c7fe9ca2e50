"""Nobody runs code in an administrator's browser, whatever he calls his server.

Every URL of the panel is shown in a real browser, with hostile values in every field that somebody
else can write. What runs, becomes an element or is evaluated is found there; and so is a value that
AngularJS was not kept away from, although Horizon's own escaping defuses it today.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote

import pytest
import requests
from selenium.webdriver.support.ui import WebDriverWait

from tests.browser.window import Window
from tests.hostile import world
from tests.hostile.world import DOWN, DRAINED, FREE, MARK, OTHER, PRODUCT, SAFE, THIRD
from ukcloud_maintenance.content.maintenance import urls
from ukcloud_maintenance.services import LARGEST_FIRST

#: What is wrong with the document that is shown, and which values were seen in it.
LOOK = """
const [mark, product, everywhere] = arguments;
const wrong = [], seen = new Set();
// Horizon's own: its header and its toasts, which hold no directive of ours.
const theirs = '[ng-non-bindable], head, .topbar, #sidebar, .messages';
function look(text, element, where) {
  if (text.includes(product)) { wrong.push('evaluated: ' + where); }
  if (!text.includes(mark)) { return; }
  for (const [, tag] of text.matchAll(new RegExp(mark + '-(.+?)-[{]', 'g'))) { seen.add(tag); }
  if (everywhere && !element.closest(theirs)) { wrong.push('open to AngularJS: ' + where); }
}
if (window.__pwned) { wrong.push('ran: ' + window.__pwned); }
for (const element of document.querySelectorAll('*')) {
  const name = element.tagName.toLowerCase();
  for (const {name: attribute, value} of element.attributes) {
    const where = '<' + name + ' ' + attribute + '=' + value.slice(0, 200);
    if (/^on/i.test(attribute) && value.includes('__pwned')) { wrong.push('element: ' + where); }
    if (/^(href|src|action|formaction|data|xlink:href)$/i.test(attribute) &&
        /^\\s*javascript:/i.test(value)) { wrong.push('URL: ' + where); }
    look(value, element, where);
  }
  if (name === 'img' && element.getAttribute('src') === 'x') { wrong.push('element: img'); }
  if (name === 'script') {
    if (element.textContent.trim().startsWith('window.__pwned')) { wrong.push('element: script'); }
    continue;
  }
  for (const node of element.childNodes) {
    if (node.nodeType === Node.TEXT_NODE) {
      look(node.data, element, '<' + name + '> ' + node.data.slice(0, 200));
    }
  }
}
look(document.title, document.head, 'title');
return {wrong: [...new Set(wrong)], seen: [...seen]};
"""

#: Ask as Horizon's script does, and show the answer as the scripts of the panel do.
FETCH = """
const [url, data, headers, done] = arguments;
$.ajax(url, {method: data ? 'POST' : 'GET', data: data, headers: headers, dataType: 'text'})
  .always(function (a, state, b) {
    const xhr = a && a.getResponseHeader ? a : b;
    const type = xhr.getResponseHeader('content-type') || '';
    const box = document.createElement('div');
    (document.querySelector('.mnt-page') || document.body).appendChild(box);
    function show(value) {
      if (typeof value === 'string') {
        const piece = document.createElement('div');
        piece.innerHTML = value;
        box.appendChild(piece);
      } else if (value) { Object.values(value).forEach(show); }
    }
    if (type.startsWith('text/html')) {
      if (xhr.responseText.includes('class="modal') || xhr.responseText.includes('workflow')) {
        const modal = horizon.modals.success(xhr.responseText);
      } else { box.innerHTML = xhr.responseText; }
    } else if (type.startsWith('application/json')) {
      const answer = JSON.parse(xhr.responseText);
      (answer.messages || []).forEach(function (one) { horizon.alert(one[0], one[1]); });
      // texts, which the scripts never take for HTML, and HTML
      ['parts', 'rows', 'cells', 'html', 'errors'].forEach(function (name) {
        const value = answer[name];
        // a cell of a drain's row comes with the key that it is sorted by
        show(name !== 'rows' ? value : (value || []).map(function (row) {
          return row.cells.map(function (cell) { return Array.isArray(cell) ? cell[0] : cell; });
        }));
      });
    }
    window.setTimeout(function () { done([xhr.status, type]); }, 50);
  });
"""

#: Post a form as a browser without a script does.
POST = """
const [url, data] = arguments;
const form = document.createElement('form');
form.method = 'post';
form.action = url;
data.concat([['csrfmiddlewaretoken', (document.cookie.match(/csrftoken=([^;]+)/) || [])[1]]])
  .forEach(function (pair) {
    const field = document.createElement('input');
    field.name = pair[0];
    field.value = pair[1];
    form.appendChild(field);
  });
document.body.appendChild(form);
HTMLFormElement.prototype.submit.call(form);
"""

PAGE, PIECE, FILE = "page", "piece", "file"


@dataclass(frozen=True)
class Row:
    """How one URL is shown.

    :param kinds: as a page of its own; as a dialog or a piece that a script puts into a page; as
        a file, which no browser may take for a page
    :param queries: what is asked for, each for itself
    :param posts: what is sent to it, each for itself
    """

    kinds: tuple[str, ...] = (PAGE,)
    queries: tuple[str, ...] = ("",)
    host: str = ""
    posts: tuple[Callable[[dict[str, int]], list[tuple[str, str]]], ...] = field(default=())


def _rows(*names: str, **more: str) -> Callable[[dict[str, int]], list[tuple[str, str]]]:
    return lambda ids: [("row", str(ids[name])) for name in names] + list(more.items())


def _fields(**more: str) -> Callable[[dict[str, int]], list[tuple[str, str]]]:
    return lambda ids: list(more.items())


ECHO = quote(world.hostile("echo"))
DRAIN_FIELDS = {
    "reason": world.hostile("typed")[:255],
    "max_concurrent": "1",
    "move_locked": "on",
    "order": LARGEST_FIRST,
}
RUN_FIELDS = {
    **{"reason": world.hostile("typed")[:255], "order": "by_hand", "at_once": "1"},
    **{"domain": "zone", "per_domain": "1", "on_failure": "stop", "approval": "none"},
    **{"max_concurrent": "1", "timeout_action": "warn", "move_locked": "on"},
}


def _run_fields(**more: str) -> Callable[[dict[str, int]], list[tuple[str, str]]]:
    return lambda ids: [("host", THIRD), ("host", FREE), *(RUN_FIELDS | more).items()]


BOTH = (PAGE, PIECE)
EVERY_ROW = (
    "row=%(pending)s&row=%(blocked)s&row=%(migrating)s&row=%(failed)s&row=%(unknown)s"
    "&row=%(succeeded)s&row=%(stays)s"
)


def _dialog(*names: str, **more: str) -> Row:
    """A dialog for instances: asked for all of them, and done with some."""
    return Row(BOTH, (EVERY_ROW,), posts=(_rows(*names, "succeeded", confirmed="yes", **more),))


ROWS = {
    "index": Row(queries=("", f"q={MARK}", f"q={ECHO}", f"region={ECHO}")),
    "host_updates": Row((PIECE, FILE)),
    "host": Row(host=FREE, queries=("",)),
    "check_host": Row(BOTH, host=FREE),
    "drain_host": Row(
        BOTH,
        host=FREE,
        posts=(
            _fields(
                **DRAIN_FIELDS
                | {"max_concurrent": "x", "order": world.hostile("order")}
                | {"destination": world.hostile("destination")}
            ),
            _fields(**DRAIN_FIELDS),
        ),
    ),
    "host_panel": Row((PIECE, FILE), host=SAFE),
    "certificate": Row(host=SAFE),
    "certificate_file": Row((FILE,), host=SAFE),
    "return_host": Row(BOTH, host=SAFE, posts=(_fields(max_concurrent="x", choice="ours"),)),
    "allocations": Row(BOTH, host=SAFE, posts=(_fields(consumer=world.hostile("consumer")),)),
    "drains": Row(queries=("", f"q={MARK}", f"q={ECHO}")),
    "drain": Row(),
    "updates": Row((PIECE, FILE)),
    "cancel_drain": Row(BOTH),
    "pause_drain": Row(posts=(_fields(),)),
    "resume_drain": Row(posts=(_fields(),)),
    "retry_failed": Row(posts=(_fields(),)),
    "change_drain": Row(BOTH, posts=(_fields(max_concurrent=world.hostile("number")),)),
    "instances_abort": _dialog("migrating"),
    "instances_force": _dialog("migrating"),
    "instances_retry": _dialog("skipped"),
    "instances_retry_on": _dialog("failed", destination=world.hostile("destination")),
    "instances_skip": _dialog("blocked"),
    "instances_first": _dialog("pending"),
    "instances_reset": Row(
        BOTH, ("row=%(unknown)s",), posts=(_rows("unknown", confirmed="yes"), _rows("pending"))
    ),
    "timeline": Row(BOTH, queries=("", f"q={ECHO}")),
    "picture": Row(BOTH),
    "export_csv": Row((FILE,)),
    "export_json": Row((FILE,)),
    "affected_drain": Row(),
    **{f"affected_drain_{form}": Row((FILE,)) for form in ("csv", "json", "text")},
    "affected_plan": Row(),
    **{f"affected_plan_{form}": Row((FILE,)) for form in ("csv", "json", "text")},
    "affected_run": Row(),
    **{f"affected_run_{form}": Row((FILE,)) for form in ("csv", "json", "text")},
    "plans": Row(),
    "new_plan": Row(
        queries=(
            f"host={quote(FREE)}&host={quote(DRAINED)}&host={ECHO}",
            f"set=aggregate:{quote(world.hostile('aggregate'))}",
        ),
        posts=(
            lambda ids: [("host", FREE), ("do", "drain"), *DRAIN_FIELDS.items(), ("pace", "1")],
        ),
    ),
    "host_sets": Row((FILE,)),
    "plan": Row(),
    "plan_updates": Row((PIECE, FILE)),
    "steer_plan": Row(kinds=(), posts=(_fields(verb="pause"), _fields(verb=ECHO))),
    "change_plan": Row(BOTH, posts=(_fields(max_concurrent=world.hostile("number")),)),
    "cancel_plan": Row(BOTH, posts=(_fields(in_progress="finish"),)),
    "runs": Row(),
    "new_run": Row(
        queries=(f"host={quote(FREE)}&host={quote(DRAINED)}&host={ECHO}",),
        posts=(
            _run_fields(do="review"),
            _run_fields(do="edit"),
            _run_fields(do="review", windows=world.hostile("window"), action=world.hostile("act")),
            _run_fields(do="request", domain="aggregate", aggregates=world.hostile("no-aggregate")),
        ),
    ),
    "run": Row(),
    "run_updates": Row((PIECE, FILE)),
    "run_record": Row(),
    "steer_run": Row(kinds=(), posts=(_fields(verb="pause"), _fields(verb=ECHO))),
    "steer_run_host": Row(
        kinds=(), posts=(_fields(skip=world.hostile("no-host")), _fields(skip=FREE))
    ),
    "add_to_run": Row(BOTH, posts=(_fields(hosts=world.hostile("added")),)),
    "cancel_run": Row(BOTH, posts=(_fields(),)),
    "host_done": Row(kinds=(), host=OTHER, posts=(_fields(back="host"),)),
}
#: Hosts that are shown beside the one of the row.
OTHER_HOSTS = {"host": (SAFE, DRAINED, DOWN, world.hostile("unknown-host")), "certificate": (DOWN,)}
#: Done last: nothing can be done with what it cancels.
LAST = ("cancel_plan",)
#: What no page shows, at least not in these rows and of these servers.
NOT_SHOWN = {
    # told by exports alone
    *("Attempt.asked_host", "Attempt.request_id", "Attempt.source_compute", "Request.request_id"),
    "HostMaintenance.our_reason",
    "InstanceMigration.flavor_name",
    # what the worker goes by
    *("Run.machine", "RunAction.machine", "RunAction.place", "RunAction.poll_url"),
    *("RunAction.token", "RunAction.message", "RunHost.objection"),
    "InstanceMigration.planned_host",
    "Worker.host",
    "Worker.name",
    "action-message",
    "aggregate-metadata",
    "consumer",
    "event-details",
    "extra_spec-key",
    "fault",
    "hypervisor_hostname",
    "image_property",
    "metadata-key",
    "metadata-opt-out",
    "metadata-value",
    "not-found",
    "proof",
    "tag",
    "tag-opt-out",
    "trait",
}


def test_every_url_has_a_row():
    assert set(ROWS) == {pattern.name for pattern in urls.urlpatterns}


def path(name: str, ids: dict[str, int], host: str = "", query: str = "") -> str:
    pattern = next(p for p in urls.urlpatterns if p.name == name)
    values = {"host": quote(host or ROWS[name].host, safe=""), **ids}
    found = re.sub(r"<\w+:(\w+)>", lambda m: str(values[m[1]]), str(pattern.pattern))
    return found + (f"?{query % ids if '%(' in query else query}" if query else "")


class Looker:
    """Looks at what the browser shows, and keeps which values were seen."""

    def __init__(self, window: Window, ids: dict[str, int]):
        self.window = window
        self.ids = ids
        self.seen: set[str] = set()
        self.wrong: list[str] = []

    def look(self, what: str) -> None:
        found = self.window.driver.execute_script(LOOK, MARK, PRODUCT, True)
        self.seen |= set(found["seen"])
        self.wrong += [f"{what}: {one}" for one in found["wrong"]]
        self.window.driver.execute_script("window.__pwned = undefined")

    def ready(self, what: str) -> None:
        """AngularJS has done its work, where there is any."""
        WebDriverWait(self.window.driver, 60).until(
            lambda driver: driver.execute_script(
                "return document.readyState === 'complete' && (!document.querySelector('[ng-app]')"
                " || Boolean(window.angular && angular.element(document.body).injector()))"
            ),
            what,
        )

    def page(self, name: str, **more: str) -> None:
        where = path(name, self.ids, **more)
        self.window.go(where)
        self.ready(where)
        self.look(f"page {name} {more}")

    def choose_hosts(self) -> None:
        """The aggregates are asked for once somebody turns to them."""
        self.window.go("")
        self.ready("index")
        self.window.driver.execute_script(
            "document.getElementById('mnt-set').dispatchEvent(new Event('focus'))"
        )
        self.window.wait(
            lambda: self.window.find("#mnt-set [value^='aggregate:']"), "aggregates are offered"
        )
        self.look("aggregates")

    def piece(self, name: str, query: str = "", **more: str) -> None:
        where = f"{self.window.url}/admin/maintenance/{path(name, self.ids, query=query)}"
        status, _kind = self.window.driver.execute_async_script(FETCH, where, None, {})
        assert status == 200, (name, status)
        self.look(f"piece {name}")

    def post(self, name: str, data: list[tuple[str, str]]) -> None:
        where = f"{self.window.url}/admin/maintenance/{path(name, self.ids)}"
        self.window.driver.execute_script("document.body.dataset.old = '1'")
        self.window.driver.execute_script(POST, where, data)
        self.window.wait(
            lambda: not self.window.driver.execute_script("return document.body.dataset.old"),
            f"{name} is answered",
            60,
        )
        self.ready(name)
        self.look(f"post {name}")

    def post_by_script(self, name: str, data: list[tuple[str, str]], **headers: str) -> None:
        where = f"{self.window.url}/admin/maintenance/{path(name, self.ids)}"
        token = self.window.driver.get_cookie("csrftoken")["value"]  # type: ignore[index]
        body = "&".join(f"{quote(k)}={quote(v)}" for k, v in data)
        status, _kind = self.window.driver.execute_async_script(
            FETCH, where, body or "x=1", {"X-CSRFToken": token, **headers}
        )
        assert status < 500, (name, status)
        self.look(f"script posts {name}")


@pytest.fixture(scope="module")
def looker(window, ids) -> Looker:
    return Looker(window, ids)


def test_the_values_are_hostile(looker):
    """Where nobody defends, they run: or the test below would find nothing."""
    looker.window.go("plans/")
    looker.ready("a page")
    script = """
        window.__value = arguments[0];
        const open = document.createElement('p'), raw = document.createElement('p');
        open.textContent = window.__value;
        raw.innerHTML = '<b title="' + window.__value + '">';
        document.body.append(open, raw);
        angular.element(document.body).injector().invoke(['$compile', '$rootScope',
          function ($compile, $rootScope) { $compile(open)($rootScope); $rootScope.$digest(); }]);
    """
    looker.window.driver.execute_script(script, world.hostile("proof"))
    found = looker.window.driver.execute_script(LOOK, MARK, PRODUCT, True)["wrong"]
    kinds = {one.partition(":")[0] for one in found}
    assert kinds == {"ran", "element", "evaluated", "open to AngularJS"}


@pytest.mark.timeout(600)
def test_no_hostile_value_runs_on_any_page_dialog_or_answer(looker, ids, openstack):
    for name, row in ROWS.items():
        if PAGE in row.kinds:
            for query in row.queries:
                looker.page(name, query=query)
            for host in OTHER_HOSTS.get(name, ()):
                looker.page(name, host=host)
    looker.choose_hosts()
    looker.page("drain")
    for name, row in ROWS.items():
        if PIECE in row.kinds:
            for query in row.queries:
                looker.piece(name, query=query)
    looker.page("drain")
    for name in sorted(ROWS, key=LAST.__contains__):
        for make in ROWS[name].posts:
            data = make(ids)
            if name.startswith("instances_"):
                looker.post_by_script(name, data, Accept="application/json")
            looker.post(name, data)
            if name == "drain_host":
                looker.post_by_script(name, data, **{"X-Horizon-Validate-Step-Start": "0"})
    world.fail(openstack)
    for name in ("index", "host", "check_host", "drain_host", "new_plan", "return_host"):
        for query in ROWS[name].queries[:1]:
            looker.page(name, query=query)
    assert not looker.wrong, "\n".join(looker.wrong)

    unseen = world.MADE - looker.seen
    assert unseen <= NOT_SHOWN, " ".join(sorted(unseen - NOT_SHOWN))


def test_no_answer_is_taken_for_a_page(window, ids):
    """JSON and files say what they are, must not be taken for anything else, and are not kept."""
    session = requests.Session()
    session.trust_env = False
    for cookie in window.driver.get_cookies():
        session.cookies.set(cookie["name"], cookie["value"])
    for name, row in ROWS.items():
        if FILE not in row.kinds:
            continue
        answer = session.get(f"{window.url}/admin/maintenance/{path(name, ids)}", timeout=60)
        kind = answer.headers["Content-Type"].partition(";")[0]
        assert answer.status_code == 200 or name == "host_sets", name
        assert kind in ("application/json", "text/csv", "text/plain"), name
        assert answer.headers["X-Content-Type-Options"] == "nosniff", name
        assert answer.headers["Cache-Control"] == "no-store", name
        attached = answer.headers.get("Content-Disposition", "")
        if PIECE not in row.kinds and name != "host_sets":
            assert re.fullmatch(r'attachment; filename="[A-Za-z0-9._-]+"', attached), name

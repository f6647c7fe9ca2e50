"""The import rules of the layers: who may know whom. They are what keeps the parts replaceable.

`core` knows nobody, `cloud` alone talks to OpenStack, `content` alone knows Horizon, and nothing
of the product knows the demo. Imports for type checkers alone are free. `exceptions` and, for
what needs its paths, `policies` are constants that everybody may know.
"""

import ast
import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ukcloud_maintenance
from tests.sources import nodes

PACKAGE = "ukcloud_maintenance"
ROOT = Path(ukcloud_maintenance.__file__).parent

#: What the folders of the panel may import besides what all of `content` may: no circles.
CONTENT = {
    f"content.maintenance.{folder}": {
        *("services", "store", "messages", "core", "release", "exceptions"),
        *(f"content.maintenance.{name}" for name in known),
    }
    for folder, known in {
        "common": (),
        "preflight": ("common",),
        "record": ("common",),
        "drains": ("common", "preflight"),
        "hosts": ("common", "preflight", "drains"),
        "workflow": ("common", "preflight"),
        "affected": ("common",),
        "plans": ("common", "preflight", "drains", "hosts"),
        "runs": ("common", "drains"),
    }.items()
}
#: What a module may import of ours; the longest name that fits a module counts. A layer may
#: always import itself.
MAY_IMPORT = {
    "core": set(),
    "exceptions": {"core.message"},
    "policies": set(),
    "connections": set(),
    "release": set(),
    "actions": {"connections", "settings", "core", "exceptions"},
    # a program of its own, which is there at once
    "actions.supervise": set(),
    "settings": {"core.message", "core.notices", "core.signing", "exceptions"},
    "messages": {"core.backports", "core.message"},
    "models": {
        *("core.states", "core.attempt", "message_field", "stored_text"),
        *("core.run.states", "core.run.domains", "core.run.order"),
    },
    "stored_text": set(),
    "message_field": {"core.message", "stored_text"},
    "migrations": {"message_field", "stored_text"},
    "store": {"models", "core", "stored_text", "exceptions"},
    "cloud": {
        *("core.facts", "core.message", "core.printable"),
        *("connections", "settings", "exceptions"),
    },
    # how requests go out, and what an answer says, know nothing of what is asked
    "cloud.http": {"connections", "exceptions"},
    "cloud.answers": {"core.message", "exceptions"},
    "cloud.errors": {"cloud.answers", "connections", "core.message", "exceptions"},
    "cloud.wire": {"core.backports", "core.facts"},
    "cloud.routes": set(),
    "log": {"core.printable", "core.message", "messages"},
    # it is handed what it tells of, and writes nothing down
    "notify": {"core", "messages", "settings"},
    # a program of its own
    "notify.courier": set(),
    "observe": {"store", "cloud", "core", "settings", "log", "exceptions"},
    "preflight": {"observe", "store", "core", "cloud", "settings", "exceptions"},
    "services": {
        *("observe", "preflight", "store", "core", "cloud", "notify", "settings", "exceptions"),
    },
    # what is checked knows nothing of what is done then
    "services.access": {"cloud", "core.actor", "core.message", "settings", "exceptions"},
    "services.requests": {"services.access", "store", "core", "settings", "exceptions"},
    "services.checks": {"services.access", "preflight", "store", "core", "cloud", "exceptions"},
    "services.certificates": {
        *{"services.access", "messages", "store", "core", "settings"},
    },
    "services.affected_files": {
        *("services.affected", "services.affected_moves", "messages", "core"),
    },
    "services.records": {
        *("services.access", "services.reports", "messages", "store", "core"),
        *("settings", "exceptions"),
    },
    "services.run_forecast": {"store", "core"},
    "services.run_records": {
        *("services.access", "services.rolling", "services.run_forecast"),
        *("messages", "store", "core"),
    },
    # a run does what an admin would do
    "rolling": {"services", "actions", "store", "cloud", "core", "settings", "log", "exceptions"},
    "worker": {
        *("preflight", "observe", "store", "cloud", "core", "messages", "settings", "log"),
        *("rolling", "notify", "release", "exceptions"),
    },
    "content": {"services", "store", "messages", "core", "release", "exceptions"},
    **CONTENT,
    "management": set(),
    "management.commands": {"services", "messages", "core", "exceptions"},
    "management.commands.maintenance_worker": {
        *("management.commands._edge", "core.message", "worker", "settings", "log", "messages"),
        "exceptions",
    },
    "checks": {"settings", "stored_text", "exceptions", "policies"},
    "worker_settings": set(),
    "apps": {"checks", "exceptions"},
    "__init__": set(),
}
#: Other people's packages that only these may import.
RESERVED = {
    "horizon": {"content", "worker_settings"},
    "openstack_dashboard": {"content", "worker_settings"},
    "openstack_auth": {"content"},
    "openstack": {"cloud"},
    "requests": {"cloud", "actions", "notify.courier"},
    "apprise": {"notify.courier"},
    "novaclient": {"cloud"},
    "keystoneclient": {"cloud"},
    # the session adapter makes a session of Horizon's request; the gateway takes it
    "keystoneauth1": {"cloud", "content.maintenance.common.session"},
    # optional: whoever wants metrics installs it
    "prometheus_client": {"worker.prometheus"},
    # the control plane of the demo
    "nova": set(),
    "keystone": set(),
    "placement": set(),
}
STANDARD_LIBRARY_ONLY = {"core", "exceptions", "actions.supervise"}
FREE = {"demo"}


def violations(root: Path) -> list[str]:
    """What breaks the rules in a package at `root`."""
    return [
        f"{file.relative_to(root)}:{line} imports {imported}"
        for file in sorted(root.rglob("*.py"))
        if not _within(name := _module(root, file), FREE)
        for line, imported in _imports(root, file)
        if not _allowed(name, imported)
    ]


def _module(root: Path, file: Path) -> str:
    """Name below the package, e.g. ``core.states``; that of a package is its folder's."""
    parts = file.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def _imports(root: Path, file: Path) -> Iterator[tuple[int, str]]:
    """(line, module) of every import; ours begin with a dot."""
    found = nodes(file.read_text())
    for_types = {
        id(node)
        for block in found
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for statement in block.body
        for node in ast.walk(statement)
    }
    for node in found:
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, _ours(alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = _ours(node.module or "") if not node.level else _absolute(root, file, node)
            for alias in node.names:
                yield node.lineno, _submodule(root, base, alias.name)


def _ours(name: str) -> str:
    inside = name.removeprefix(PACKAGE)
    return (inside or ".") if name == PACKAGE or inside.startswith(".") else name


def _absolute(root: Path, file: Path, node: ast.ImportFrom) -> str:
    folder = file.parent.relative_to(root).parts
    above = folder[: len(folder) - node.level + 1]
    return "." + ".".join([*above, *filter(None, [node.module])])


def _submodule(root: Path, base: str, name: str) -> str:
    """`from .core import states` imports the module core.states, not a name of core."""
    if not base.startswith("."):
        return base
    below = root.joinpath(*filter(None, base.split(".")), name)
    is_module = below.is_dir() or below.with_suffix(".py").is_file()
    return f"{base.rstrip('.')}.{name}" if is_module else base


def _within(name: str, layers: set[str]) -> bool:
    return any(name == layer or name.startswith(f"{layer}.") for layer in layers)


def _layer(name: str) -> str:
    return max((layer for layer in MAY_IMPORT if _within(name, {layer})), key=len)


def _allowed(name: str, imported: str) -> bool:
    layer = _layer(name)
    if imported.startswith("."):
        inside = imported.strip(".")
        if inside == "":  # names of the package itself, e.g. its version
            return True
        return _within(inside, {layer} | MAY_IMPORT[layer])
    top = imported.split(".")[0]
    if _within(name, STANDARD_LIBRARY_ONLY):
        return top in sys.stdlib_module_names
    return top not in RESERVED or _within(name, RESERVED[top])


def test_every_module_keeps_to_its_layer():
    assert violations(ROOT) == []


def test_the_picture_of_the_rooms_shows_each_above_what_it_imports():
    """The one in the contributor guide."""
    picture = ROOT.parent / "doc" / "source" / "images" / "rooms.svg"
    boxes = re.findall(r'<rect class="room" id="(\w+)" x="\d+" y="(\d+)"', picture.read_text())
    row = {name: int(y) for name, y in boxes}
    corners = {"apps", "checks", "exceptions", "log", "message_field", "migrations", "policies"}
    corners |= {"connections", "release", "stored_text", "worker_settings", "__init__"}
    assert row.keys() == {name for name in MAY_IMPORT if "." not in name} - corners
    for layer, known in MAY_IMPORT.items():
        room = layer.split(".")[0]
        below = {name.split(".")[0] for name in known} & row.keys() - {room}
        if room in row:
            assert all(row[name] > row[room] for name in below), layer


def test_every_module_has_a_layer():
    modules = {_module(ROOT, file) for file in ROOT.rglob("*.py")}
    assert {m for m in modules if not _within(m, set(MAY_IMPORT) | FREE)} == set()


@pytest.mark.parametrize(
    ("file", "statement", "imported"),
    [
        ("core/states.py", "import django", "django"),
        ("core/drain/order.py", "import yaml", "yaml"),
        ("core/drain/order.py", "from ...exceptions import Refused", ".exceptions"),
        ("core/drain/order.py", "from ukcloud_maintenance import settings", ".settings"),
        ("exceptions.py", "from django.conf import settings", "django.conf"),
        ("settings/schema.py", "from .. import store", ".store"),
        ("models/drains.py", "from ..core.facts import Server", ".core.facts"),
        ("models/drains.py", "from ..core import facts", ".core.facts"),
        ("store/drains.py", "from ..cloud import Cloud", ".cloud"),
        ("store/drains.py", "import ukcloud_maintenance.services", ".services"),
        ("cloud/http.py", "from .. import store", ".store"),
        ("cloud/http.py", "from ..core.states import DrainState", ".core.states"),
        ("cloud/wire.py", "from .http import Bounds", ".cloud.http"),
        ("actions/supervise.py", "from .outcome import Ending", ".actions.outcome"),
        ("actions/supervise.py", "import requests", "requests"),
        ("actions/webhook.py", "from .. import store", ".store"),
        ("cloud/http.py", "from . import transport", ".cloud.transport"),
        ("services/checks.py", "from .drains import request_drain", ".services.drains"),
        ("services/drains.py", "import requests", "requests"),
        (
            "services/drains.py",
            "from keystoneauth1.session import Session",
            "keystoneauth1.session",
        ),
        ("services/drains.py", "from ..worker.drain import Reconciler", ".worker.drain"),
        ("services/drains.py", "def f():\n    from horizon import forms", "horizon"),
        ("worker/drain.py", "from ..services import request_drain", ".services"),
        ("worker/drain.py", "import openstack.connection", "openstack.connection"),
        ("observe/drain.py", "from ..preflight import read_placement_context", ".preflight"),
        ("observe/views.py", "from ..worker import Worker", ".worker"),
        ("checks.py", "from . import cloud", ".cloud"),
        ("apps.py", "from . import models", ".models"),
        (
            "content/maintenance/drains/views.py",
            "from ukcloud_maintenance import settings",
            ".settings",
        ),
        (
            "content/maintenance/drains/views.py",
            "from keystoneauth1 import session",
            "keystoneauth1",
        ),
        ("content/maintenance/drains/views.py", "from .... import models", ".models"),
        ("management/commands/drain_host.py", "from ... import store", ".store"),
        ("management/commands/drain_host.py", "import ukcloud_maintenance.content", ".content"),
        ("management/commands/maintenance_worker.py", "import horizon", "horizon"),
        ("management/commands/maintenance_worker.py", "from ... import demo", ".demo"),
        ("management/commands/maintenance_worker.py", "from ... import store", ".store"),
        ("services/drains.py", "from ..demo.harness import DemoCloud", ".demo.harness"),
        ("services/drains.py", "import nova.objects", "nova.objects"),
    ],
)
def test_a_broken_rule_is_found(tmp_path, file, statement, imported):
    for name in (
        *("core/facts.py", "core/states.py", "demo/harness.py", "content/__init__.py"),
        *("worker/drain.py", "cloud/transport.py", "actions/outcome.py"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for name in ("settings", "store", "cloud", "models", "exceptions"):
        (tmp_path / f"{name}.py").touch()
    module = tmp_path / file
    module.parent.mkdir(parents=True, exist_ok=True)
    module.write_text(statement)
    line = len(statement.splitlines())
    assert violations(tmp_path) == [f"{file}:{line} imports {imported}"]


@pytest.mark.parametrize(
    ("file", "statement"),
    [
        ("core/drain/order.py", "from . import facts"),
        ("core/drain/order.py", "import dataclasses, collections.abc"),
        ("services/drains.py", "if TYPE_CHECKING:\n    from keystoneauth1.session import Session"),
        ("content/maintenance/common/session.py", "from keystoneauth1 import session"),
        ("content/maintenance/drains/views.py", "from . import tables"),
        ("demo/harness.py", "import nova, horizon, ukcloud_maintenance.cloud"),
    ],
)
def test_what_is_allowed_is_not_found(tmp_path, file, statement):
    module = tmp_path / file
    module.parent.mkdir(parents=True, exist_ok=True)
    module.write_text(statement)
    assert violations(tmp_path) == []


# -- no circles, no long modules ---------------------------------------------------------------


def circles(root: Path) -> list[list[str]]:
    """Modules that import each other when they are loaded, each circle once."""
    modules = {_module(root, file): file for file in root.rglob("*.py")}
    needs: dict[str, set[str]] = {}
    for name, file in modules.items():
        module = nodes(file.read_text())[0]
        top = {node.lineno for node in ast.iter_child_nodes(module)}
        needs[name] = {
            found
            for line, imported in _imports(root, file)
            if line in top and imported.startswith(".")
            for found in [imported.strip(".")]
            if found in modules and found != name and not _is_above(found, name)
        }
    return [sorted(group) for group in _knots(needs) if len(group) > 1]


def _is_above(package: str, name: str) -> bool:
    """A package is loaded before what is in it, whatever that imports of it by name."""
    return name.startswith(f"{package}.")


def _knots(needs: dict[str, set[str]]) -> list[set[str]]:
    """The groups of those that need each other, one step or more away."""
    reach = {name: set(found) for name, found in needs.items()}
    changed = True
    while changed:
        changed = False
        for found in reach.values():
            more = set().union(*(reach[one] for one in found)) - found if found else set()
            if more:
                found |= more
                changed = True
    groups: list[set[str]] = []
    for name, found in reach.items():
        group = {other for other in found if name in reach[other]} | {name}
        if group not in groups:
            groups.append(group)
    return groups


def test_no_module_imports_itself_by_a_detour():
    assert circles(ROOT) == []


def test_a_detour_is_found(tmp_path):
    for name, text in {
        "a.py": "from . import b",
        "b.py": "from .c import x",
        "c.py": "from .a import y\nx = 1",
        "d.py": "def f():\n    from . import a",
    }.items():
        (tmp_path / name).write_text(text)
    assert circles(tmp_path) == [["a", "b", "c"]]


#: Lines that a module may have.
LENGTH = 400


def test_no_module_is_too_long():
    long = {
        name: lines
        for name, lines in lines_of(ROOT).items()
        if lines > LENGTH and not name.startswith("migrations/")
    }
    assert long == {}


def lines_of(root: Path) -> dict[str, int]:
    return {
        str(file.relative_to(root)): len(file.read_text().splitlines())
        for suffix in ("py", "js", "scss", "html")
        for file in root.rglob(f"*.{suffix}")
    }


#: Lines that a comment may have; what a function takes and gives is its docstring's.
COMMENT = 3
MARKS = {"py": "#", "js": "//", "scss": "//"}


def long_comments(root: Path) -> list[str]:
    """The comments that are longer, by file and line of their end."""
    found = []
    for suffix, mark in MARKS.items():
        for file in sorted(root.rglob(f"*.{suffix}")):
            length = 0
            for number, line in enumerate(file.read_text().splitlines(), 1):
                length = length + 1 if line.strip().startswith(mark) else 0
                if length == COMMENT + 1:
                    found.append(f"{file.relative_to(root)}:{number}")
    return found


def test_a_comment_says_why_in_at_most_three_lines():
    assert long_comments(ROOT) == []


def test_a_longer_comment_is_found(tmp_path):
    (tmp_path / "a.py").write_text("# one\n# two\n# three\nx = 1\n# one\n")
    (tmp_path / "b.js").write_text("    // one\n" * 4)
    assert long_comments(tmp_path) == ["b.js:4"]


#: Names that were given up for plainer ones.
GIVEN_UP = re.compile(
    r"wish|errand|hurry|homeless|odd_since|spoilt|bury|HostSight|look_around\b"
    r"|under_way|UNDER_WAY|flying|[Gg]ive_?[Bb]ack|[Gg]iven_?[Bb]ack"
)


def test_no_name_comes_back_that_was_given_up_for_a_plainer_one():
    found = {
        f"{name}: {one}"
        for name in map(str, ROOT.rglob("*.py"))
        if "/migrations/" not in name and "/demo/" not in name
        for node in nodes(Path(name).read_text())
        for one in (getattr(node, field, None) for field in ("id", "attr", "arg", "name"))
        if isinstance(one, str) and GIVEN_UP.search(one)
    }
    assert found == set()


# -- one clock --------------------------------------------------------------------------------

#: What tells the time by the clock of this machine, which is not the one that counts.
WALL_CLOCKS = {
    *("timezone.now", "timezone.localdate", "datetime.now", "datetime.utcnow", "datetime.today"),
    *("date.today", "time.time", "time.time_ns", "time.localtime", "time.gmtime", "time.ctime"),
    *("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.date.today", "functions.Now"),
}
#: As above, where they are called without a time.
WALL_CLOCKS_BARE = {"timezone.localtime", "Now", "localtime", "now"}
ALLOWED_CLOCKS = {
    # the one clock: SQLite has no other
    ("store/clock.py", "timezone.now"),
    # part of a worker's name, and what its log lines begin with: nothing is decided by them
    ("worker/loop.py", "time.time"),
    # when a command ended, by the clock of its machine: shown, and nothing is decided by it
    ("actions/supervise.py", "time.time"),
    ("management/commands/maintenance_worker.py", "time.gmtime"),
}


def wall_clocks(root: Path) -> set[tuple[str, str]]:
    """(file, what it asks) wherever the product asks the clock of its machine."""
    found = set()
    for file in root.rglob("*.py"):
        if _within(_module(root, file), FREE | {"migrations"}):
            continue
        every = nodes(file.read_text())
        mine = {node.name for node in every if isinstance(node, ast.FunctionDef)}
        for node in every:
            if isinstance(node, ast.Attribute) and (name := ast.unparse(node)) in WALL_CLOCKS:
                found.add((str(file.relative_to(root)), name))
            if isinstance(node, ast.Call) and not node.args and not node.keywords:
                name = ast.unparse(node.func)
                if name in WALL_CLOCKS_BARE - mine:
                    found.add((str(file.relative_to(root)), name))
    return found


def test_everything_goes_by_the_databases_clock():
    assert wall_clocks(ROOT) == ALLOWED_CLOCKS


@pytest.mark.parametrize(
    ("statement", "asks"),
    [
        ("now = timezone.now()", "timezone.now"),
        ("class A:\n    at: datetime = field(default_factory=timezone.now)", "timezone.now"),
        ("today = timezone.localtime().date()", "timezone.localtime"),
        ("age = datetime.now(UTC) - at", "datetime.now"),
        ("age = time.time() - at", "time.time"),
        ("rows.filter(claimed_until__lt=Now())", "Now"),
        ("from django.utils.timezone import now\nat = now()", "now"),
    ],
)
def test_another_clock_is_found(tmp_path, statement, asks):
    (tmp_path / "services.py").write_text(statement)
    assert wall_clocks(tmp_path) == {("services.py", asks)}


def test_a_time_that_is_only_shown_in_a_zone_is_none(tmp_path):
    (tmp_path / "services.py").write_text("timezone.localtime(at)\nstore.now()\ntime.monotonic()")
    assert wall_clocks(tmp_path) == set()


# -- templates --------------------------------------------------------------------------------

LONGEST_LINE = 160


def test_no_line_of_a_template_is_too_long_to_be_read():
    found = {
        file.name
        for file in ROOT.rglob("*.html")
        for line in file.read_text().splitlines()
        if len(line) > LONGEST_LINE
    }
    assert found == set()


# -- scripts ----------------------------------------------------------------------------------


def test_every_script_is_loaded_and_what_others_need_first():
    settings = runpy.run_path(str(ROOT.parent / "enabled" / "_2125_admin_maintenance_panel.py"))
    loaded = [Path(name).name for name in settings["ADD_JS_FILES"]]
    # the page to print is none of Horizon's, and loads its own
    scripts = [*loaded, "certificate.js"]
    assert sorted(scripts) == sorted(file.name for file in ROOT.rglob("static/**/*.js"))
    assert loaded[0] == "maintenance.poll.js"


#: Modules of the core in which a string with a blank is put together that no reader takes for a
#: sentence: names, commands to type, a phrase of Nova's, a fault's own words.
PUTS_TOGETHER = {
    *("core/actor.py", "core/message.py", "core/printable.py", "core/states.py"),
    *("core/copying/convergence.py", "core/drain/whereabouts.py"),
    *("core/host/certificate.py", "core/host/emptiness.py", "core/host/orphans.py"),
}


def sentences_in(tree: ast.AST) -> list[str]:
    """What looks like a sentence, or a part of one, that is composed and has no code."""
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            texts = [v.value for v in node.values if isinstance(v, ast.Constant)]
            prose.update(id(value) for value in node.values)
            if any(" " in text for text in texts):
                found.append(ast.unparse(node))
    return found + [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in prose
        and re.fullmatch(r"[A-Z].* .*\.", node.value, re.S)
    ]


def test_no_text_is_composed_in_the_core():
    found = {
        str(file.relative_to(ROOT)): sentences
        for file in sorted((ROOT / "core").rglob("*.py"))
        if (sentences := sentences_in(ast.parse(file.read_text())))
    }
    assert {name: said for name, said in found.items() if name not in PUTS_TOGETHER} == {}
    assert found.keys() >= PUTS_TOGETHER, "a module leaves this list"
    sentences = [one for said in found.values() for one in said]
    assert [one for one in sentences if one.endswith((".", ".'", '."'))] == []


#: What a command may say in words of its own: --help, and what argparse refuses by itself.
OF_ARGPARSE = {"help", "metavar", "description", "epilog"}
#: Strings that no reader takes for a sentence: what is to be typed, or is for developers.
NO_WORDS = {
    *("none is needed", "the parser ends the command", "%(asctime)sZ %(levelname)s %(message)s"),
    *("; none removes it", "drain_instance abort", "drain_instance force-complete"),
    *("must be more than 0", "must be one number, or two with a comma between"),
    "three times VERIFY_SECONDS (90), and 900",
}
#: What --help is made by, what argparse refuses with, or what the reference of JSON is made of.
HELP_CALLS = {
    *("usage_error", "ArgumentTypeError", "startswith"),
    *("add", "about_a_run", "about_a_host", "add_dry_run"),
    *("Shape", "keys", "Printed"),
}
#: Names of tables that --help is made of.
HELP_TABLES = {"_THRESHOLDS", "EXIT_CODES", "help", "exit_codes", "epilog"}


def words_of_commands(tree: ast.AST) -> list[str]:
    """The English that a command composes itself, in place of a message."""
    spared: set[int] = set()
    for node in ast.walk(tree):
        found: list[ast.AST] = []
        if isinstance(node, ast.Expr):
            found = [node.value] if isinstance(node.value, ast.Constant) else []
        elif isinstance(node, ast.keyword) and node.arg in OF_ARGPARSE:
            found = [node.value]
        elif isinstance(node, ast.Assign):
            names = {one.id for one in node.targets if isinstance(one, ast.Name)}
            found = [node.value] if names & HELP_TABLES else []
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")[2]
            found = [node] if name in HELP_CALLS else []
        spared |= {id(inner) for one in found for inner in ast.walk(one)}
    said = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            spared |= {id(inner) for inner in node.values if isinstance(inner, ast.Constant)}
            text = "".join(v.value for v in node.values if isinstance(v, ast.Constant))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        typed = re.sub(r"`[^`]*`", "", text)
        is_said = " " in typed.strip() and re.search(r"[a-z]{3}", typed) and text not in NO_WORDS
        if id(node) not in spared and is_said:
            said.append(ast.unparse(node))
    return said


def test_no_command_composes_english():
    found = {
        file.name: said
        for file in sorted((ROOT / "management" / "commands").glob("*.py"))
        if (said := words_of_commands(ast.parse(file.read_text())))
    }
    assert found == {}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('self.say(f"Drain {pk} is over.")', 1),
        ('yield "The drain is over."', 1),
        ('more = f"and {n} more"', 1),
        ('self.tell(message("shell_drain_is", drain=pk))', 0),
        ('parser.add_argument("id", help="the number of the drain")', 0),
        ('self.usage_error("give a host")', 0),
        ('text(f"`maintenance_run retry {run}`")', 0),
        ('def f():\n    """It is over."""', 0),
    ],
)
def test_english_that_a_command_composes_is_found(source, found):
    assert len(words_of_commands(ast.parse(source))) == found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('message("late", seconds=3)', 0),
        ('say(f"It is {state} now.")', 1),
        ('say("It is late.")', 1),
        ('"""It is late."""', 0),
        ('key = f"{a}-{b}"', 0),
    ],
)
def test_a_sentence_is_found_where_it_is_composed(source, found):
    assert len(sentences_in(ast.parse(source))) == found

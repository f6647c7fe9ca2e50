"""The documentation and the release notes are built without a warning, as `make docs` does; what
the pages show to be typed or copied can be read by what it is for."""

import re
import shlex
import sqlite3
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import jinja2
import pytest
import yaml
from django.core.management import get_commands, load_command_class

from tests import readme

ROOT = Path(__file__).resolve().parent.parent
PAGES = [str(page.relative_to(ROOT)) for page in readme.pages()]
#: by which our commands and Django's are called
PROGRAMS = r"(?:django-admin|(?:horizon-)?manage\.py)"


@pytest.mark.parametrize(
    ("target", "page", "said"),
    [
        ("docs", "doc/build/html/kolla.html", "horizon-plugin-ukcloud-maintenance"),
        ("releasenotes", "releasenotes/build/html/index.html", "first release for production"),
    ],
)
@pytest.mark.xdist_group("docs")
def test_a_build_has_no_warning(target, page, said):
    """Into an environment of its own, which is made once: a few seconds."""
    built = subprocess.run(
        ["make", "-s", target], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stdout + built.stderr
    assert said in (ROOT / page).read_text()


def test_the_notes_of_the_upgrade_name_the_newest_migration():
    migrations = (ROOT / "ukcloud_maintenance" / "migrations").glob("0*.py")
    newest = max(file.name[:4] for file in migrations)
    notes = [file.read_text() for file in (ROOT / "releasenotes" / "notes").glob("*.yaml")]
    assert [note for note in notes if re.search(rf"migrations? .*\b{newest}\b", note)]


# -- what is shown to be typed -----------------------------------------------------------------


def indented(page: Path) -> list[str]:
    """The blocks that are set off by four spaces, below a line that is not a list's."""
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.M | re.S)
    return re.findall(r"(?:\A|\n\n)((?: {4}\S.*(?:\n|\Z)(?: {4}.*(?:\n|\Z)|\n(?= {4}))*)+)", text)


@pytest.mark.parametrize("page", PAGES)
def test_bash_can_read_what_is_to_be_typed(page):
    for block in [*readme.code_blocks(ROOT / page, "sh"), *indented(ROOT / page)]:
        read = subprocess.run(
            ["bash", "-n"], input=block, capture_output=True, text=True, check=False
        )
        assert (read.returncode, read.stderr) == (0, ""), block


def called() -> Iterator[tuple[str, str, list[str]]]:
    """(page, command, arguments) of each command that a block has, in whatever language: also
    what a container is started with, a line of cron, a task of Ansible. Not the usages, which are
    generated."""
    for page in set(readme.pages()) - {readme.COMMANDS}:
        blocks = "\n".join(readme.code_blocks(page, r"\w+"))
        blocks = "\n".join([blocks, *indented(page)]).replace("\\\n", " ")
        for line in re.findall(rf"{PROGRAMS} +([a-z_]+(?: .*)?)", blocks):
            typed = re.split(r" #|[)\"|;]\s*(?:$|[,|>])| \| | > ", line)[0]
            if "{{" not in typed and "…" not in typed:
                command, *arguments = shlex.split(typed.replace("<", ""))
                yield page.name, command, arguments


def test_every_command_and_its_options_exist():
    """Those of Django, too, and wherever they are shown; ours alone are in test_readme.py."""
    apps = get_commands()
    seen = set()
    for page, command, arguments in called():
        assert command in apps, f"{page}: {command}"
        known = load_command_class(apps[command], command)
        given = ["7" if argument == "ID" else argument for argument in arguments]
        try:
            known.create_parser("django-admin", command).parse_args(given)
        except (Exception, SystemExit) as error:
            pytest.fail(f"{page}: {command} {arguments}: {error}")
        seen.add((page, command))
    for page in ("installing.md", "kolla.md", "openstack-ansible.md", "debian.md"):
        assert {(page, "check"), (page, "migrate")} <= seen
    assert ("kolla.md", "maintenance_worker") in seen
    assert ("openstack-ansible.md", "maintenance_worker") in seen


# -- pages for installing ----------------------------------------------------------------------


def strings(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list):
        for one in value:
            yield from strings(one)
    elif isinstance(value, str):
        yield value


def test_the_playbooks_are_playbooks():
    """What can be told without Ansible: tasks with a name and one module, and expressions."""
    words = {"name", "register", "changed_when", "failed_when", "run_once", "loop"}
    words |= {"environment", "become_user"}
    page = readme.DOCS / "openstack-ansible.md"
    plays = [p for block in readme.code_blocks(page, "yaml") for p in yaml.safe_load(block)]
    plays = [play for play in plays if isinstance(play, dict)]
    assert len(plays) == 2
    for play in plays:
        assert play["hosts"] == "horizon_all"
        for task in play["tasks"]:
            [module] = task.keys() - words
            assert module.startswith("ansible.builtin."), task["name"]
        for text in strings(play):
            jinja2.Environment(autoescape=True).parse(text)


@pytest.mark.parametrize("page", ["installing", "debian", "kolla", "openstack-ansible"])
def test_each_way_to_install_is_whole(page):
    """The worker's user and role, the tables, the worker, an upgrade, and the way back."""
    text = (readme.DOCS / f"{page}.md").read_text()
    assert "openstack user create --domain default --project service" in text
    assert "openstack role add --user maintenance --project service admin" in text
    assert "maintenance_worker" in text or "ukcloud-maintenance-worker" in text
    assert "migrate --noinput ukcloud_maintenance zero" in " ".join(text.split())
    assert "openstack user delete maintenance" in text
    assert "\n## Remove it\n" in text
    assert page == "installing" or "\n## Upgrade\n" in text


@pytest.mark.parametrize("page", ["installing", "debian"])
def test_the_web_server_can_write_the_sqlite_file(page, tmp_path):
    """SQLite makes a file that its group cannot write, whatever the umask."""
    lines = readme.shell_lines(readme.DOCS / f"{page}.md")
    [umask] = {m[1] for line in lines if (m := re.match(r"\((umask \d+);", line))}
    [change] = [line for line in lines if line.startswith("chmod ")]
    named = re.search(r'"NAME": "(/[^"]+)"', readme.INSTALLING.read_text())[1]
    assert named in change
    file = tmp_path / "maintenance.sqlite3"
    make = f"import sqlite3; sqlite3.connect({str(file)!r}).execute('create table t (c)')"
    subprocess.run(["bash", "-ec", f"{umask}; python3 -c {shlex.quote(make)}"], check=True)
    subprocess.run(["bash", "-ec", change.replace(named, str(file))], check=True)
    assert stat.S_IMODE(file.stat().st_mode) == 0o660
    with sqlite3.connect(file) as database:
        assert database.execute("select * from t").fetchall() == []

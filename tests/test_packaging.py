"""What a wheel and an editable install carry, and that Horizon can be set up from a wheel alone."""

import configparser
import os
import re
import subprocess
import sys
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests import readme

ROOT = Path(__file__).resolve().parent.parent


def run(*command: str, cwd: Path, **environment: str) -> str:
    """Output of a command; its errors are in the failure."""
    inherited = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONSAFEPATH")}
    ended = subprocess.run(
        command,
        cwd=cwd,
        env=inherited | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def tracked() -> list[str]:
    """The files of the package in git."""
    return run("git", "ls-files", "ukcloud_maintenance", "enabled", cwd=ROOT).splitlines()


@pytest.fixture(scope="module")
def wheel(tracked, tmp_path_factory) -> Path:
    """Built from what is in git, so that no leftover of a build gets into it."""
    source = tmp_path_factory.mktemp("source")
    for name in [*tracked, "setup.py", "setup.cfg", "MANIFEST.in", "LICENSE", "README.md"]:
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    target = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    run(*pip, "--no-deps", "--no-build-isolation", "-w", str(target), str(source), cwd=source)
    [found] = target.glob("*.whl")
    return found


def test_the_wheel_has_every_file_of_the_package(wheel, tracked):
    expected = {
        name.replace("enabled/", "ukcloud_maintenance/enabled/", 1)
        if name.startswith("enabled/")
        else name
        for name in tracked
        if not name.endswith(".pot") and (ROOT / name).is_file()
    }
    with ZipFile(wheel) as content:
        names = {name for name in content.namelist() if ".dist-info/" not in name}
    assert expected - names == set(), "missing in the wheel"
    assert names - expected == set(), "in the wheel, but not in git"


@pytest.mark.parametrize(
    "kind",
    [
        "ukcloud_maintenance/content/maintenance/templates/maintenance/index.html",
        "ukcloud_maintenance/static/ukcloud_maintenance/scss/maintenance.scss",
        "ukcloud_maintenance/migrations/0001_initial.py",
        "ukcloud_maintenance/policies/maintenance_policy.yaml",
        "ukcloud_maintenance/policies/maintenance_defaults.yaml",
        "ukcloud_maintenance/locale/de/LC_MESSAGES/django.mo",
        "ukcloud_maintenance/enabled/_2125_admin_maintenance_panel.py",
        "ukcloud_maintenance/demo/__main__.py",
        "ukcloud_maintenance/contrib/ukcloud-maintenance-worker.service",
    ],
)
def test_the_wheel_has_each_kind_of_file(wheel, kind):
    with ZipFile(wheel) as content:
        assert kind in content.namelist()


def test_the_wheel_has_every_translation_compiled(wheel, tracked):
    with ZipFile(wheel) as content:
        names = set(content.namelist())
    assert {name[:-2] + "mo" for name in tracked if name.endswith(".po")} <= names


def test_the_wheel_tells_its_licence_and_what_it_needs(wheel):
    with ZipFile(wheel) as content:
        [metadata] = [n for n in content.namelist() if n.endswith(".dist-info/METADATA")]
        text = content.read(metadata).decode()
    assert "License: Apache-2.0" in text or "License-Expression: Apache-2.0" in text
    assert "Requires-Python: >=3.11" in text
    assert "Requires-Dist: Django<6,>=4.2" in text
    assert {"Provides-Extra: demo", "Provides-Extra: test"} <= set(text.splitlines())


def test_the_install_that_the_tests_run_in_has_the_enabled_files(tmp_path):
    """`make test` installs with -e; the folder is beside the package then."""
    code = "import ukcloud_maintenance.enabled as e; print(*e.__path__)"
    found = Path(run(sys.executable, "-c", code, cwd=tmp_path).strip())
    assert (found / "_2125_admin_maintenance_panel.py").is_file()


# -- as the README says ----------------------------------------------------------------------

SETTINGS = """
import sys, types
from pathlib import Path

local = types.ModuleType("local.local_settings")
local.SECRET_KEY = "x"
sys.modules[local.__name__] = local

# As if the enabled file were copied there.
import openstack_dashboard.local.enabled
import ukcloud_maintenance.enabled
openstack_dashboard.local.enabled.__path__ += ukcloud_maintenance.enabled.__path__

from openstack_dashboard.settings import *
CACHES = {{"default": {{"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}}}
STATIC_ROOT = {static!r}

# Horizon executes the files of local_settings.d in its settings.
exec(Path({snippet!r}).read_text())
"""


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> tuple[Path, dict[str, str]]:
    """A Horizon with the wheel in it, set up with the snippet of the README: where, and with
    which environment its commands run."""
    folder = tmp_path_factory.mktemp("installed")
    # An environment of its own, which finds Horizon in the one of the tests, but not us: an
    # editable install hooks into the interpreter that has it.
    venv.create(folder / "venv", symlinks=True, with_pip=False)
    python = folder / "venv" / "bin" / "python"
    [site_packages] = (folder / "venv" / "lib").glob("python3*/site-packages")
    with ZipFile(wheel) as content:
        content.extractall(site_packages)
    theirs = next(p for p in map(Path, sys.path) if (p / "openstack_dashboard").is_dir())
    # As a plain entry of sys.path, its .pth files are not read, and with them our own hook.
    # One is needed from Python 3.12 on: setuptools' stand-in for distutils, for Horizon's debreach.
    if (shim := theirs / "distutils-precedence.pth").is_file():
        (site_packages / shim.name).write_text(shim.read_text())
    environment = {"PYTHONPATH": str(theirs), "DJANGO_SETTINGS_MODULE": "site_settings"}
    snippet = readme.code_blocks("python")[0]
    assert "/var/lib/openstack-dashboard/maintenance.sqlite3" in snippet
    (folder / "snippet.py").write_text(
        snippet.replace("/var/lib/openstack-dashboard/", f"{folder}/")
    )
    (folder / "site_settings.py").write_text(
        SETTINGS.format(snippet=str(folder / "snippet.py"), static=str(folder / "static"))
    )
    environment["PYTHONPATH"] += os.pathsep + str(folder)
    where = run(
        str(python), "-c", "import ukcloud_maintenance as u; print(u.__file__)",
        cwd=folder, **environment,
    )  # fmt: skip
    assert where.startswith(str(site_packages))
    return python, environment


def django_admin(installed: tuple[Path, dict[str, str]], *arguments: str) -> str:
    python, environment = installed
    return run(str(python), "-m", "django", *arguments, cwd=python.parent, **environment)


def test_the_readmes_settings_pass_the_checks(installed):
    assert "no issues" in django_admin(installed, "check", "--fail-level", "WARNING")


def test_the_tables_are_made_by_migrate(installed):
    assert "ukcloud_maintenance.0001_initial... OK" in django_admin(installed, "migrate")


def test_static_files_are_found(installed):
    found = django_admin(installed, "findstatic", "ukcloud_maintenance/scss/maintenance.scss")
    assert "site-packages/ukcloud_maintenance/static" in found


def test_the_panel_and_its_templates_are_found(installed):
    code = (
        "from django.urls import reverse; from django.template.loader import get_template;"
        "print(reverse('horizon:admin:maintenance:index'));"
        "print(get_template('admin/maintenance/index.html').template.origin)"
    )
    found = django_admin(installed, "shell", "-c", code)
    assert "/admin/maintenance/" in found
    assert "site-packages/ukcloud_maintenance/content/maintenance/templates" in found


def test_the_folders_that_the_readmes_commands_name_exist(installed):
    python, environment = installed
    snippets = re.findall(r"python -c '([^']+)'", readme.text())
    assert len(snippets) == 3
    for snippet in snippets:
        named = run(str(python), "-c", snippet, cwd=python.parent, **environment)
        assert Path(named.strip()).is_dir(), snippet


# -- the systemd unit ------------------------------------------------------------------------


def test_the_unit_starts_the_worker():
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    folder = ROOT / "ukcloud_maintenance" / "contrib"
    unit.read(folder / "ukcloud-maintenance-worker.service")
    assert unit["Service"]["ExecStart"] == "/usr/bin/django-admin maintenance_worker"
    assert unit["Service"]["Restart"] == "always"
    assert unit["Service"]["User"] not in ("", "root")
    assert unit["Install"]["WantedBy"] == "multi-user.target"

"""What a wheel and an editable install carry, and that Horizon can be set up from a wheel alone."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
from configparser import ConfigParser
from pathlib import Path
from zipfile import ZipFile

import pytest
import readme_renderer.markdown
import yaml
from packaging.metadata import Metadata
from packaging.requirements import Requirement

from tests import building, readme
from tests.matrix.environments import CONSTRAINTS, releases

ROOT = Path(__file__).resolve().parent.parent
BACKEND = "setuptools.build_meta"


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
    return building.tracked("ukcloud_maintenance", "enabled")


@pytest.fixture(scope="module")
def wheel(tracked, tmp_path_factory) -> Path:
    """Built from what is in git, so that no leftover of a build gets into it."""
    source = building.copy(tmp_path_factory.mktemp("source"), "tests", "doc")
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
        if not name.endswith(".pot")
    }
    with ZipFile(wheel) as content:
        names = {name for name in content.namelist() if ".dist-info/" not in name}
    assert expected - names == set(), "missing in the wheel"
    assert names - expected == set(), "in the wheel, but not in git"


@pytest.mark.parametrize(
    "kind",
    [
        "ukcloud_maintenance/content/maintenance/templates/maintenance/hosts/index.html",
        "ukcloud_maintenance/static/ukcloud_maintenance/scss/maintenance.scss",
        "ukcloud_maintenance/migrations/0001_initial.py",
        "ukcloud_maintenance/policies/maintenance_policy.yaml",
        "ukcloud_maintenance/policies/maintenance_defaults.yaml",
        "ukcloud_maintenance/locale/de/LC_MESSAGES/django.mo",
        "ukcloud_maintenance/locale/de/LC_MESSAGES/djangojs.mo",
        "ukcloud_maintenance/locale/de/LC_MESSAGES/djangojs.po",
        "ukcloud_maintenance/enabled/_2125_admin_maintenance_panel.py",
        "ukcloud_maintenance/demo/__main__.py",
        "ukcloud_maintenance/contrib/ukcloud-maintenance-worker.service",
        "ukcloud_maintenance/contrib/nova-policy-worker.yaml",
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
    assert "Requires-Python: >=3.10" in text
    assert "Requires-Dist: Django>=4.2\n" in text
    assert {"Provides-Extra: demo", "Provides-Extra: test"} <= set(text.splitlines())


def test_no_requirement_makes_pip_exchange_what_a_horizon_has(wheel):
    """Lower bounds that the oldest Horizon of the matrix meets, and no upper ones, which a newer
    one would not meet."""
    with ZipFile(wheel) as content:
        [name] = [n for n in content.namelist() if n.endswith(".dist-info/METADATA")]
        text = content.read(name).decode()
    needed = [
        Requirement(line) for line in re.findall(r"^Requires-Dist: (.*)$", text, re.M)
        if "extra ==" not in line
    ]  # fmt: skip
    assert len(needed) >= 7
    assert {one.operator for each in needed for one in each.specifier} == {">="}
    for release in releases():
        lines = (CONSTRAINTS / f"{release}.txt").read_text().lower().splitlines()
        there = dict(line.partition(" ;")[0].split("==") for line in lines if "==" in line)
        for each in needed:
            assert each.specifier.contains(there[each.name.lower()]), (release, str(each))


@pytest.mark.parametrize("file", sorted(CONSTRAINTS.glob("*.txt")), ids=lambda file: file.stem)
def test_constraints_are_versions_and_nothing_of_where_they_come_from(file):
    head, _, lines = file.read_text().partition("\n\n")
    assert "/" not in head
    for line in lines.splitlines():
        requirement = Requirement(line)
        assert requirement.url is None
        assert [each.operator for each in requirement.specifier] == ["=="]


def test_the_names_that_openstack_has_call_what_the_makefile_has():
    """`docs` and `releasenotes` are there where the documentation can be built."""
    config = ConfigParser()
    config.read(ROOT / "tox.ini")
    assert {"testenv:pep8", "testenv:cover", "testenv:docs", "testenv:releasenotes"} < set(config)
    called = {config[name]["commands"].split()[-1] for name in config if "commands" in config[name]}
    makefile = (ROOT / "Makefile").read_text()
    assert {"check", "cover", "lint"} <= called
    for target in called - {"docs", "releasenotes"}:
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_the_hooks_of_pre_commit_can_be_run():
    """By the programs of the environment that `make lint` makes."""
    [local] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert local["repo"] == "local"
    assert {hook["id"] for hook in local["hooks"]} == {"ruff-check", "ruff-format"}
    for hook in local["hooks"]:
        program, *arguments = hook["entry"].split()
        assert program.startswith(".venv/bin/")
        beside = Path(sys.executable).with_name(Path(program).name)
        run(str(beside), *arguments, "setup.py", cwd=ROOT)


def test_how_it_is_built_is_told_and_nothing_else_is():
    """Without that, an editable install by a pip from before 2025 lacks the enabled files."""
    told = ConfigParser()
    told.read(ROOT / "pyproject.toml")
    assert told.sections() == ["build-system"], "all else is in setup.cfg"
    assert dict(told["build-system"]) == {
        "requires": '["setuptools"]', "build-backend": f'"{BACKEND}"',
    }  # fmt: skip


def test_an_older_setuptools_finds_the_same_files():
    """Before 62.3 it took ** for *, and left out what is deeper; Ubuntu 22.04 has 59.6."""
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    patterns = " ".join(config["options.package_data"].values()).split()
    assert len(patterns) >= 6
    assert [pattern for pattern in patterns if "**" in pattern] == []


def build(source: Path, target: Path, what: str, umask: int = 0o022) -> Path:
    """What the backend makes of a source, with a time of its own for each file of it.

    :param what: sdist or wheel
    :param umask: of whoever builds it
    """
    assert (source / "pyproject.toml").is_file()
    target.mkdir()
    code = f"import os, {BACKEND} as backend; os.umask({umask});"
    code += f"backend.build_{what}({str(target)!r})"
    run(sys.executable, "-c", code, cwd=source, SOURCE_DATE_EPOCH="1700000000")
    [built] = target.iterdir()
    return built


@pytest.fixture(scope="module")
def sdists(tmp_path_factory) -> list[Path]:
    """Two, of two copies of the same source, by people whose files others may and may not read."""
    folders = [(tmp_path_factory.mktemp("copy"), umask) for umask in (0o022, 0o077)]
    return [
        build(building.copy(folder / "in"), folder / "out", "sdist", umask)
        for folder, umask in folders
    ]


def test_an_sdist_has_every_file_in_git(sdists):
    with tarfile.open(sdists[0]) as content:
        names = {name.partition("/")[2] for name in content.getnames() if name.count("/")}
    assert set(building.tracked()) - names == {".gitignore"}


def test_two_sdists_of_a_source_are_equal_and_so_are_the_wheels_built_from_them(sdists, wheel):
    first, second = (sdist.read_bytes() for sdist in sdists)
    assert first == second
    wheels = []
    for sdist, umask in zip(sdists, (0o022, 0o077), strict=True):
        folder = sdist.parent.parent / "unpacked"
        with tarfile.open(sdist) as content:
            content.extractall(folder, filter="data")
        [source] = folder.iterdir()
        for file in source.rglob("*"):
            file.chmod((0o755 if file.is_dir() else 0o644) & ~umask)
        wheels.append(build(source, folder / "wheel", "wheel", umask))
    first, second = (wheel.read_bytes() for wheel in wheels)
    assert first == second
    with ZipFile(wheel) as from_git, ZipFile(wheels[0]) as from_sdist:
        assert from_git.namelist() == from_sdist.namelist()
        # it lists the others with their sums
        [record] = [name for name in from_git.namelist() if name.endswith("/RECORD")]
        assert from_git.read(record) == from_sdist.read(record)


def test_an_index_shows_the_description_and_takes_the_metadata(wheel):
    """What `twine check --strict` looks at, which needs a dozen packages more."""
    with ZipFile(wheel) as content:
        [name] = [n for n in content.namelist() if n.endswith(".dist-info/METADATA")]
        told = Metadata.from_email(content.read(name))
    assert told.description_content_type == "text/markdown"
    assert told.summary
    assert "</h1>" in (readme_renderer.markdown.render(told.description) or "")


def test_the_version_stands_in_one_place(tracked):
    [version] = re.findall(r"^version = (.+)$", (ROOT / "setup.cfg").read_text(), re.M)
    names = [name for name in building.tracked() if name.endswith((".py", ".cfg", ".ini", ".toml"))]
    assert [n for n in names if version in (ROOT / n).read_text()] == ["setup.cfg"]


def test_the_install_that_the_tests_run_in_has_the_enabled_files(tmp_path):
    """`make test` installs with -e; the folder is beside the package then."""
    code = "import ukcloud_maintenance.enabled as e; print(*e.__path__)"
    found = Path(run(sys.executable, "-c", code, cwd=tmp_path).strip())
    assert (found / "_2125_admin_maintenance_panel.py").is_file()


# -- as doc/source/installing.md says --------------------------------------------------------------

SETTINGS = """
import sys, types
from pathlib import Path

local = types.ModuleType("local.local_settings")
local.SECRET_KEY = "x"
local.WEBROOT = "/dashboard/"
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
    """A Horizon with the wheel in it, set up with the snippet of the docs: where, and with
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
    snippet = readme.code_blocks(readme.INSTALLING, "python")[0]
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


def test_the_settings_of_the_docs_pass_the_checks(installed):
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
        "print(get_template('admin/maintenance/hosts/index.html').template.origin)"
    )
    found = django_admin(installed, "shell", "-c", code)
    assert "/admin/maintenance/" in found
    assert "site-packages/ukcloud_maintenance/content/maintenance/templates" in found


# A web server that has Horizon below a path of its own: the address that its login page refers to,
# and what is there.
CATALOG = """
import re
from io import BytesIO
from django.core.wsgi import get_wsgi_application
from django.test import override_settings

application = get_wsgi_application()

def get(path):
    heads = []
    body = application(
        {
            "REQUEST_METHOD": "GET", "SCRIPT_NAME": "/dashboard", "PATH_INFO": path,
            "SERVER_NAME": "localhost", "SERVER_PORT": "80", "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(), "HTTP_ACCEPT_LANGUAGE": "de",
        },
        lambda status, headers: heads.append(status),
    )
    assert heads == ["200 OK"], heads
    return b"".join(body).decode()

with override_settings(COMPRESS_ENABLED=False, COMPRESS_PRECOMPILERS=(), ALLOWED_HOSTS=["*"]):
    [url] = re.findall('src="([^"]*/i18n/js/[^"]*)"', get("/auth/login/"))
    print(url)
    print(get(url.removeprefix("/dashboard")))
"""


def test_a_page_of_horizon_refers_to_the_texts_of_our_scripts(installed):
    url, script = django_admin(installed, "shell", "-v", "0", "-c", CATALOG).split("\n", 1)
    assert url == "/dashboard/i18n/js/horizon+openstack_dashboard+ukcloud_maintenance/"
    assert '"%(n)s of %(all)s shown": "%(n)s von %(all)s gezeigt"' in script


def test_the_folders_that_the_commands_of_the_docs_name_exist(installed):
    """In the checkout, as the page says: without -I, Python would find the package there. Horizon
    is in no environment of its own here, and with -I would not be found."""
    python, environment = installed
    snippets = re.findall(r"python -I -c '([^']+)'", readme.INSTALLING.read_text())
    assert len(snippets) == 3
    for snippet in snippets:
        isolated = ["-I"] if "ukcloud" in snippet else []
        told = run(str(python), *isolated, "-c", snippet, cwd=ROOT, **environment)
        named = Path(told.splitlines()[0])
        assert named.is_dir(), snippet
        assert not named.is_relative_to(ROOT / "ukcloud_maintenance"), snippet


# -- the systemd unit ------------------------------------------------------------------------


UNIT = ROOT / "ukcloud_maintenance" / "contrib" / "ukcloud-maintenance-worker.service"


@pytest.fixture(scope="module")
def unit() -> dict[str, str]:
    """The keys of the unit; those of Environment by variable."""
    found = {}
    for line in UNIT.read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            if key == "Environment":
                key, value = value.split("=", 1)
            assert key not in found, f"{key} is there twice"
            found[key] = value
    return found


def test_the_unit_starts_the_worker(unit):
    assert unit["ExecStart"] == "/usr/bin/django-admin maintenance_worker"
    assert unit["Restart"] == "always"
    assert unit["User"] not in ("", "root")
    assert unit["WantedBy"] == "multi-user.target"


def test_the_unit_and_the_docs_agree_on_users_files_and_modes(unit):
    text = readme.INSTALLING.read_text()
    [user] = re.findall(r"useradd --system --user-group .* (\S+)\n", text)
    assert (unit["User"], unit["Group"]) == (user, user)
    install = r"install -o (\S+) -g (\S+) -m (\d+) clouds.yaml (\S+)"
    [(owner, group, mode, clouds)] = re.findall(install, text)
    assert (owner, group) == ("root", user)
    assert int(mode, 8) & 0o027 == 0, "the web server's user may not read it"
    assert unit["OS_CLIENT_CONFIG_FILE"] == clouds
    # the web server's group, for the SQLite file
    [(group, mode, folder)] = re.findall(r"install -d -g (\S+) -m (\d+) (\S+)", text)
    assert unit["SupplementaryGroups"] == group != user
    assert int(mode, 8) & 0o2077 == 0o2070, "its members write it, and what they make stays its own"
    assert int(unit["UMask"], 8) & 0o070 == 0
    assert unit["ReadWritePaths"].lstrip("-") == folder
    assert f'"NAME": "{folder}/' in text
    assert f"--reuid {user} --regid {group}" in text
    assert f"DJANGO_SETTINGS_MODULE={unit['DJANGO_SETTINGS_MODULE']}" in text
    security = readme.SECURITY.read_text()
    assert f"`{clouds}`, 0640 `{owner}:{user}`" in security


def test_the_unit_takes_what_the_worker_does_not_need(unit):
    for key in ("NoNewPrivileges", "PrivateTmp", "ProtectHome", "RestrictNamespaces"):
        assert unit[key] == "yes"
    assert unit["ProtectSystem"] == "strict"
    assert unit["CapabilityBoundingSet"] == ""


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_takes_the_unit(tmp_path):
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/usr/bin/django-admin", "/bin/true"))
    said = run("systemd-analyze", "verify", str(copy), cwd=tmp_path)
    assert UNIT.name not in said, said


def test_the_worker_needs_no_key_of_horizons(tmp_path):
    """A user that may not read the file of the key, as the worker's may not."""
    code = """
import sys, types
local = types.ModuleType("local.local_settings")
sys.modules[local.__name__] = local
from horizon.utils import secret_key
def unreadable(*_, **__):
    raise PermissionError("the key is the web server's")
secret_key.read_from_file = unreadable
import ukcloud_maintenance.worker_settings as found
assert found.SECRET_KEY and len(found.SECRET_KEY) > 40
assert found.INSTALLED_APPS
import openstack_dashboard.settings as horizons
assert horizons.SECRET_KEY == found.SECRET_KEY
print("fine")
"""
    said = run(sys.executable, "-c", code, cwd=tmp_path, PYTHONPATH=str(ROOT))
    assert said.endswith("fine\n")

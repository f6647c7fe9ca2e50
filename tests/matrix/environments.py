"""Python environments that are made once and kept below `.matrix`."""

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / ".matrix"
CONSTRAINTS = ROOT / "constraints"

PYTHONS = ("3.10", "3.11", "3.12", "3.13")
#: What the tests need that need no control plane, beside a Horizon.
EXTRA = "matrix"
#: What packages without a wheel are built with.
BUILDERS = ("pip>=23.1", "setuptools<81", "wheel", "pbr")


class Failed(Exception):
    """A program ended with an error; its words, as much as helps."""


def releases() -> list[str]:
    """The releases that have constraints, oldest first."""
    return sorted(file.stem for file in CONSTRAINTS.glob("20*.txt"))


def supported(release: str) -> list[str]:
    """The Pythons that the constraints of a release were made for, as their head says."""
    head = (CONSTRAINTS / f"{release}.txt").read_text().partition("\n\n")[0]
    return re.findall(r"3\.\d\d", head)


def extra(name: str) -> list[str]:
    """The requirements of one of our extras."""
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    return config["options.extras_require"][name].split()


def find_python(version: str) -> Path | None:
    """A Python of that version, e.g. 3.12: one on the PATH, or one of pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    kept_by_pyenv = sorted(pyenv.glob(f"{version}.*/bin/python"))
    on_path = [shutil.which(f"python{version}", path=p) for p in os.environ["PATH"].split(":") if p]
    asks = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
    for python in [*filter(None, on_path), *kept_by_pyenv]:
        # a shim of pyenv's stands for versions that are not chosen too
        answer = subprocess.run(
            [python, "-c", asks], capture_output=True, text=True, check=False, cwd="/"
        )
        if answer.stdout.strip() == version:
            return Path(python)
    return None


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> str:
    """What a program writes to its standard output.

    :raises Failed: it ended with an error
    """
    ended = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=clean() | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        lines = (ended.stdout + ended.stderr).strip().splitlines()
        said = [line for line in lines if line.lower().startswith("error")] or lines[-5:]
        raise Failed("\n".join(said))
    return ended.stdout


def clean() -> dict[str, str]:
    """The environment of a program that is to find nothing of ours by accident."""
    ours = ("PYTHON", "PYTEST", "DJANGO", "VIRTUAL_ENV")
    found = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return found | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}


class Environment:
    """An environment of Python's `venv`, and what is installed in it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.python = folder / "bin" / "python"

    def make(self, python: Path, constraints: Path | None, requirements: Sequence[str]) -> None:
        """Made from nothing, unless it is there as it would be made now.

        :raises Failed: pip could not install it
        """
        text = constraints.read_text() if constraints else ""
        given = ("-c", constraints) if constraints else ()
        wanted = json.dumps([str(python), text, *requirements])
        stamp, stamped = self.folder / "made", hashlib.sha256(wanted.encode()).hexdigest()
        if stamp.is_file() and stamp.read_text() == stamped:
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        run(python, "-m", "venv", self.folder)
        # What packages are built with, once for all of them. Those of XStatic from before 2025 find
        # each other by what is gone in setuptools 81.
        self.pip("install", *given, *BUILDERS)
        # Python compiles what the tests import; the rest need not be.
        self.pip("install", *given, "--no-build-isolation", "--no-compile", *requirements)
        stamp.write_text(stamped)

    def pip(self, *arguments: str | Path) -> str:
        """:raises Failed: pip refused, or could not"""
        return run(self.python, "-m", "pip", "--quiet", *arguments)

    def installed(self) -> Mapping[str, str]:
        """The versions of all packages, by their names as pip writes them."""
        found = json.loads(run(self.python, "-m", "pip", "list", "--format=json"))
        return {package["name"]: package["version"] for package in found}

"""One release on one Python: an install as an operator does it, and the tests without a cloud."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from tests.building import copy

from .environments import CONSTRAINTS, EXTRA, KEPT, Environment, Failed, clean, extra

#: The tests that need no control plane and no browser.
FOLDERS = (
    *("tests/core", "tests/unit", "tests/actions", "tests/panel", "tests/commands", "tests/store"),
)
NAME = "ukcloud-maintenance"


@dataclass
class Result:
    """What came of a cell.

    :param nova: whose tests they are, where they need one
    :param counts: tests passed, failed, skipped
    :param problems: why it is no success, besides tests that failed
    """

    release: str
    python: str
    horizon: str = ""
    django: str = ""
    nova: str = ""
    counts: tuple[int, int, int] = (0, 0, 0)
    problems: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        passed, failed, _skipped = self.counts
        return passed > 0 and not failed and not self.problems

    @property
    def verdict(self) -> str:
        return "good" if self.good else "BAD"


def environment(release: str, version: str, python: Path) -> Environment:
    """A Horizon of that release, with what the tests need, and without us.

    :raises Failed: it cannot be installed with this Python
    """
    made = Environment(KEPT / f"{release}-py{version}")
    made.make(python, CONSTRAINTS / f"{release}.txt", ["horizon", *extra(EXTRA)])
    return made


def wheel(made: Environment) -> Path:
    """A wheel of what is in git, built with an environment's setuptools."""
    source, target = made.folder / "source", made.folder / "wheel"
    for folder in (source, target):
        shutil.rmtree(folder, ignore_errors=True)
    made.pip("wheel", "--no-deps", "--no-build-isolation", "-w", target, copy(source))
    [built] = target.glob("*.whl")
    return built


def install(made: Environment) -> list[str]:
    """Install the wheel; what that changed besides, and what pip finds wrong then."""
    built = wheel(made)
    made.pip("uninstall", "--yes", NAME)  # of an earlier run
    return install_wheel(made, built)


def install_wheel(made: Environment, built: Path) -> list[str]:
    """Install a wheel of ours where none is; what pip would change without constraints, what it
    changed with them, and what it finds wrong then."""
    before = made.installed()
    problems = []
    # Not constrained at all; then as doc/source/installing.md says.
    report = json.loads(made.pip("install", "--dry-run", "--report", "-", built))
    others = {each["metadata"]["name"] for each in report["install"]} - {NAME}
    if others:
        problems.append(f"without constraints an install would exchange {sorted(others)}")
    constraints = made.folder / "installed.txt"
    constraints.write_text("".join(f"{name}=={version}\n" for name, version in before.items()))
    try:
        made.pip("install", "-c", constraints, built)
    except Failed as failure:
        return [*problems, f"beside what is installed it cannot be installed: {failure}"]
    after = made.installed()
    changed = {name for name in before.keys() | after if before.get(name) != after.get(name)}
    if changed != {NAME}:
        problems.append(f"an install changes {sorted(changed)}")
    try:
        made.pip("check")
    except Failed as failure:
        problems.append(f"pip check: {failure}")
    return problems


def run_tests(
    made: Environment, tests: Sequence[str], workers: int, **environment: str
) -> tuple[int, int, int]:
    """Run tests against what is installed, not against this checkout: passed, failed, skipped.

    What pytest says is in the environment's `tests.log`.

    :raises Failed: pytest came to no end
    """
    tree, report, log = (made.folder / name for name in ("tree", "tests.xml", "tests.log"))
    shutil.rmtree(tree, ignore_errors=True)
    report.unlink(missing_ok=True)
    copy(tree, "ukcloud_maintenance", "enabled")
    options = ["-q", "-p", "no:cacheprovider", f"--junitxml={report}", f"-n{workers}"]
    spread = ["--dist=loadgroup", "--no-loadscope-reorder"]
    with log.open("w") as output:
        subprocess.run(
            [made.python, "-m", "pytest", *options, *spread, *tests],
            cwd=tree,
            env=clean() | environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if not report.is_file():
        raise Failed(f"the tests did not run:\n{log.read_text()[-2000:]}")
    [suite] = ElementTree.parse(report).getroot().iter("testsuite")
    ran, failed, errors, skipped = (
        int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped")
    )
    return ran - failed - errors - skipped, failed + errors, skipped


def prepare(result: Result, python: Path) -> Environment:
    """The environment of a cell with us in it, and what there is to say of it in the result.

    :raises Failed: it cannot be installed
    """
    made = environment(result.release, result.python, python)
    found = made.installed()
    result.horizon, result.django = found["horizon"], found["Django"]
    result.problems += install(made)
    return made


def run_cell(
    release: str, version: str, python: Path, tests: Sequence[str] = FOLDERS, workers: int = 2
) -> Result:
    """A cell from nothing, or from the environment that an earlier run made."""
    result = Result(release, version)
    try:
        made = prepare(result, python)
        result.counts = run_tests(made, tests, workers)
    except Failed as failure:
        result.problems.append(str(failure))
    return result

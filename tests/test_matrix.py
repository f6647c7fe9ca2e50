"""The check of an install in the matrix notices what an install would change."""

import os
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.matrix.cells import NAME, install_wheel
from tests.matrix.environments import Environment, run


def wheel(folder: Path, name: str, version: str, *needs: str) -> Path:
    """A package that has nothing but a name, a version, and requirements."""
    stem = f"{name.replace('-', '_')}-{version}"
    metadata = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {n}" for n in needs)]
    kind = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    built = folder / f"{stem}-py3-none-any.whl"
    with ZipFile(built, "w") as file:
        inside = f"{stem}.dist-info"
        file.writestr(f"{inside}/METADATA", "\n".join(["Metadata-Version: 2.1", *metadata, ""]))
        file.writestr(f"{inside}/WHEEL", kind)
        file.writestr(f"{inside}/RECORD", f"{inside}/METADATA,,\n{inside}/WHEEL,,\n")
    return built


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Environment:
    """With Horizon 24."""
    made = Environment(tmp_path_factory.mktemp("environment"))
    run(sys.executable, "-m", "venv", made.folder)
    made.pip("install", "--no-index", wheel(made.folder, "horizon", "24.0"))
    return made


@pytest.fixture(autouse=True)
def _index(tmp_path, monkeypatch):
    """All that pip finds: Horizon 27, and a package that is not installed."""
    index = tmp_path / "index"
    index.mkdir()
    wheel(index, "horizon", "27.0")
    wheel(index, "tabulate", "0.9")
    monkeypatch.delenv("PIP_CONSTRAINT", raising=False)
    for name, value in {"CONFIG_FILE": os.devnull, "NO_INDEX": "1", "FIND_LINKS": index}.items():
        monkeypatch.setenv(f"PIP_{name}", str(value))


@pytest.mark.parametrize(
    ("needs", "told"),
    [
        (["horizon>=24"], []),
        (
            ["horizon>=25"],
            [
                "without constraints an install would exchange ['horizon']",
                "beside what is installed it cannot be installed: ERROR: Cannot install",
            ],
        ),
        (
            ["horizon>=24", "tabulate"],
            [
                "without constraints an install would exchange ['tabulate']",
                f"an install changes ['tabulate', '{NAME}']",
            ],
        ),
    ],
    ids=["met", "raised", "new"],
)
def test_an_install_that_changes_something_is_noticed(made, tmp_path, needs, told):
    made.pip("uninstall", "--yes", NAME, "tabulate")
    problems = install_wheel(made, wheel(tmp_path, NAME, "1.0", *needs))
    assert len(problems) == len(told)
    for problem, begins in zip(problems, told, strict=True):
        assert problem.startswith(begins)

"""Makes `constraints/<release>.txt` from what pip resolves on each Python.

    python -m tests.matrix.freeze 2026.2 upper-constraints.txt

The second file is what pip may take, e.g. OpenStack's upper constraints of that release or the
`pip freeze` of a Horizon. The result has no more than a Horizon with our tests needs.
"""

import argparse
import json
import re
import sys
import tempfile
from pathlib import Path

from .cells import NAME
from .environments import CONSTRAINTS, EXTRA, PYTHONS, Environment, Failed, extra, find_python

HEAD = """\
# The versions that the tests run with in OpenStack {release}, of all packages that they need:
# `python -m tests.matrix.freeze` on Python {pythons}.

"""
#: What the release has no say in: us, and what only runs tests.
FREE = (NAME, "execnet", "pip", "setuptools", "wheel")
#: What XStatic's packages of before 2025 are built with and find each other by, gone in 81.
SETUPTOOLS = "setuptools<81"


def resolve(python: Path, upper: Path) -> dict[str, str]:
    """All packages of a Horizon with the tests' own, and their versions."""
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder, "constraints.txt")
        lines = [
            line
            for line in upper.read_text().splitlines()
            if not re.match(rf"#|$|-e |.* @ |({'|'.join(FREE)})[=;<>]", line)
        ]
        constraints.write_text("\n".join([*lines, SETUPTOOLS, ""]))
        made = Environment(Path(folder, "environment"))
        made.make(python, constraints, [])
        asked = ["setuptools", "wheel", "horizon", *extra(EXTRA)]
        given = ("-c", constraints, "--build-constraint", constraints)
        report = made.pip(
            "install", "--dry-run", "--ignore-installed", "--report=-", *given, *asked
        )
    found = (each["metadata"] for each in json.loads(report)["install"])
    return {package["name"]: package["version"] for package in found}


def merged(found: dict[str, dict[str, str]]) -> list[str]:
    """Lines of constraints from the versions by Python; those of one Python only with a marker."""
    lines = []
    for name in sorted({name for versions in found.values() for name in versions}, key=str.lower):
        pythons: dict[str, list[str]] = {}
        for python, versions in found.items():
            if name in versions:
                pythons.setdefault(versions[name], []).append(python)
        for version, those in pythons.items():
            marker = " or ".join(f'python_version == "{python}"' for python in those)
            lines.append(f"{name}=={version}" + (f" ; {marker}" if len(pythons) > 1 else ""))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("release")
    parser.add_argument("upper", type=Path)
    parser.add_argument("--python", nargs="+", default=PYTHONS)
    asked = parser.parse_args()
    found = {}
    for version in asked.python:
        if not (python := find_python(version)):
            print(f"Python {version}: not found", file=sys.stderr)
            continue
        try:
            found[version] = resolve(python, asked.upper)
        except Failed as failure:
            print(f"Python {version}: {failure}", file=sys.stderr)
    head = HEAD.format(release=asked.release, pythons=", ".join(found))
    text = head + "\n".join([*merged(found), ""])
    CONSTRAINTS.mkdir(exist_ok=True)
    (CONSTRAINTS / f"{asked.release}.txt").write_text(text)


if __name__ == "__main__":
    main()

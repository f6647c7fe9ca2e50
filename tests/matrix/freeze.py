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
from collections.abc import Sequence
from pathlib import Path

from .cells import NAME
from .environments import (
    BUILDERS,
    CONSTRAINTS,
    EXTRA,
    KEPT,
    PYTHONS,
    Environment,
    Failed,
    extra,
    find_python,
)

HEAD = """\
# The versions that the tests run with in {release}, of all packages that they need:
# `python -m tests.matrix.freeze` on Python {pythons}.

"""
#: What the release has no say in: us, and what only runs tests.
FREE = (NAME, "execnet", "pip", "setuptools", "wheel")


def resolve(version: str, python: Path, upper: Path, requirements: Sequence[str]) -> dict[str, str]:
    """The versions of all packages that these need."""
    resolver = Environment(KEPT / f"resolver-py{version}")
    resolver.make(python, None, ["packaging"])
    lines = [
        line
        for line in upper.read_text().splitlines()
        if not re.match(rf"#|$|-e |.* @ |({'|'.join(FREE)})[=;<>]", line)
    ]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.write("\n".join([*lines, ""]))
        constraints.flush()
        options = ("--dry-run", "--ignore-installed", "--no-build-isolation", "--report=-")
        given = ("-c", constraints.name, *BUILDERS, *requirements)
        report = resolver.pip("install", *options, *given)
    found = (each["metadata"] for each in json.loads(report)["install"])
    versions = {package["name"]: package["version"] for package in found}
    del versions["pip"]
    return versions


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
    parser.add_argument("--requires", nargs="+", default=["horizon", *extra(EXTRA)])
    asked = parser.parse_args()
    found = {}
    for version in asked.python:
        if not (python := find_python(version)):
            print(f"Python {version}: not found", file=sys.stderr)
            continue
        try:
            found[version] = resolve(version, python, asked.upper, asked.requires)
        except Failed as failure:
            print(f"Python {version}: {failure}", file=sys.stderr)
    if not found:
        sys.exit(f"{asked.release} cannot be installed on any Python")
    head = HEAD.format(release=asked.release, pythons=", ".join(found))
    text = head + "\n".join([*merged(found), ""])
    CONSTRAINTS.mkdir(exist_ok=True)
    (CONSTRAINTS / f"{asked.release}.txt").write_text(text)


if __name__ == "__main__":
    main()

"""The table of all cells: see this package."""

import argparse
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from .cells import Result, run_cell
from .environments import KEPT, PYTHONS, find_python, releases, supported
from .novas import NOVAS, run_nova

COLUMNS = ("release", "Horizon", "Django", "Python", "Nova", "passed", "failed", "skipped", "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--release", nargs="+", default=releases(), choices=releases())
    parser.add_argument("--python", nargs="+", default=PYTHONS, choices=PYTHONS)
    parser.add_argument("--nova", nargs="+", default=[], choices=NOVAS, help="instead of releases")
    parser.add_argument("--workers", type=int, default=2, help="processes that run the tests")
    asked = parser.parse_args()
    results = []
    for version in asked.python:
        if python := find_python(version):
            results += run_all(asked, version, python)
        else:
            print(f"Python {version} is not found on this machine: skipped", flush=True)
    print("\n" + "\n".join(table(sorted(results, key=lambda cell: cell.release))))
    sys.exit(not results or not all(result.good for result in results))


def run_all(asked: argparse.Namespace, version: str, python: Path) -> Iterator[Result]:
    """The cells that were asked for on one Python."""
    cells = {f"nova-{nova}": partial(run_nova, nova) for nova in asked.nova} or {
        release: partial(run_cell, release, workers=asked.workers) for release in asked.release
    }
    for name, run in cells.items():
        if version not in supported(name):
            print(f"{name} has no constraints for Python {version}: skipped", flush=True)
            continue
        print(f"{name} on Python {version} ...", flush=True)
        result = run(version=version, python=python)
        for problem in result.problems:
            print(f"  {problem}")
        if result.counts[1]:
            print(f"  see {KEPT / f'{result.release}-py{version}' / 'tests.log'}")
        yield result


def table(results: list[Result]) -> list[str]:
    """The results in columns."""
    rows = [
        (r.release, r.horizon, r.django, r.python, r.nova or "-", *r.counts, r.verdict)
        for r in results
    ]
    lines = [[str(cell) for cell in row] for row in (COLUMNS, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]


if __name__ == "__main__":
    main()

"""The table of all cells: see this package."""

import argparse
import sys

from .cells import FOLDERS, Result, run_cell
from .environments import KEPT, PYTHONS, find_python, releases, supported

COLUMNS = ("release", "Horizon", "Django", "Python", "passed", "failed", "skipped", "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--release", nargs="+", default=releases(), choices=releases())
    parser.add_argument("--python", nargs="+", default=PYTHONS, choices=PYTHONS)
    parser.add_argument("--workers", type=int, default=2, help="processes that run the tests")
    parser.add_argument("tests", nargs="*", help=f"instead of {' '.join(FOLDERS)}")
    asked = parser.parse_args()
    results = []
    for version in asked.python:
        python = find_python(version)
        if not python:
            print(f"Python {version} is not found on this machine: skipped", flush=True)
            continue
        for release in asked.release:
            if version not in supported(release):
                print(f"{release} has no constraints for Python {version}: skipped", flush=True)
                continue
            print(f"{release} on Python {version} ...", flush=True)
            result = run_cell(release, version, python, asked.tests or FOLDERS, asked.workers)
            results.append(result)
            for problem in result.problems:
                print(f"  {problem}")
            if result.failed:
                print(f"  see {KEPT / f'{release}-py{version}' / 'tests.log'}")
    print("\n" + "\n".join(table(sorted(results, key=lambda cell: cell.release))))
    sys.exit(not results or not all(result.good for result in results))


def table(results: list[Result]) -> list[str]:
    """The results in columns."""
    rows = [
        (r.release, r.horizon, r.django, r.python, r.passed, r.failed, r.skipped, r.verdict)
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

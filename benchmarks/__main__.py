"""All benchmarks, one after the other, and what is aimed at: `python -m benchmarks`, or some of the
parts by name. Each part is a process of its own; what they found is in a JSON file, too.

An aim is met or missed on this machine at this moment. Ratios compare what was measured in one run;
a machine that is busy with something else flatters some and spoils others.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from . import hosts

ROOT = Path(__file__).resolve().parent.parent
MODEL = ("model-one-host", "model-300-on-one-host", "model-50-drains", "model-10000-migrations")
REAL = ("one-at-a-time", "three-at-a-time", "three-of-ten", "blocked")


def costs(scale: float) -> Any:
    """What the product's own work costs: pages that poll, claims, decisions, placing."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "costs.json"
        _run("--json", str(file))
        return json.loads(file.read_text())


def model(scale: float) -> Any:
    """Drains in a time of their own, against a model of Nova."""
    return _rows(_run("--pace", *MODEL, f"--scale={scale}", TEST_DATABASE_URL="sqlite://"))


def drains(scale: float) -> Any:
    """Drains on a real Nova with simulated hypervisors."""
    return _rows(_run("--pace", *REAL, f"--scale={scale}"))


def pages(scale: float) -> Any:
    """The pages of a large region beside Horizon's own list of hypervisors."""
    return json.loads(_run("region", BENCHMARK_HOSTS=str(max(int(1000 * scale), 55))))


def spread(scale: float) -> Any:
    """How evenly instances land: ours, the scheduler's choice, Horizon's button."""
    sizes = [size for size in (4, 20, 100) if size <= max(100 * scale, 4)]
    return json.loads(_run("spread", *map(str, sizes)))


PARTS: dict[str, Callable[[float], Any]] = {
    one.__name__: one for one in (costs, model, pages, drains, spread)
}


def _run(*arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "benchmarks.run", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    return done.stdout


def _rows(lines: str) -> dict[str, Any]:
    found = map(json.loads, lines.splitlines())
    return {one.pop("row"): one for one in found}


#: what is looked at, where it is in what was found, and the most that is aimed at
AIMS: tuple[tuple[str, tuple[str, ...], float], ...] = (
    *(
        (
            f"{name}: time as a ratio to Horizon's list of hypervisors",
            ("pages", "pages", name, "ratio"),
            aim,
        )
        for name, aim in hosts.AIMS.items()
    ),
    (
        "a poll of a drain of 300 with news, ms",
        ("costs", "a drain that is watched", "ms_with_news"),
        20,
    ),
    ("… without news, ms", ("costs", "a drain that is watched", "ms_without_news"), 2),
    ("one at a time: length by the ideal", ("drains", "one-at-a-time", "first", "ratio"), 1.02),
    ("three at a time: length by the ideal", ("drains", "three-at-a-time", "first", "ratio"), 1.15),
    (
        "pressed to the first request, s",
        ("drains", "one-at-a-time", "first", "to_first_request_seconds"),
        2,
    ),
    (
        "limit known: three start within, s",
        ("drains", "three-at-a-time", "again", "first_starts_within_seconds"),
        2,
    ),
    (
        "requests an instance, one at a time",
        ("drains", "one-at-a-time", "first", "requests_per_instance"),
        12,
    ),
    (
        "requests an instance, three at a time",
        ("drains", "three-at-a-time", "first", "requests_per_instance"),
        9,
    ),
    ("… in the model, one at a time", ("model", MODEL[0], "1 of 1", "requests_per_instance"), 12),
    ("… in the model, three at a time", ("model", MODEL[0], "3 of 3", "requests_per_instance"), 9),
    (
        "… of a host with 36, one at a time",
        ("model", MODEL[0], "36 instances, 1 of 1", "requests_per_instance"),
        12,
    ),
    (
        "… of a host with 36, three at a time",
        ("model", MODEL[0], "36 instances, 3 of 3, known", "requests_per_instance"),
        9,
    ),
    (
        "50 drains of 20: length by the ideal",
        ("model", MODEL[2], "1 workers", "ratio"),
        1.15,
    ),
    ("… by three workers", ("model", MODEL[2], "3 workers", "ratio"), 1.15),
    ("300 on one host: forecast by the truth, most", ("model", MODEL[1], "forecast_most"), 1.5),
    ("log of an instance, bytes", ("model", MODEL[3], "log_bytes_per_instance"), 1024),
    ("database of an instance, bytes", ("model", MODEL[3], "database_bytes_per_instance"), 4096),
)


def report(found: dict[str, Any]) -> Iterator[str]:
    """A line for each aim of the parts that were measured; then how the instances landed."""
    yield f"{'':62}{'found':>9}{'aim':>9}"
    for name, (part, *path), aim in AIMS:
        value = found.get(part)
        for key in path:
            value = (value or {}).get(key)
        if value is not None:
            missed = "" if value <= aim else "  missed"
            yield f"{name:62}{value:9.3f}{aim:9.2f}{missed}"
    if found.get("spread"):
        yield ""
        yield f"{'hosts':>12} {'full':>5} {'way':10} {'most on one':>11} {'deviation':>10} refused"
    for one in found.get("spread", ()):
        yield (
            f"{one['destinations']:12} {one['filled']:5.2f} {one['way']:10} {one['most']:11}"
            f" {one['deviation']:10.4f} {one['no_valid_host']}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", default=list(PARTS), help=", ".join(PARTS))
    parser.add_argument("--json", type=Path, default=ROOT / "bench.json", metavar="FILE")
    parser.add_argument("--scale", type=float, default=1, help="of times and numbers")
    chosen = parser.parse_args()
    if unknown := [part for part in chosen.parts if part not in PARTS]:
        parser.error(f"no part is called {unknown[0]!r}; there are {', '.join(PARTS)}")
    found: dict[str, Any] = {}
    for part in chosen.parts:
        print(f"measuring: {part}", file=sys.stderr, flush=True)
        found[part] = PARTS[part](chosen.scale)
        chosen.json.write_text(json.dumps(found, indent=1))
    print("\n".join(report(found)))


if __name__ == "__main__":
    main()

"""The tests that need a real control plane, against an older Nova with its Keystone and Placement.

The control plane has an environment of its own, see `demo/releases.py`: its packages and those of
the Horizon under test exclude each other where their releases differ.
"""

from pathlib import Path

from .cells import Result, prepare, run_tests
from .environments import CONSTRAINTS, KEPT, Environment, Failed

#: The release that each is of, and what a control plane of it is made of.
NOVAS = {
    "29": ("2024.1", ["nova>=29,<30", "keystone>=25,<26", "openstack-placement>=11,<12"]),
    "31": ("2025.1", ["nova>=31,<32", "keystone>=27,<28", "openstack-placement>=13,<14"]),
}
#: As in ukcloud_maintenance.demo.plane_process, which is not imported by this Python.
OTHER_PYTHON = "MAINTENANCE_DEMO_PYTHON"
SERVER = ["cheroot>=10", "PyMySQL>=1.1"]
TESTS = (
    "tests/worker/test_real_nova.py",
    "tests/cloud",
    "tests/preflight/test_against_nova.py",
)


def control_plane(nova: str, version: str, python: Path) -> Environment:
    """:raises Failed: it cannot be installed with this Python"""
    _release, services = NOVAS[nova]
    made = Environment(KEPT / f"nova-{nova}-py{version}")
    made.make(python, CONSTRAINTS / f"nova-{nova}.txt", [*services, *SERVER])
    return made


def run_nova(nova: str, version: str, python: Path) -> Result:
    """The Horizon of its release, with us, against this Nova."""
    result = Result(NOVAS[nova][0], version, nova=nova)
    try:
        made = prepare(result, python)
        plane = control_plane(nova, version, python)
        # The demo cloud is a part of the package; what the rest of it needs is not there.
        plane.pip("install", "--no-deps", "--force-reinstall", *(made.folder / "wheel").iterdir())
        python_of_plane = {OTHER_PYTHON: str(plane.python)}
        result.counts = run_tests(made, TESTS, 1, **python_of_plane)
    except Failed as failure:
        result.problems.append(str(failure))
    return result

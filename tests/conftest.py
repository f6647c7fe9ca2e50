"""Fixtures of all tests. What one folder needs alone is in that folder's conftest.py."""

from hypothesis import settings

# How long an example takes says how busy the machine is, and nothing of the code.
settings.register_profile("busy", deadline=None)
settings.load_profile("busy")


def pytest_addoption(parser):
    parser.addoption(
        "--all-faults",
        action="store_true",
        help="tests/libvirt: also the faults that take a minute each",
    )

"""Fixtures of all tests. What one folder needs alone is in that folder's conftest.py."""


def pytest_addoption(parser):
    parser.addoption(
        "--all-faults",
        action="store_true",
        help="tests/libvirt: also the faults that take a minute each",
    )

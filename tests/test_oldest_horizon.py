"""The pages and the store in the oldest Horizon of the matrix; `make matrix` runs the rest."""

import sys

import pytest

from tests.matrix.cells import run_cell
from tests.matrix.environments import KEPT, PYTHONS, find_python, releases, supported

#: A quarter of them, that which reaches most into Horizon and Django: two minutes of a processor
#: with the making of the environment, the whole of them six.
TESTS = (
    *(f"tests/panel/test_{page}.py" for page in ("access", "styles", "hosts", "workflow")),
    *(f"tests/panel/test_{page}.py" for page in ("drain_page", "preflight", "plans")),
    *(f"tests/store/test_{what}.py" for what in ("store", "steering", "hosts", "record")),
    "-k=not postgresql and not mariadb",
)


@pytest.mark.timeout(1200)
def test_the_pages_and_the_store_work_in_the_oldest_horizon():
    oldest, here = releases()[0], "{}.{}".format(*sys.version_info)
    version, python = next(
        (version, python)
        for version in (here, *PYTHONS)
        if version in supported(oldest) and (python := find_python(version))
    )
    result = run_cell(oldest, version, python, TESTS, workers=1)
    assert result.problems == []
    passed, failed, _skipped = result.counts
    assert failed == 0, (KEPT / f"{oldest}-py{version}" / "tests.log").read_text()[-5000:]
    assert passed > 300

"""The documentation and the release notes are built without a warning, as `make docs` does."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    ("target", "page", "said"),
    [
        ("docs", "doc/build/html/kolla.html", "horizon-plugin-ukcloud-maintenance"),
        ("releasenotes", "releasenotes/build/html/index.html", "first release for production"),
    ],
)
@pytest.mark.xdist_group("docs")
def test_a_build_has_no_warning(target, page, said):
    """Into an environment of its own, which is made once: a few seconds."""
    built = subprocess.run(
        ["make", "-s", target], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stdout + built.stderr
    assert said in (ROOT / page).read_text()

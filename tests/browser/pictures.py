"""Makes the pictures of the docs anew: ``python -m tests.browser.pictures``, some minutes.

They are what the browser tests have seen, in few colours, so that they are small.
"""

import subprocess
import sys

from PIL import Image

from tests.browser.window import SCREENSHOTS

DOCS = SCREENSHOTS.parent / "docs"
#: a picture of the docs: the screenshot that it is, and the test that takes it
PICTURES = {
    "drain": ("drain-running", "test_drain.py::test_an_admin_drains_a_host"),
    "preflight": ("check", "test_preflight.py::test_check_choose_and_drain"),
    "certificate": (
        "certificate",
        "test_plan.py::test_select_three_hosts_drain_them_as_one_and_give_two_back",
    ),
}
COLOURS = 64


def main() -> int:
    wanted = sys.argv[1:] or list(PICTURES)
    tests = [f"tests/browser/{PICTURES[name][1]}" for name in wanted]
    run = subprocess.run([sys.executable, "-m", "pytest", "-q", *tests], cwd=DOCS.parent)
    for name in wanted if run.returncode == 0 else ():
        with Image.open(SCREENSHOTS / f"{PICTURES[name][0]}.png") as taken:
            few = taken.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
            few.save(DOCS / f"{name}.png", optimize=True)
    return run.returncode


if __name__ == "__main__":
    sys.exit(main())

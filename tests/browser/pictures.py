"""Makes the pictures of the documentation anew: ``make pictures``, or some of them by their names:
``python -m tests.browser.pictures hosts record``.

They are what the browser tests have seen, in few colours, so that they are small.
"""

import subprocess
import sys

from PIL import Image

from tests.browser.window import SCREENSHOTS

IMAGES = SCREENSHOTS.parent / "doc" / "source" / "images"
PLAN = "test_plan.py::test_select_three_hosts_drain_them_as_one_and_give_two_back"
RUN = "test_run.py::test_two_hosts_one_after_the_other_by_hand"
DRAIN = "test_drain.py::test_an_admin_drains_a_host"
#: a picture of the documentation: the screenshot that it is, and the test that takes it
PICTURES = {
    "hosts": ("hosts-safe", PLAN),
    "preflight": ("check", "test_preflight.py::test_check_choose_and_drain"),
    "options": ("workflow-options", DRAIN),
    "drain": ("drain-running", DRAIN),
    "not-converging": (
        "steering-not-converging",
        "test_steering.py::test_a_copy_that_does_not_end_is_recognised_and_forced",
    ),
    "plan": ("plan-running", PLAN),
    "run-review": ("run-review", RUN),
    "run": ("run-second", RUN),
    "affected": ("run-affected-yours", RUN),
    "certificate": ("certificate", PLAN),
    "record": (
        "record",
        "test_record.py::test_the_record_grows_while_it_is_open_and_is_whole_at_the_end",
    ),
}
COLOURS = 64


def main() -> int:
    wanted = sys.argv[1:] or list(PICTURES)
    tests = sorted({f"tests/browser/{PICTURES[name][1]}" for name in wanted})
    run = subprocess.run([sys.executable, "-m", "pytest", "-q", *tests], cwd=SCREENSHOTS.parent)
    for name in wanted if run.returncode == 0 else ():
        with Image.open(SCREENSHOTS / f"{PICTURES[name][0]}.png") as taken:
            few = taken.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
            few.save(IMAGES / f"{name}.png", optimize=True)
    return run.returncode


if __name__ == "__main__":
    sys.exit(main())

"""What is in git, and wheels of it: no leftover of a build or of a test gets into them."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def tracked(*folders: str) -> list[str]:
    """The files in git that are there, as paths from the root."""
    listed = subprocess.run(
        ["git", "ls-files", *folders], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def copy(target: Path, *without: str) -> Path:
    """A copy of them, but for those in some folders."""
    for name in tracked():
        if not name.startswith(tuple(f"{folder}/" for folder in without)):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target / name)
    return target

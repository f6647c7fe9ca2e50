"""How the processes of the demo are started, and how they end with the one that started them."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path


def child_environment() -> dict[str, str]:
    """The environment of a process of the demo: finds this package, compiles what it imports (a
    restart is faster then), and asks no proxy for what is on loopback.

    The processes themselves are started with ``-P``: what lies in the current directory must not
    be imported in place of a module of theirs.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if name != "PYTHONDONTWRITEBYTECODE" and not name.lower().endswith("_proxy")
    }
    path = [str(Path(__file__).resolve().parents[2])]
    path += environment.get("PYTHONPATH", "").split(os.pathsep)
    environment["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(filter(None, path)))
    return environment


def end_with_parent(parent: int) -> None:
    """Don't outlive a test run or a launcher that was killed."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(0)

    threading.Thread(target=watch, name="parent", daemon=True).start()

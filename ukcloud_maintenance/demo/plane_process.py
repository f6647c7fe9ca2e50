"""The control plane as a process of its own: started, killed, restarted, with its log."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from .children import child_environment
from .config import FAST, CloudConfig
from .ports import free_port
from .waiting import DemoCloudError

#: As Horizon's: where the databases are made anew beside other work, two minutes were too few.
START_TIMEOUT = 300.0

OTHER_PYTHON = "MAINTENANCE_DEMO_PYTHON"
"""Environment variable: the Python of an environment with another release of Nova, Keystone and
Placement (see ``releases``), and with this package installed."""


class ControlPlaneProcess:
    """A control plane in a process of its own, stopped at the end of the ``with`` block.

    :param state: its directory; None makes a temporary one, removed at the end
    :param port: None takes a free one
    :param config: hosts, speeds and limits; ``FAST`` by default
    """

    program = "ukcloud_maintenance.demo.controlplane"
    """The module that is run as the control plane's process."""

    def __init__(
        self,
        state: Path | None = None,
        port: int | None = None,
        config: CloudConfig = FAST,
    ) -> None:
        self._temporary = state is None
        self.state = Path(state or tempfile.mkdtemp(prefix="demo-cloud-"))
        self.port = port or free_port()
        self.config = config
        self.process: subprocess.Popen | None = None

    def __enter__(self) -> ControlPlaneProcess:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def auth_url(self) -> str:
        return f"{self.url}/identity/v3"

    @property
    def clouds_yaml(self) -> Path:
        return self.state / "clouds.yaml"

    @property
    def log(self) -> Path:
        return self.state / "log" / "controlplane.log"

    def start(self, progress: Callable[[str], None] | None = None) -> None:
        """Start the process and wait until every API answers.

        :param progress: called with each line that the process says meanwhile
        """
        (self.state / "log").mkdir(parents=True, exist_ok=True)
        config = self.state / "wanted.json"
        config.write_text(self.config.to_json())
        environment = self.environment()
        said = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    os.environ.get(OTHER_PYTHON) or sys.executable,
                    "-P",
                    "-m",
                    self.program,
                    f"--state={self.state}",
                    f"--port={self.port}",
                    f"--config={config}",
                    f"--with-parent={os.getpid()}",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
        ready = self.state / "ready.json"
        output = self.log.open(errors="replace")
        output.seek(said)
        with output:
            self._wait_ready(ready, output, progress or (lambda line: None))

    def _wait_ready(self, ready: Path, output: TextIO, progress: Callable[[str], None]) -> None:
        assert self.process is not None
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            while line := output.readline():
                progress(line.rstrip().partition("] ")[2] or line.rstrip())
            with contextlib.suppress(OSError, ValueError):
                if json.loads(ready.read_text())["pid"] == self.process.pid:
                    return
            if self.process.poll() is not None:
                raise DemoCloudError(
                    f"the control plane ended with {self.process.returncode}\n{self.log_tail()}"
                )
            if time.monotonic() > deadline:
                self.kill()
                raise DemoCloudError(
                    f"the control plane isn't ready after {START_TIMEOUT:.0f} s\n" + self.log_tail()
                )
            time.sleep(0.05)

    def environment(self) -> dict[str, str]:
        """The environment of the process."""
        environment = child_environment()
        if os.environ.get(OTHER_PYTHON):
            # Its packages are its own.
            environment.pop("PYTHONPATH")
        return environment

    def stop(self) -> None:
        """SIGTERM, and wait."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, and wait."""
        self._end(signal.SIGKILL)

    def restart(self, *, killed: bool = False) -> None:
        """Stop (or kill) the process and start it again on the same directory and port."""
        self._end(signal.SIGKILL if killed else signal.SIGTERM)
        self.start()

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def close(self) -> None:
        """Stop, and remove a directory that was made for this cloud."""
        self.stop()
        if self._temporary:
            shutil.rmtree(self.state, ignore_errors=True)

    def log_tail(self, lines: int = 40) -> str:
        """The end of the process's output and the errors in Nova's log."""
        text = (
            self.log.read_text(errors="replace").splitlines()[-lines:] if self.log.exists() else []
        )
        nova = self.state / "log" / "nova.log"
        if nova.exists():
            errors = [
                line for line in nova.read_text(errors="replace").splitlines() if " ERROR " in line
            ]
            text += ["--- errors in nova.log", *errors[-lines:]]
        return "\n".join(text)

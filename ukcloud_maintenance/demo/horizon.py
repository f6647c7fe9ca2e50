"""Serves Horizon with the plugin: ``python -m ukcloud_maintenance.demo.horizon --port 8000``.

Its settings come from the environment, see ``horizon_settings``. Tests use ``HorizonProcess``:

    with DemoCloud() as cloud, HorizonProcess(cloud, tmp_path) as horizon:
        browser.get(horizon.url)

Static files are collected and compressed once for each content of the plugin's static files,
templates and theme, into the cache directory, from which any number of Horizons are served.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from . import cache, children
from .ports import free_port

if TYPE_CHECKING:
    from .harness import DemoCloud

SETTINGS = "ukcloud_maintenance.demo.horizon_settings"
START_TIMEOUT = 300.0

_helpers: set[subprocess.Popen] = set()


def static_root() -> Path:
    """Where the static files of the installed Horizon and of this plugin belong."""
    import ukcloud_maintenance

    package = Path(ukcloud_maintenance.__file__).parent
    digest = hashlib.sha256()
    for name in ("horizon", "django_compressor"):
        digest.update(f"{name}={metadata.version(name)}".encode())
    theme = os.environ.get("DEMO_THEME", "")
    digest.update(f"{theme}{os.environ.get('DEMO_WEBROOT', '/')}".encode())
    from ukcloud_maintenance import enabled

    files = [Path(__file__).with_name("horizon_settings.py")]
    files += Path(next(iter(enabled.__path__))).glob("*.py")
    files += (package / "static").rglob("*")
    files += package.glob("content/**/*.html")
    if Path(theme).is_absolute():
        files += Path(theme).rglob("*")
    for file in sorted(file for file in files if file.is_file()):
        digest.update(str(file.name).encode() + file.read_bytes())
    return cache.directory() / "static" / digest.hexdigest()[:20]


def prepare_static() -> Path:
    """Collect and compress the static files unless that has been done; returns their root, which
    stays for as long as this process runs."""
    root = static_root()
    try:
        with cache.one_at_a_time(root.parent):
            if not (root / "dashboard").exists():
                _collect_and_compress(root)
            cache.hold(root)
    except OSError as error:
        raise SystemExit(f"{error}; choose another directory with XDG_CACHE_HOME=…") from error
    return root


def _collect_and_compress(root: Path) -> None:
    work = Path(tempfile.mkdtemp(dir=root.parent, prefix="new-"))
    environment = child_environment(DEMO_STATIC_ROOT=str(work), DEMO_STATE=str(work / "state"))
    environment.pop("DEMO_DATABASE_URL", None)
    script = (
        "import django, warnings; warnings.simplefilter('ignore'); django.setup();"
        "from django.core.management import call_command as run;"
        "run('collectstatic', interactive=False, verbosity=0);"
        "run('compress', force=True, verbosity=0)"
    )
    try:
        _run(
            [sys.executable, "-P", "-c", script],
            environment,
            "static files could not be compressed",
        )
        shutil.rmtree(work / "state", ignore_errors=True)
        shutil.rmtree(root, ignore_errors=True)  # half removed
        work.rename(root)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    cache.remove_others(root)


def child_environment(**variables: str) -> dict[str, str]:
    """The environment of a Django process of the demo."""
    environment = children.child_environment()
    environment["DJANGO_SETTINGS_MODULE"] = SETTINGS
    environment["PYTHONWARNINGS"] = "ignore"
    return environment | variables


def migrate(environment: dict[str, str], python: str = sys.executable) -> None:
    """Create or upgrade the tables of the database that ``environment`` names."""
    command = [python, "-P", "-m", "django", "migrate"]
    command += ["--noinput", "--verbosity=0", "--skip-checks"]
    _run(command, environment, "the database could not be prepared")


def _run(command: list[str], environment: dict[str, str], problem: str) -> None:
    """Run a command to its end; SystemExit with its output where it fails."""
    helper = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    _helpers.add(helper)
    output, _ = helper.communicate()
    _helpers.discard(helper)
    if helper.returncode:
        raise SystemExit(f"{problem}:\n{output[-4000:]}")


def stop_helpers() -> None:
    """End what ``prepare_static`` and ``migrate`` run in other threads."""
    for helper in list(_helpers):
        helper.kill()


def serve(port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    os.environ["DJANGO_SETTINGS_MODULE"] = SETTINGS
    from cheroot import wsgi
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from whitenoise import WhiteNoise

    application = WhiteNoise(
        get_wsgi_application(),
        root=settings.STATIC_ROOT,
        prefix=settings.STATIC_URL,
        max_age=3600,
    )
    server = wsgi.Server(
        ("127.0.0.1", port),
        application,
        numthreads=8,
        max=32,
        request_queue_size=64,
        timeout=60,
        shutdown_timeout=1,
    )
    server.keep_alive_conn_limit = 100
    ended = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: ended.set())
    try:
        server.prepare()
    except OSError as error:
        raise SystemExit(f"cannot listen on 127.0.0.1:{port}: {error}") from error
    threading.Thread(target=server.serve, daemon=True).start()
    print(f"Horizon listens on http://127.0.0.1:{port}/", flush=True)
    ended.wait()
    # A page that is being rendered waits for Nova; nobody waits for the page.
    os._exit(0)


class HorizonProcess:
    """Horizon in a process of its own, for tests; migrated and ready when started.

    :param cloud: what it talks to
    :param state: directory for its database, sessions and log
    :param database_url: another database than SQLite
    :param maintenance: keys of ``UKCLOUD_MAINTENANCE``, as JSON
    :param python: of an environment with another Horizon, in which the plugin is installed
    """

    def __init__(
        self,
        cloud: DemoCloud,
        state: Path,
        port: int | None = None,
        database_url: str | None = None,
        maintenance: str = "{}",
        python: Path | None = None,
    ) -> None:
        self.state = Path(state)
        self.python = str(python or sys.executable)
        self.port = port or free_port()
        self.process: subprocess.Popen | None = None
        self.environment = child_environment(
            DEMO_STATE=str(self.state),
            DEMO_AUTH_URL=cloud.auth_url,
            DEMO_CLOUDS_YAML=str(cloud.clouds_yaml),
            DEMO_MAINTENANCE=maintenance,
            OS_CLIENT_CONFIG_FILE=str(cloud.clouds_yaml),
        )
        """Also what a worker or a command beside this Horizon needs."""
        if python:  # finds what is installed there, and prepares its own static files
            self.environment.pop("PYTHONPATH", None)
            self.environment.pop("DEMO_STATIC_ROOT", None)
        if database_url:
            self.environment["DEMO_DATABASE_URL"] = database_url
        else:
            self.environment.pop("DEMO_DATABASE_URL", None)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.state / "horizon.log"

    def __enter__(self) -> HorizonProcess:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        self.state.mkdir(parents=True, exist_ok=True)
        if self.python == sys.executable:
            self.environment["DEMO_STATIC_ROOT"] = str(prepare_static())
        migrate(self.environment, self.python)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command(self.port, self.python),
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_TIMEOUT
        while not answers(f"{self.url}/auth/login/"):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                tail = self.log.read_text(errors="replace")[-4000:]
                raise RuntimeError(f"Horizon doesn't come up\n{tail}")
            time.sleep(0.1)

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None


def command(port: int, python: str = sys.executable) -> list[str]:
    """Serves Horizon for as long as the calling process lives."""
    return [
        python,
        "-P",
        "-m",
        "ukcloud_maintenance.demo.horizon",
        f"--port={port}",
        f"--with-parent={os.getpid()}",
    ]


def answers(url: str) -> bool:
    """Whether a page can be fetched."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=30) as response:
            return response.status == 200
    except (OSError, urllib.error.URLError):
        return False


def main() -> int:
    parser = argparse.ArgumentParser(prog="horizon", description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, default=8000, help="port on 127.0.0.1")
    parser.add_argument(
        "--with-parent",
        type=int,
        help="end when this process is no longer the parent",
    )
    arguments = parser.parse_args()
    if arguments.with_parent:
        children.end_with_parent(arguments.with_parent)
    if "DEMO_STATIC_ROOT" not in os.environ:
        os.environ["DEMO_STATIC_ROOT"] = str(prepare_static())
    serve(arguments.port)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Horizon below a path of its own, as operators serve it: mod_wsgi under Apache, and gunicorn."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from ukcloud_maintenance.demo import horizon as demo
from ukcloud_maintenance.demo.ports import free_port

pytestmark = pytest.mark.timeout(600)
WEBROOT = "/dashboard/"
MODULES = Path("/usr/lib/apache2/modules")
#: what mod_wsgi of Debian's has in it
DEBIANS = "mod_wsgi.so-{}.{}".format(*sys.version_info)
#: Apache does not serve as root; nobody may not read what root has below its home.
AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
AS_NOBODY += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]

SCRIPT = """
import os
os.environ.update({environment!r})
from django.core.wsgi import get_wsgi_application
application = get_wsgi_application()
"""
APACHE = """
ServerName localhost
ServerRoot {folder}
PidFile {folder}/pid
ErrorLog {folder}/apache.log
Mutex file:{folder}
DefaultRuntimeDir {folder}
Listen 127.0.0.1:{port}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule alias_module {modules}/mod_alias.so
LoadModule wsgi_module {modules}/mod_wsgi.so
WSGISocketPrefix {folder}/wsgi
WSGIDaemonProcess horizon processes=1 threads=4 python-path={path} home={folder}
WSGIProcessGroup horizon
WSGIApplicationGroup %{{GLOBAL}}
WSGIScriptAlias /dashboard {folder}/horizon.wsgi
Alias /dashboard/static {static}
<Directory />
  Require all granted
</Directory>
"""


def _apache(folder: Path, port: int, environment: dict[str, str]) -> list[str]:
    if not (MODULES / DEBIANS).exists():
        pytest.skip("Apache with mod_wsgi for this Python is not installed")
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    (folder / "apache.conf").write_text(
        APACHE.format(
            folder=folder,
            port=port,
            modules=MODULES,
            path=f"{packages}:{environment['PYTHONPATH']}",
            static=environment["DEMO_STATIC_ROOT"],
        )
    )
    command = ["/usr/sbin/apache2", "-DFOREGROUND", "-f", str(folder / "apache.conf")]
    return [*AS_NOBODY, *command] if os.geteuid() == 0 else command


def _gunicorn(folder: Path, port: int, environment: dict[str, str]) -> list[str]:
    shutil.copy(folder / "horizon.wsgi", folder / "served_by_gunicorn.py")
    environment["SCRIPT_NAME"] = WEBROOT.rstrip("/")
    bind = ["--bind", f"127.0.0.1:{port}", "--workers=1", "--threads=4", "--graceful-timeout=1"]
    return [sys.executable, "-m", "gunicorn", *bind, "served_by_gunicorn:application"]


@pytest.fixture(scope="module")
def static() -> str:
    """What was compressed has Horizon's path in it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEMO_WEBROOT", WEBROOT)
        return str(demo.prepare_static())


@pytest.fixture(params=[_apache, _gunicorn], ids=["apache", "gunicorn"])
def url(request, horizon, static, tmp_path) -> Iterator[str]:
    port = free_port()
    root = str(Path(__file__).resolve().parents[2])
    ours = {"DEMO_WEBROOT": WEBROOT, "DEMO_STATIC_ROOT": static, "PYTHONPATH": root}
    environment = {**horizon.environment, **ours}
    script = SCRIPT.format(environment=environment)
    (tmp_path / "horizon.wsgi").write_text(script)
    command = request.param(tmp_path, port, environment)
    with (tmp_path / "server.log").open("w") as log:
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        address = f"http://127.0.0.1:{port}{WEBROOT}"
        deadline = time.monotonic() + 120
        while not demo.answers(f"{address}auth/login/"):
            logs = "".join(one.read_text() for one in tmp_path.glob("*.log"))
            assert process.poll() is None, logs[-4000:]
            assert time.monotonic() < deadline, logs[-4000:]
            time.sleep(0.3)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def test_an_admin_drains_a_host_below_dashboard(url):
    with requests.Session() as session:
        session.trust_env = False

        def get(path: str) -> str:
            answer = session.get(f"{url}{path}", timeout=60)
            assert answer.status_code == 200, answer.text[-2000:]
            return answer.text

        def post(path: str, **data: str) -> requests.Response:
            token = session.cookies["csrftoken"]
            data |= {"csrfmiddlewaretoken": token}
            return session.post(f"{url}{path}", data=data, timeout=60, allow_redirects=False)

        get("auth/login/")
        entered = {"username": "admin", "password": "demo", "region": "default"}
        assert post("auth/login/", **entered).headers["Location"].startswith(WEBROOT)
        page = get("admin/maintenance/")
        assert "cmp12" in page
        addresses = re.findall(r'(?:href|src|action)="(/[^"]*)"', page)
        assert len(addresses) > 50
        assert [one for one in addresses if not one.startswith(WEBROOT)] == []
        if "apache" in session.get(url, timeout=60).headers["Server"].lower():
            sheets = re.findall(r'href="([^"]*\.css)"', page)
            server = url.removesuffix(WEBROOT)
            assert "mnt-" in "".join(session.get(server + one, timeout=60).text for one in sheets)

        path = "admin/maintenance/hosts/cmp12/drain/"
        options = {"reason": "new kernel", "max_concurrent": "2", "order": "largest"}
        requested = post(f"{path}?region=RegionOne", **options, destination="")
        assert requested.status_code == 302, requested.text[-3000:]
        drain = requested.headers["Location"]
        assert drain.startswith(f"{WEBROOT}admin/maintenance/drains/")
        assert "Drain" in get(drain.removeprefix(WEBROOT))
        news = session.get(f"{url}{drain.removeprefix(WEBROOT)}updates/?seen=", timeout=60)
        assert news.json()["token"]

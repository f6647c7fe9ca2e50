"""Against a real Prometheus: the gate of alerts, what it makes of our metrics, and the rules that
the documentation recommends."""

import json
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from tests.said import raises
from ukcloud_maintenance.actions.alerts import firing
from ukcloud_maintenance.demo.ports import free_port
from ukcloud_maintenance.exceptions import AlertsUnknown
from ukcloud_maintenance.settings.actions import read_alerts

PROGRAM = shutil.which("prometheus")
pytestmark = [
    pytest.mark.skipif(not PROGRAM, reason="Debian's package prometheus is not installed"),
    pytest.mark.timeout(120),
]
MONITORING = Path(__file__).parents[2] / "doc" / "source" / "monitoring.md"
RULES = """
groups:
  - name: of the test
    rules:
      - {alert: CephDegraded, expr: vector(1), labels: {severity: critical}}
      - {alert: DiskSlow, expr: vector(1), labels: {severity: warning}}
      - {alert: Calm, expr: vector(0) > 0, labels: {severity: critical}}
"""
CONFIG = """
global: {scrape_interval: 10s, evaluation_interval: 1s}
rule_files: [rules.yml]
scrape_configs:
  - {job_name: ukcloud-maintenance, static_configs: [{targets: ["127.0.0.1:%d"]}]}
"""


@pytest.fixture(scope="module")
def metrics():
    """The port of a worker's metrics."""
    pytest.importorskip("prometheus_client")
    from ukcloud_maintenance.worker.prometheus import PrometheusMetrics

    served = PrometheusMetrics("worker-1")
    close = served.serve("127.0.0.1", 0)
    yield served.port
    close()


@pytest.fixture(scope="module")
def server(metrics, tmp_path_factory):
    """The address of a Prometheus that scrapes those."""
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    (folder / "rules.yml").write_text(RULES)
    (folder / "prometheus.yml").write_text(CONFIG % metrics)
    options = ("config.file", "prometheus.yml"), ("storage.tsdb.path", "data")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                PROGRAM or "",
                *(f"--{name}={folder / value}" for name, value in options),
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait(lambda: samples(url, "ALERTS") and samples(url, "up == 1"))
        yield url
    finally:
        process.terminate()
        process.wait(30)


def samples(url: str, query: str) -> list:
    """What a query finds, asked by another client than ours; none while nobody answers."""
    where = f"{url}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    try:
        with urllib.request.urlopen(where, timeout=30) as answer:
            return json.load(answer)["data"]["result"]
    except OSError:
        return []


def wait(condition) -> None:
    """Until the test's own limit."""
    while not condition():
        time.sleep(0.2)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        (None, ["CephDegraded"]),
        ('ALERTS{alertname="Calm"}', []),
        ('ALERTS{severity="warning"}', ["DiskSlow"]),
        ("up == 0", []),
        ("scalar(vector(3))", ["3"]),
    ],
)
def test_what_fires(server, query, names):
    alerts = read_alerts({"url": server} | ({"query": query} if query else {}))
    assert firing(alerts) == names


@pytest.mark.parametrize("query", ["up{", "no_such_function(up)", 'scalar(up{job="none"})'])
def test_a_query_that_tells_nothing_is_no_answer(server, query):
    with raises(AlertsUnknown, "Check ALERTS and the server"):
        firing(read_alerts({"url": server, "query": query}))


def test_it_takes_our_metrics(server):
    [up] = samples(server, 'up{job="ukcloud-maintenance"}')
    assert up["value"][1] == "1"
    names = {one["metric"]["__name__"] for one in samples(server, '{__name__=~"ukcloud_.+"}')}
    assert {f"ukcloud_maintenance_{one}" for one in ("build_info", "database_up")} <= names


def test_the_recommended_configuration_is_valid(tmp_path):
    parts = re.findall(r"^```yaml\n(.*?)^```", MONITORING.read_text(), re.DOTALL | re.MULTILINE)
    scrapes, rules = parts
    for kind, part in (("config", scrapes), ("rules", rules)):
        file = tmp_path / f"{kind}.yml"
        file.write_text(part)
        done = subprocess.run(
            ["promtool", "check", kind, file], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

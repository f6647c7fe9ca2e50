"""A worker in a process of its own, scraped while it drains a host of a real Nova."""

import json
import urllib.request

import pytest

pytest.importorskip("prometheus_client")

from tests.worker.driving import SETTINGS, Installation
from ukcloud_maintenance.demo.ports import free_port

pytestmark = pytest.mark.timeout(600)


def test_what_a_worker_did_is_in_its_metrics(nova, tmp_path):
    port = free_port()
    given = json.dumps({**SETTINGS, "METRICS_PORT": port})
    installed = Installation(nova, tmp_path, TEST_MAINTENANCE=given)
    try:
        servers = nova.create_servers(["m1", "m2"], host="st1")
        drain_id = installed.drain("st1")
        installed.start_worker()
        installed.wait(lambda: installed.state(drain_id) == "succeeded", "drained", 180)

        def scrape() -> str:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
                return answer.read().decode()

        def value(name: str, *labels: str) -> float:
            return sum(
                float(line.rsplit(" ", 1)[1])
                for line in scrape().splitlines()
                if line.startswith(f"ukcloud_maintenance_{name}{{")
                and all(label in line for label in labels)
            )

        # counted after it is recorded
        installed.wait(
            lambda: value("migrations_total", 'result="succeeded"') == len(servers), "counted"
        )
        assert value("migration_duration_seconds_count", 'result="succeeded"') == len(servers)
        assert value("moved_bytes_total", 'of="memory"') > 0
        posts = ('method="POST"', 'route="/servers/{id}/action"', 'status="202"')
        assert value("openstack_requests_total", *posts) == len(servers)
        assert value("openstack_requests_total", 'route="/auth/tokens"', 'status="201"') >= 1
        assert value("drains", 'state="succeeded"') == 1
        assert value("passes_total", 'of="drain"', 'result="done"') >= 2
        text = scrape()
        assert not any(server in text for server in servers)
    finally:
        installed.close()

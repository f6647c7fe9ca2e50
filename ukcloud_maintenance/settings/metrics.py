"""The settings of the worker's metrics."""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from .schema import setting


@dataclass(frozen=True)
class MetricsSettings:
    """Where a worker serves its metrics."""

    metrics_port: int = setting(
        0,
        "a TCP port; 0: off",
        "The port at which the worker serves metrics for Prometheus, as http://METRICS_ADDRESS:PORT"
        "/metrics. Needs the extra `metrics` (prometheus_client). Each worker of a machine needs a"
        " port of its own: see `maintenance_worker --metrics-port`.",
        0,
        65535,
    )
    metrics_address: str = setting(
        "127.0.0.1",
        "an IP address of the worker's machine",
        "The address at which the worker serves its metrics. There is neither a login nor TLS, and"
        " host names are among the metrics: outside of loopback, let a firewall keep others"
        " away.",
    )

    def metrics_problems(self) -> Iterator[tuple[str, str]]:
        """(problem, remedy) pairs; a problem begins with the key."""
        try:
            ipaddress.ip_address(self.metrics_address)
        except ValueError:
            yield (
                f'["METRICS_ADDRESS"] must be an IP address, not {self.metrics_address!r}.',
                "Name an address of the worker's machine, e.g. 127.0.0.1, or 0.0.0.0 for all.",
            )

"""The control plane of the demo cloud, in one process behind one loopback port.

``python -m ukcloud_maintenance.demo.controlplane --state DIR --port P`` serves

===============  ============================================================
``/identity``    Keystone
``/placement``   Placement
``/compute``     Nova's API; its conductor, scheduler and computes run beside
``/image``       a stand-in for Glance
``/network``     a stand-in for Neutron
``/demo``        control of hosts, faults and the request log, for tests
===============  ============================================================

and writes ``DIR/clouds.yaml`` and, as soon as everything answers, ``DIR/ready.json``. It can be
killed at any time and started again on the same directory: the servers are still there.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import json
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from pathlib import Path

from . import configuration, databases, identity, instrumentation, releases, standins
from .children import end_with_parent
from .config import REGION, CloudConfig
from .hypervisors import Hypervisors

STARTED = time.monotonic()


def say(text: str) -> None:
    """One line of progress."""
    print(f"[{time.monotonic() - STARTED:5.1f}s] {text}", flush=True)


def main(argv: list[str] | None = None, plane: type[ControlPlane] | None = None) -> int:
    """Run until it is told to stop; ``plane`` is the class of the control plane."""
    releases.patch()
    parser = argparse.ArgumentParser(prog="controlplane", description=__doc__.split("\n")[0])
    parser.add_argument("--state", type=Path, required=True, help="directory of the cloud")
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1")
    parser.add_argument(
        "--config", type=Path, help="JSON with fields of CloudConfig; kept in the directory"
    )
    parser.add_argument(
        "--with-parent",
        type=int,
        help="end when this process is no longer the parent",
    )
    arguments = parser.parse_args(argv)
    if arguments.with_parent:
        end_with_parent(arguments.with_parent)
    # Each thread that waits for the interpreter looks for it after this time, again and again: on
    # a busy machine hundreds do, and at the default of 5 ms did nothing else.
    sys.setswitchinterval(0.1)
    state = arguments.state.resolve()
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    # The services parse the command line too.
    sys.argv = sys.argv[:1]

    kept = state / "config.json"
    if arguments.config:
        config = CloudConfig.load(arguments.config)
    elif kept.exists():
        config = CloudConfig.load(kept)
    else:
        config = CloudConfig()
    kept.write_text(config.to_json())
    try:
        return (plane or ControlPlane)(state, arguments.port, config).run()
    except BaseException as error:
        # The services' threads would keep the process alive without its main thread.
        if isinstance(error, SystemExit):
            print(f"error: {error}", file=sys.stderr, flush=True)
        else:
            traceback.print_exc()
        os._exit(1)


class ControlPlane:
    transport_url = databases.TRANSPORT_URL
    """Over which Nova's services talk to each other; by default within this process alone."""

    def __init__(self, state: Path, port: int, config: CloudConfig) -> None:
        self.state = state
        self.port = port
        self.config = config
        self.base_url = f"http://127.0.0.1:{port}"
        self.applications: dict[str, object] = {
            "/image": standins.glance,
            "/network": standins.neutron,
        }
        self.hypervisors = Hypervisors(config)
        self.hosts: dict[str, object] = {}
        self.ready = False
        self.stopping = threading.Event()

    def run(self) -> int:
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, self._on_signal)
        (self.state / "ready.json").unlink(missing_ok=True)
        fresh = self._prepare_state()

        say("loading Keystone, Placement and Nova")
        self._import_nova()
        databases.tune_oslo_db()
        self.instrumentation = instrumentation.Instrumentation(self)
        server = self._serve_http()
        if not fresh:
            databases.relocate(self.state, self.base_url, self.transport_url)
        self.applications["/identity"] = identity.load_application(
            self.state, self.state / "etc" / "keystone.conf"
        )
        if fresh:
            self._fill_databases()
        self._write_configuration()
        identity.write_clouds_yaml(self.state, self.base_url)
        self._load_placement()
        self._load_nova_api()
        self._prepare_computes()
        self._start_services()
        self._start_computes()
        # A million objects of three services and their hosts are here to stay: looking through
        # them again and again was a tenth of what a busy cloud costs.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
        (self.state / "ready.json").write_text(
            json.dumps(
                {
                    "url": self.base_url,
                    "auth_url": f"{self.base_url}/identity/v3",
                    "region": REGION,
                    "pid": os.getpid(),
                    "clouds_yaml": str(self.state / "clouds.yaml"),
                    "hosts": [host.name for host in self.config.hosts],
                }
            )
        )
        self.ready = True
        say(f"ready at {self.base_url}")

        self.stopping.wait()
        say("stopping")
        (self.state / "ready.json").unlink(missing_ok=True)
        for host in self.hosts.values():
            with contextlib.suppress(Exception):
                host.cancel_queued()
        threading.Thread(target=server.stop, daemon=True).start()
        time.sleep(0.1)
        sys.stdout.flush()
        # Dozens of threads of the services are in the middle of something, as with a kill -9,
        # which has to be survived anyway.
        os._exit(0)

    def _on_signal(self, *_: object) -> None:
        if self.ready:
            self.stopping.set()
        else:
            # Nothing is in progress yet, and what is half prepared is made anew.
            os._exit(0)

    # --- state --------------------------------------------------------------------------------

    def _prepare_state(self) -> bool:
        """Make directories and configuration; True where the databases are still to be filled."""
        for part in ("etc", "log", "keys", "nova"):
            (self.state / part).mkdir(exist_ok=True, mode=0o700)
        versions = self.state / "versions"
        key = databases.service_versions()
        filled = versions.exists()
        if filled and versions.read_text() != key:
            raise SystemExit(
                f"{self.state} was made by other versions of the services:"
                " remove it (make demo-reset) and start again"
            )
        if not filled:
            # What a start that didn't get to its end may have left.
            for part in ("db", "keys"):
                shutil.rmtree(self.state / part, ignore_errors=True)
            filled = databases.copy_from_template(self.state)
            if filled:
                versions.write_text(key)
        if not filled:
            identity.create_keys(self.state)
            databases.create_empty(self.state)
            identity.write_secrets(self.state, {"nova": "", identity.WORKER: ""})
        self._write_configuration()
        return not filled

    def _fill_databases(self) -> None:
        say("creating databases (once; later clouds start from a copy)")
        databases.create_schemas(self.state)
        say("creating accounts and the service catalog")
        identity.create_accounts(self.state)
        databases.save_template(self.state)
        (self.state / "versions").write_text(databases.service_versions())
        databases.relocate(self.state, self.base_url, self.transport_url)

    def _write_configuration(self) -> None:
        configuration.write(self.state, self.base_url, self.transport_url, self.config)

    # --- services -----------------------------------------------------------------------------

    def _import_nova(self) -> None:
        # What binds itself to oslo.config's global object has to do so before Keystone comes.
        for name in (
            "nova.conf",
            "nova.service",
            "nova.api.openstack.wsgi_app",
            "keystonemiddleware.auth_token",
        ):
            importlib.import_module(name)

    def _serve_http(self):
        from cheroot import wsgi

        server = wsgi.Server(
            ("127.0.0.1", self.port),
            self.instrumentation,
            numthreads=24,
            max=96,
            request_queue_size=256,
            timeout=120,
            shutdown_timeout=1,
            server_name="demo-cloud",
        )
        server.keep_alive_conn_limit = releases.keep_alive_connections()
        try:
            server.prepare()
        except OSError as error:
            raise SystemExit(f"cannot listen on 127.0.0.1:{self.port}: {error}") from error
        threading.Thread(target=server.serve, name="http", daemon=True).start()
        return server

    def _load_placement(self) -> None:
        os.environ["OS_PLACEMENT_CONFIG_DIR"] = str(self.state / "etc")
        from placement import wsgi

        self.applications["/placement"] = wsgi.init_application()

    def _load_nova_api(self) -> None:
        os.environ["OS_NOVA_CONFIG_DIR"] = str(self.state / "etc")
        shutil.copyfile(configuration.nova_paste_file(), self.state / "etc" / "api-paste.ini")
        self.applications["/compute"] = releases.nova_api()

    def _prepare_computes(self) -> None:
        from . import simulated_compute, simulated_driver

        simulated_driver.install(configuration.DRIVER, self.hypervisors)
        simulated_compute.adapt_nova(self.hypervisors)
        identity_file = self.state / "nova" / "compute_id"
        if not identity_file.exists():
            # Only its existence is looked at: a host that has lost it refuses to start.
            identity_file.write_text(databases.CELL1_UUID)

    def _start_services(self) -> None:
        import nova.conf
        from nova import service
        from nova.conductor import rpcapi as conductor
        from nova.scheduler import rpcapi as scheduler

        say("starting Nova's conductor and scheduler")
        for binary, topic in (
            ("nova-conductor", conductor.RPC_TOPIC),
            ("nova-scheduler", scheduler.RPC_TOPIC),
        ):
            service.Service.create(host=nova.conf.CONF.host, binary=binary, topic=topic).start()

    def _start_computes(self) -> None:
        from . import clients, simulated_compute, zones

        known = simulated_compute.compute_nodes()
        say(f"starting {len(self.config.hosts)} compute hosts")
        for spec in self.config.hosts:
            host = simulated_compute.SimulatedHost(spec, self.hypervisors)
            host.start()
            self.hosts[spec.name] = host
        if known < len(self.config.hosts):
            simulated_compute.map_hosts()
            nova = clients.connect(self.state / "clouds.yaml", "admin", "compute")
            zones.create(nova, self.config.hosts)


if __name__ == "__main__":
    sys.exit(main())

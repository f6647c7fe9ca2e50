"""What differs between the releases of Nova that the demo cloud can be made of: 29 (2024.1),
31 (2025.1) and 34 (2026.2).

Up to 31, Nova knows green threads only: everything in the process is patched by eventlet, the
simulated hosts and the HTTP server too.

An environment with another Nova has its Keystone and Placement, cheroot and this package
(``pip install --no-deps``); ``MAINTENANCE_DEMO_PYTHON`` names its Python, see ``plane_process``.
"""

from __future__ import annotations

import importlib
import os
from importlib import metadata
from typing import Any

NOVA = int(metadata.version("nova").partition(".")[0])
GREEN = NOVA < 33


def patch() -> None:
    """Choose the kind of threads; before anything else is imported that makes one."""
    if GREEN:
        os.environ.pop("OS_NOVA_DISABLE_EVENTLET_PATCHING", None)
        patching = importlib.import_module("nova.monkey_patch")  # up to 29 this does it
        if hasattr(patching, "patch"):
            patching.patch()
    else:
        os.environ["OS_NOVA_DISABLE_EVENTLET_PATCHING"] = "1"
        importlib.import_module("nova.monkey_patch").patch(backend="threading")
        start_no_thread_beside_idle_ones()


def start_no_thread_beside_idle_ones() -> None:
    """futurist's pools start a thread for each task until they have 64, of which each wakes once a
    second: 2,800 of them for a hundred hosts, which leave no time for anything else."""
    import futurist

    class Pool(futurist.ThreadPoolExecutor):  # type: ignore[misc]
        def _maybe_spin_up(self) -> bool:
            # of what was submitted some runs and some waits
            if self._work_queue.unfinished_tasks < len(self._workers):
                return False
            return bool(super()._maybe_spin_up())

    futurist.ThreadPoolExecutor = Pool


def nova_api() -> Any:
    """Nova's WSGI application; in 2024.1 there was no module that has it."""
    try:
        return importlib.import_module("nova.wsgi.osapi_compute").application
    except ImportError:
        return importlib.import_module("nova.api.openstack.compute.wsgi").init_application()


def pool(threads: int) -> Any:
    """What runs the live migrations of a host."""
    import futurist

    kind = futurist.GreenThreadPoolExecutor if GREEN else futurist.ThreadPoolExecutor
    return kind(max_workers=threads)


def is_live_migration(task: object) -> bool:
    """Whether that is where Nova's manager starts a live migration; up to 31 it submits one to its
    pool itself."""
    from nova import thread_pool_factory

    return task is thread_pool_factory.ExecutorType.LIVE_MIGRATION


def compute_topics() -> dict[str, str]:
    """Where a nova-compute listens; what stops a migration comes by a way of its own since 33."""
    from nova.compute import rpcapi

    topics = {"topic": rpcapi.RPC_TOPIC}
    if hasattr(rpcapi, "RPC_TOPIC_ALT"):
        topics["topic_alt"] = rpcapi.RPC_TOPIC_ALT
    return topics


def keep_alive_connections() -> int:
    """How many connections the HTTP server keeps open between requests. It waits for those in a
    thread that does not give way to green ones."""
    return 0 if GREEN else 400

"""`django-admin maintenance_worker`: works off the queue of drains until it is told to stop."""

import logging
import os
import sys
import time
from typing import Any

from django.core.management.base import CommandError, CommandParser

from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.exceptions import MaintenanceError
from ukcloud_maintenance.log import LOG
from ukcloud_maintenance.messages import english
from ukcloud_maintenance.worker import Worker

from ._edge import EdgeCommand


class Command(EdgeCommand):
    help = (
        "Runs the drains: disables the hosts' compute services, live-migrates the instances at"
        " a safe pace and follows each migration to its end; verifies that hosts in maintenance"
        " are safe to power off, and returns them to service; works off rolling runs. Any number"
        " of workers can run, on any number of machines. On SIGTERM the worker waits some seconds"
        " for the answer to a request in progress, then stops; on a second SIGTERM it stops at"
        " once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--once",
            action="store_true",
            help="make one pass over every drain that is due, then stop",
        )
        parser.add_argument(
            "--metrics-port",
            type=int,
            metavar="PORT",
            help="the port at which it serves metrics for Prometheus, 0: none; default: the setting"
            " METRICS_PORT",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        _log_to_stderr()
        port = options["metrics_port"]
        if port is not None and not 0 <= port <= 65535:
            wrong = message("no_tcp_port", option="--metrics-port", port=port)
            raise CommandError(english(wrong), returncode=2)
        try:
            worker = Worker(metrics_port=port)
            worker.check_clouds()
        except MaintenanceError as error:
            said = getattr(error, "said", None)
            raise CommandError(english(said) if said else str(error), returncode=2) from error
        if not options["once"]:
            worker.stop_on_signals()
        worker.run(once=options["once"])
        if worker.failure:
            said = english(worker.failure)
            if worker.has_leftovers:
                self.stderr.lines(said)
                _leave(4)
            raise CommandError(said, returncode=4)
        if worker.has_leftovers:
            _leave(0)


def _leave(code: int) -> None:
    """End the process without waiting for threads that do not come back."""
    sys.stderr.flush()
    os._exit(code)


def _log_to_stderr() -> None:
    """Horizon's LOGGING knows nothing of us; a worker without a log is of no use."""
    if LOG.handlers:
        return
    handler = logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter("%(asctime)sZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)
    LOG.propagate = False

"""What a worker counts of its work; by default nobody does.

The counters live in the worker's process, and end with it: Prometheus knows what a restart is. What
the database knows is read when somebody asks. Whatever goes wrong here costs no drain anything.
"""

import logging
import time
from collections.abc import Callable
from typing import Protocol

from .. import settings
from ..cloud import Asked
from ..core.message import Message, message
from ..log import log_event
from ..store import InstanceMigration, RunAction
from .housekeeping import Key

#: A port that is taken is tried again after so many seconds: whoever has it may be on its way out.
TRY_AGAIN = 30.0


class Metrics(Protocol):
    """Who is told."""

    def asked(self, request: Asked) -> None:
        """A request to OpenStack went out."""

    def pass_ended(self, kind: str, result: str, seconds: float) -> None:
        """:param kind: drain, host or run
        :param result: done, problem, overtaken or bug; abandoned: nobody waited for it any longer
        """

    def attempt_ended(self, region: str, row: InstanceMigration) -> None:
        """An attempt to move an instance is over, and recorded."""

    def action_ended(self, region: str, tried: RunAction) -> None:
        """A try of an action on a host of a run is over, and recorded."""

    def openstack(self, region: str, key: Key, *, answers: bool) -> None:
        """Whether a region's OpenStack did what a pass over something asked of it."""

    def database(self, *, answers: bool) -> None:
        """Whether the database does; told when it changes."""


class NoMetrics:
    """Nobody."""

    def asked(self, request: Asked) -> None:
        pass

    def pass_ended(self, kind: str, result: str, seconds: float) -> None:
        pass

    def attempt_ended(self, region: str, row: InstanceMigration) -> None:
        pass

    def action_ended(self, region: str, tried: RunAction) -> None:
        pass

    def openstack(self, region: str, key: Key, *, answers: bool) -> None:
        pass

    def database(self, *, answers: bool) -> None:
        pass


class Endpoint:
    """Serves the metrics of a worker where the settings say so.

    :param name: the worker's
    :param port: instead of the setting's; None: the setting's
    """

    def __init__(self, name: str, port: int | None = None):
        self.name = name
        read = settings.current()
        self.address = read.metrics_address
        self.port = read.metrics_port if port is None else port
        self.metrics: Metrics = NoMetrics()
        #: what keeps it from serving them
        self.problem: Message | None = None
        self._serve: Callable[[str, int], Callable[[], None]] | None = None
        self._close: Callable[[], None] | None = None
        self._tried_at = 0.0
        if self.port:
            self._choose()

    def _choose(self) -> None:
        try:
            from .prometheus import PrometheusMetrics
        except ImportError as error:
            self._fails(message("metrics_not_installed", detail=str(error)))
            return
        found = PrometheusMetrics(self.name)
        self.metrics, self._serve = found, found.serve

    def attend(self) -> None:
        """Begin to serve them, or try again now and then; called again and again."""
        now = time.monotonic()
        if self._serve is None or self._close is not None:
            return
        if self.problem is not None and now - self._tried_at < TRY_AGAIN:
            return
        self._tried_at = now
        try:
            self._close = self._serve(self.address, self.port)
        except (OSError, ValueError, OverflowError) as error:
            # of an address: what the resolver says; ValueError: it is none
            why = getattr(error, "strerror", None) or str(error)
            where = {"address": self.address, "port": self.port}
            self._fails(message("metrics_not_served", **where, detail=why))
            return
        self.problem = None
        log_event(logging.INFO, "metrics_served", address=self.address, port=self.port)

    def close(self) -> None:
        if self._close is not None:
            self._close()

    def _fails(self, said: Message) -> None:
        if self.problem != said:
            log_event(logging.ERROR, "no_metrics", worker=self.name, detail=said)
        self.problem = said

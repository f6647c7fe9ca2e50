"""Delivers notices: one receiver's in their order, whatever becomes of the others'.

It has a thread of its own and one for each receiver that is being told something, so that no pass
waits for a receiver. A notice was written with what it tells of. It is claimed before it is sent,
and recorded as delivered after that: whoever is killed in between leaves it to the next worker,
which sends it once more, with the same number.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial

from django.db import OperationalError

from .. import notify, settings, store
from ..core.message import message
from ..core.notices import retry_after
from ..exceptions import ConfigurationError
from ..log import LOG, log_event
from ..settings import Receiver
from .housekeeping import DATABASE_LOST, Apart, DatabaseOutage, close_connections

#: It looks for notices this often, in seconds.
LOOK_EVERY = 2.0
#: Pause after a failure that is none of a receiver's, in seconds.
AFTER_FAILURE = 30.0
#: A worker keeps a notice for so long, in seconds: longer than its delivery takes.
LEASE_SECONDS = 2.0 * notify.SEND_SECONDS
#: What waits for receivers that no worker has is looked for this often, in seconds.
FORGET_EVERY = 3600.0
#: Another worker must be seen silent for so long by our own monotonic clock too, in seconds: after
#: an outage of the database, or once its clock was set ahead, all look silent for a moment.
SEEN_SILENT = 60.0


class Teller:
    """Tells the receivers of the settings.

    :param worker: the worker's name
    """

    def __init__(self, worker: str, database: DatabaseOutage, stopping: threading.Event):
        self.worker = worker
        self.database = database
        self.stopping = stopping
        self._senders: dict[str, threading.Thread] = {}
        self._apart = Apart()
        self._forgot_at: float | None = None
        #: whether the database failed the last look
        self._failed = False
        #: by name, when another worker had reported last, and since when that has been so
        self._silent: dict[str, tuple[datetime, float]] = {}

    def run(self) -> None:
        """Until the worker is told to stop."""
        while not self.stopping.is_set():
            self.stopping.wait(self.attend())
        self.wait()
        close_connections()

    def stop(self) -> None:
        """What is being sent may still be taken, and is waited for as long as the worker waits."""

    def wait(self) -> None:
        """Until nothing is being sent."""
        for sender in list(self._senders.values()):
            sender.join()

    def attend(self) -> float:
        """Begin with what is due; the seconds until the next look."""
        try:
            self.step()
        except DATABASE_LOST as error:
            close_connections()
            # locked, or a deadlock: that passes, and is no outage
            if isinstance(error, OperationalError) and not self._failed:
                self._failed = True
                return LOOK_EVERY
            self.database.is_down(error)
            return AFTER_FAILURE
        except ConfigurationError as error:
            log_event(logging.ERROR, "no_notices", worker=self.worker, detail=error.said)
            return AFTER_FAILURE
        except Exception:
            LOG.exception("bug notices worker=%s", self.worker)
            return AFTER_FAILURE
        self._failed = False
        return LOOK_EVERY

    def step(self) -> None:
        receivers = settings.current().receivers
        if receivers:  # a worker that has none leaves what is new to those that have some
            topics = {one.name: one.topics for one in receivers}
            self._do("hand_out", partial(store.hand_out, topics))
            for receiver in receivers:
                self._do(f"receiver={receiver.name}", partial(self._begin, receiver))
            self._watch_workers()
        if self._forgot_at is None or time.monotonic() - self._forgot_at > FORGET_EVERY:
            store.forget_notices([one.name for one in receivers], store.now())
            self._forgot_at = time.monotonic()

    def _do(self, what: str, act: Callable[[], None]) -> None:
        self._apart.do(f"notices worker={self.worker} {what}", act)

    def _begin(self, receiver: Receiver) -> None:
        sender = self._senders.get(receiver.name)
        if sender is not None and sender.is_alive():
            return
        if (notice := self._claim(receiver)) is None:
            return
        sender = threading.Thread(
            target=self._tell, args=(receiver, notice), daemon=True, name="notices"
        )
        self._senders[receiver.name] = sender
        sender.start()

    def _claim(self, receiver: Receiver) -> store.Notice | None:
        return store.claim_notice(receiver.name, self.worker, store.now(), LEASE_SECONDS)

    def _tell(self, receiver: Receiver, first: store.Notice) -> None:
        """Deliver what waits for a receiver, one after the other."""
        notice: store.Notice | None = first
        try:
            while notice is not None:
                self._deliver(receiver, notice)
                notice = None if self.stopping.is_set() else self._claim(receiver)
        except DATABASE_LOST as error:
            self.database.is_down(error)
        except Exception:
            LOG.exception("bug notices worker=%s receiver=%s", self.worker, receiver.name)
        finally:
            close_connections()

    def _deliver(self, receiver: Receiver, notice: store.Notice) -> None:
        failed = self._attempt(receiver, notice)
        told = {
            "receiver": receiver.name,
            "about": notice.event.kind,
            "delivery": notice.delivery,
        }
        if failed is None:
            store.delivered(notice, store.now())
            log_event(logging.INFO, "told", **told)
            return
        age = (store.now() - notice.event.at).total_seconds()
        pause = retry_after(notice.attempts, age, failed.status)
        store.not_delivered(notice, self.worker, store.now(), failed.why, pause)
        event = "not_told" if pause is not None else "told_nobody"
        log_event(logging.WARNING, event, **told, attempt=notice.attempts, detail=failed.why)

    def _attempt(self, receiver: Receiver, notice: store.Notice) -> notify.Failed | None:
        """A bug is an attempt that failed: it must not keep what follows from the receiver."""
        now = settings.current()
        try:
            letter = notify.letter_of(
                notice.event, notice.delivery, now.notify_language, now.horizon_url
            )
            return notify.deliver(receiver, letter, store.now())
        except DATABASE_LOST:
            raise
        except Exception as error:
            LOG.exception("bug notices worker=%s receiver=%s", self.worker, receiver.name)
            return notify.Failed(message("told_not_sent", fault=type(error).__name__))

    def _watch_workers(self) -> None:
        """Tell of workers that no longer report. Where there is one alone, nobody is left to."""
        now = store.now()
        before, self._silent = self._silent, {}
        for one in store.silent_workers(now, settings.current().worker_silent_seconds):
            seen_at, since = before.get(one.name, (None, 0.0))
            if seen_at != one.seen_at:
                since = time.monotonic()
            self._silent[one.name] = (one.seen_at, since)
            if time.monotonic() - since >= SEEN_SILENT:
                self._do(f"silent={one.name}", partial(self._tell_of_silent, one, now))

    def _tell_of_silent(self, one: store.Worker, now: datetime) -> None:
        if store.worker_is_silent(one, self.worker, now):
            log_event(logging.WARNING, "worker_silent", worker=one.name)

"""One nova-compute per simulated host, all in one process, each stoppable by itself."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Container
from concurrent.futures import CancelledError

import nova.conf
import sqlalchemy
from nova import context as nova_context
from nova import exception, objects, service
from nova.compute import manager
from nova.db.main import api as main_db
from nova.db.main import models
from nova.servicegroup.drivers import db as servicegroup_db
from oslo_context import context as oslo_context
from oslo_log import log as logging
from oslo_messaging._drivers import base, impl_fake
from oslo_utils import timeutils

from . import releases
from .config import HostSpec
from .hypervisors import Hypervisors, ProcessGone

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)


class SimulatedComputeManager(manager.ComputeManager):
    """Nova's manager with a live-migration pool of its own.

    Nova has one such pool per process, which is one per host where a process is a host. Here the
    hosts share a process, and must not share the limit ``max_concurrent_live_migrations``.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        hypervisors = self.driver.hypervisors
        limit = hypervisors.config.limit_of(hypervisors.spec(self.host))
        self._live_migrations = releases.pool(limit)
        self._live_migration_executor = self._live_migrations  # up to Nova 31
        # Nova asks Placement for the allocations of each server of the host, one by one, with
        # every claim, and uses them where PCI devices are moved between providers only.
        self.reportclient.get_allocations_for_provider_tree = lambda context, nodename: {}
        self.virtapi.update_compute_provider_status = _persistent(
            self.virtapi.update_compute_provider_status
        )

    def _start_recorded_task(
        self, executor_type, task_name, instance, context, func, *args, **kwargs
    ):
        if not releases.is_live_migration(executor_type):
            return super()._start_recorded_task(
                executor_type, task_name, instance, context, func, *args, **kwargs
            )
        request_context = oslo_context.get_current()

        def run():
            if request_context is not None:
                request_context.update_store()
            try:
                return func(*args, **kwargs)
            except ProcessGone as gone:
                raise CancelledError from gone

        return self._live_migrations.submit(run)

    def periodic_tasks(self, context, raise_on_error=False):
        if self.host in self.driver.hypervisors.frozen:
            return 1
        return super().periodic_tasks(context, raise_on_error)

    def cancel_queued(self) -> None:
        """What a nova-compute that is told to stop does with its queue."""
        self._cleanup_live_migrations_in_pool()

    def forget_queued(self) -> None:
        """What a nova-compute that is killed does with its queue: nothing."""
        for _migration, future in list(self._waiting_live_migrations.values()):
            if future is not None:
                future.cancel()
        self._waiting_live_migrations.clear()


def _persistent(update):
    """Enabling or disabling a service that meets another change of its provider in Placement is
    repeated by Nova's next periodic task only: after a minute, or after ten with the intervals of
    tests, and until then the scheduler goes by the old state."""

    def update_until_it_is_taken(context, provider: str, enabled: bool):
        for _ in range(30):
            with contextlib.suppress(exception.ResourceProviderUpdateConflict):
                return update(context, provider, enabled)
            time.sleep(0.1)
        return update(context, provider, enabled)

    return update_until_it_is_taken


#: one for each who listens on the in-memory transport
_bells: dict[impl_fake.FakeListener, threading.Event] = {}


def deliver_messages_at_once() -> None:
    """The in-memory transport looks for messages every 50 ms, which a migration, made of a dozen
    calls, pays each time, and which with two listeners a host keeps a processor busy while nothing
    happens. Here a delivery rings at those whom the message may be for, and nobody looks before.
    """
    deliver = impl_fake.FakeExchange.deliver_message

    def deliver_and_ring(self, topic, ctxt, message, server=None, fanout=False, reply_q=None):
        deliver(self, topic, ctxt, message, server, fanout, reply_q)
        to_one = None if fanout else server
        for listener, bell in list(_bells.items()):
            if any(t.topic == topic and to_one in (None, t.server) for t in listener._targets):
                bell.set()

    def poll(self, timeout=None):
        bell = _bells.setdefault(self, threading.Event())
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._stopped.is_set():
            # First this, then the look: what arrives after the look rings again.
            bell.clear()
            for target in self._targets:
                exchange = self._exchange_manager.get_exchange(target.exchange)
                ctxt, message, reply_q, requeue = exchange.poll(target, self._pool)
                if message is not None:
                    return impl_fake.FakeIncomingMessage(ctxt, message, reply_q, requeue)
            pause = 5.0 if deadline is None else min(5.0, deadline - time.monotonic())
            if pause < 0:
                break
            bell.wait(pause)
        return None

    def stop(self):
        self._stopped.set()
        if bell := _bells.pop(self, None):
            bell.set()

    impl_fake.FakeExchange.deliver_message = deliver_and_ring
    impl_fake.FakeListener.poll = base.batch_poll_helper(poll)
    impl_fake.FakeListener.stop = stop


def _look_again() -> None:
    for bell in list(_bells.values()):
        bell.set()


def let_hosts_freeze(frozen: Container[str]) -> None:
    """A frozen host says no heartbeats and reads no messages; they wait for it, as they would in
    a message broker."""
    poll = impl_fake.FakeExchange.poll

    def poll_unless_frozen(self, target, pool):
        if target.server in frozen:
            return (None, None, None, None)
        return poll(self, target, pool)

    impl_fake.FakeExchange.poll = poll_unless_frozen

    report = servicegroup_db.DbDriver._report_state

    def report_unless_frozen(self, member):
        if member.host not in frozen:
            report(self, member)

    servicegroup_db.DbDriver._report_state = report_unless_frozen


def say_alive_in_one_statement() -> None:
    """Nova reads the service, looks for the oldest version of all, and writes the service back;
    with many hosts in one process, each with a heartbeat every few seconds, that is a good part
    of what an idle cloud costs."""
    report = servicegroup_db.DbDriver._report_state

    def report_cheaply(self, member):
        try:
            reported = _count_heartbeat(member.service_ref._context, member.service_ref.id)
        except Exception:
            reported = False
        if not reported:  # what there is to be said of it, Nova says
            report(self, member)

    servicegroup_db.DbDriver._report_state = report_cheaply


@main_db.pick_context_manager_writer
def _count_heartbeat(context, service_id: int) -> bool:
    service_row = models.Service
    result = context.session.execute(
        sqlalchemy.update(service_row)
        .where(service_row.id == service_id, service_row.deleted == 0)
        .values(report_count=service_row.report_count + 1, last_seen_up=timeutils.utcnow())
        .execution_options(synchronize_session=False)
    )
    return result.rowcount == 1


def adapt_nova(hypervisors: Hypervisors) -> None:
    """All of that, once and before the first host."""
    deliver_messages_at_once()
    say_alive_in_one_statement()
    let_hosts_freeze(hypervisors.frozen)


class SimulatedHost:
    """Start, stop, kill, freeze and thaw the nova-compute of one host."""

    def __init__(self, spec: HostSpec, hypervisors: Hypervisors) -> None:
        self.spec = spec
        self._frozen = hypervisors.frozen
        self._booted = hypervisors.booted
        self._service: service.Service | None = None
        self._lock = threading.Lock()

    @property
    def state(self) -> str:
        if self._service is None:
            return "stopped"
        return "frozen" if self.spec.name in self._frozen else "running"

    def start(self, *, booted: bool = False) -> None:
        """:param booted: its machine was started anew, and tells its uptime from now on"""
        with self._lock:
            if self._service is not None:
                return
            if booted:
                self._booted[self.spec.name] = time.monotonic()
            self._service = service.Service.create(
                host=self.spec.name,
                binary="nova-compute",
                **releases.compute_topics(),
                manager=f"{__name__}.SimulatedComputeManager",
            )
            self._service.start()
            # Nova waits 5 s with the first heartbeat, which after a restart would let the host
            # look down for a moment, since here silence is called down so soon.
            self._service.service_ref.report_count += 1
            self._service.service_ref.save()

    def stop(self, *, killed: bool = False) -> None:
        """End this nova-compute: migrations that wait in its queue become ``cancelled`` unless it
        is ``killed``; the record of one that runs stays as it is until the next start."""
        with self._lock:
            if self._service is None:
                return
            ended, self._service = self._service, None
            self._frozen.discard(self.spec.name)
            ended.manager.driver.process.gone.set()
            if killed:
                ended.manager.forget_queued()
            else:
                ended.manager.cancel_queued()
            ended.tg.stop()
            for server in (ended.rpcserver, getattr(ended, "rpcserver_alt", None)):
                if server is not None:
                    server.stop()

    def freeze(self) -> None:
        self._frozen.add(self.spec.name)

    def thaw(self) -> None:
        self._frozen.discard(self.spec.name)
        _look_again()

    def cancel_queued(self) -> None:
        """For the end of the whole process."""
        if self._service is not None:
            self._service.manager.driver.process.gone.set()
            self._service.manager.cancel_queued()


def map_hosts() -> None:
    """What ``nova-manage cell_v2 discover_hosts`` does."""
    from nova.objects import host_mapping

    host_mapping.discover_hosts(nova_context.get_admin_context())


def compute_nodes() -> int:
    """How many nodes the database knows."""
    return len(objects.ComputeNodeList.get_all(nova_context.get_admin_context()))

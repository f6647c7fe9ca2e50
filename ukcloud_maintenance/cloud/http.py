"""How requests go out: bounded as a whole, and cut off where nobody waits for them any longer.

The timeouts of `requests` count from one byte to the next: a server that drips a byte a second is
waited for without end, and neither the look-up of a name nor keystoneauth's lock around a login
has a timeout at all. So a call into keystoneauth, whatever requests it makes (a login, discovery,
redirects), runs in a thread of its own, and is left to itself when its time is over; its
connection is shut down then, so that the thread ends, and it can send nothing more.

What goes out side by side does so by one function, :func:`side_by_side`.
"""

import contextlib
import math
import socket
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from typing import Any

import requests
from keystoneauth1 import session

from ..connections import OwnPools, pool_classes, shut_down
from ..exceptions import PassOver

#: requests that go out side by side
PARALLEL = 8
_HERE = threading.local()
#: held for moments only: whom a connection serves
_LOCK = threading.Lock()


class TooLate(OSError):
    """The time of a call was over before its request went out."""


class Exchange:
    """One call and its requests.

    :ivar sent: whether anything of its latest request may have gone out
    :param until: nothing is sent after this, by the monotonic clock
    """

    def __init__(self, until: float):
        self.until = until
        self.sent = False
        self.over = False
        self._connection: Any = None

    def begin(self, connection: Any, *, sends: bool) -> None:
        """A connection is about to be opened, or a request to be written to it.

        :raises TooLate: it must not
        """
        with _LOCK:
            self.sent = False
            if self.over or time.monotonic() > self.until:
                raise TooLate("its time was over before it was sent")
            connection.exchange, self._connection = self, connection
            self.sent = sends

    def cut(self) -> None:
        """Nobody waits for it any longer."""
        with _LOCK:
            self.over = True
            connection = self._connection
            # back in the pool, it may serve another one by now
            if connection is not None and connection.exchange is self:
                with contextlib.suppress(OSError, TypeError):
                    shut_down(connection.sock)


class _Cuttable:
    """A connection that knows whom it serves."""

    exchange: Exchange | None = None
    sock: socket.socket | None

    def _begin(self, *, sends: bool) -> None:
        if exchange := getattr(_HERE, "exchange", None):
            exchange.begin(self, sends=sends)

    def connect(self) -> None:
        self._begin(sends=False)
        super().connect()  # type: ignore[misc]

    def request(self, *args: Any, **more: Any) -> None:
        if self.sock is None:
            self.connect()
        self._begin(sends=True)
        super().request(*args, **more)  # type: ignore[misc]


#: Told of each request: its method, its URL, the HTTP status or None where no answer came, and the
#: seconds until then.
Observer = Callable[[str, str, int | None, float], None]


class _Adapter(OwnPools, session.TCPKeepAliveAdapter):
    """The one place that every request of a session passes, a login and discovery included.

    :ivar observer: what it raises would be the request's
    """

    pools = pool_classes(_Cuttable)
    observer: Observer | None = None

    def send(self, request: Any, *args: Any, **more: Any) -> requests.Response:
        began, status = time.monotonic(), None
        try:
            answer: requests.Response = super().send(request, *args, **more)
            status = answer.status_code
            return answer
        finally:
            if self.observer is not None:
                self.observer(request.method, request.url, status, time.monotonic() - began)


def make_cuttable(ksa_session: session.Session) -> None:
    """Let the requests of a session be cut off."""
    for scheme, adapter in list(ksa_session.adapters.items()):
        if not isinstance(adapter, _Adapter):
            ksa_session.mount(scheme, _Adapter())


def watch(ksa_session: session.Session, observer: Observer) -> None:
    """Tell of each request of a session whose requests can be cut off."""
    for adapter in ksa_session.adapters.values():
        adapter.observer = observer


class Bounds:
    """What the calls of one pass have in common: an end, and that they can be told to stop.

    :param seconds: after this no call is begun, and none is waited for
    """

    def __init__(self, seconds: float = math.inf):
        self.seconds = seconds
        self._ends_at = time.monotonic() + seconds
        self._stopped = threading.Event()
        self._waiting: dict[Future[Any], Exchange] = {}

    @property
    def left(self) -> float:
        """Seconds, at least 0."""
        return max(self._ends_at - time.monotonic(), 0)

    def stop(self) -> None:
        """Begin no further call, and tell at once whoever waits for one; a request for change
        that is on its way is waited for.

        Whoever is told gets :class:`PassOver`.
        """
        self._stopped.set()
        for future, exchange in list(self._waiting.items()):
            _settle(future, error=PassOver("the pass was told to stop"))
            exchange.cut()

    def check(self) -> None:
        """:raises PassOver: they were told to stop"""
        if self._stopped.is_set():
            raise PassOver("the pass was told to stop")

    def pause(self, seconds: float) -> None:
        """:raises PassOver: they were told to stop"""
        self._stopped.wait(seconds)
        self.check()

    def run(
        self, call: Callable[[], Any], exchange: Exchange, seconds: float, *, stops: bool
    ) -> Any:
        """What a call returns or raises.

        :param stops: whether it is given up where they are told to stop
        :raises TimeoutError: it took longer than the seconds
        :raises PassOver: they were told to stop
        """
        self.check()
        future: Future[Any] = Future()

        def run() -> None:
            _HERE.exchange = exchange
            try:
                found = call()
            except BaseException as error:
                _settle(future, error=error)
            else:
                _settle(future, found)

        if stops:
            self._waiting[future] = exchange
        try:
            # told to stop since it was checked?
            self.check()
            threading.Thread(target=run, daemon=True, name="request").start()
            try:
                return future.result(seconds)
            except (NotInTime, TimeoutError) as error:  # before Python 3.11 two
                if not future.done():
                    exchange.cut()
                raise TimeoutError from error
        finally:
            self._waiting.pop(future, None)


def _settle(future: "Future[Any]", found: Any = None, error: BaseException | None = None) -> None:
    """Who comes first says what came of it."""
    with contextlib.suppress(InvalidStateError):
        if error is None:
            future.set_result(found)
        else:
            future.set_exception(error)


def side_by_side(calls: Iterable[Callable[[], Any]], at_once: int = PARALLEL) -> list[Any]:
    """What several calls return, in their order. None is begun once one of them has failed, and
    those that were are waited for.

    Their threads are their own: a call may go side by side with others itself, and in a pool that
    all have in common it would wait for a thread that waits for it.

    :param at_once: how many run at a time
    :raises Exception: what the first of them raised that failed, in their order
    """
    wanted = list(calls)
    if not wanted:
        return []
    with ThreadPoolExecutor(min(at_once, len(wanted))) as pool:
        return list(pool.map(lambda call: call(), wanted))

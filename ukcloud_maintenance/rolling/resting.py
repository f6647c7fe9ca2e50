"""A bug in what is done with one host of a run: it is said of that host, which rests for a while,
and the other hosts of the run go on."""

import contextlib
import time
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from .. import store
from ..core.bugs import bug, on_host, pause_after
from ..core.message import Message, message, text
from ..core.run.states import STAGES_OVER
from ..exceptions import CloudError, ConfigurationError, PassOver, StaleState
from ..log import LOG, in_words
from ..store import Run, RunHost

#: What is no bug of the host's: it has a meaning for the whole pass.
_OF_THE_PASS = (StaleState, PassOver, ConfigurationError, CloudError, *store.DATABASE_LOST)


#: What is done with a host in each pass, and that it is begun.
STEP, BEGINNING = "step", "beginning"


class _Rest(NamedTuple):
    """:param times: how many bugs in a row there were
    :param until: by the monotonic clock
    :param said: what is reported of it
    """

    times: int
    until: float
    said: Message


class Resting:
    """The hosts that rest, by their keys: for all passes of a worker."""

    def __init__(self) -> None:
        #: of each host, by what was done with it: that one thing goes well says nothing of another
        self._hosts: dict[int, dict[str, _Rest]] = {}

    def why(self, key: int) -> Message | None:
        """What is reported of a host that rests; None: it does not."""
        now = time.monotonic()
        rests = self._hosts.get(key, {}).values()
        return next((rest.said for rest in rests if now < rest.until), None)

    def begin(self, key: int, what: str, said: Message) -> None:
        of_host = self._hosts.setdefault(key, {})
        times = of_host[what].times + 1 if what in of_host else 1
        of_host[what] = _Rest(times, time.monotonic() + pause_after(times), said)

    def forget(self, key: int, what: str) -> bool:
        """This went well; whether all does by now."""
        of_host = self._hosts.get(key, {})
        of_host.pop(what, None)
        if not of_host:
            self._hosts.pop(key, None)
        return not of_host


class Guard:
    """Keeps a bug in what is done with one host from the others, for one pass.

    :ivar bug: what the worker fails on, in this pass or since an earlier one; None: nothing
    :ivar had_bug: whether there was a bug in this pass
    """

    def __init__(self, resting: Resting, clock: Callable[[], datetime]):
        self.resting = resting
        self.clock = clock
        self.bug: Message | None = None
        self.had_bug = False

    def do(self, run: Run, row: RunHost, step: Callable[[], None], what: str = STEP) -> None:
        """One step of one host, unless it rests.

        :param what: is done
        :raises PassOver, StaleState, ConfigurationError, CloudError: what they mean is for the
            caller to say; so it is of a database that is lost
        """
        said = self.resting.why(row.pk)
        if said is None:
            try:
                step()
            except _OF_THE_PASS:
                raise
            except Exception as error:
                said = self._note(run, row, what, in_words(error))
            else:
                if self.resting.forget(row.pk, what):
                    self._say_no_longer(run, row)
        self.bug = said or self.bug

    def keeps_from(self, row: RunHost) -> Message | None:
        """What is said of its run while a host rests that would begin; None: it does not rest."""
        said = self.resting.why(row.pk)
        self.bug = said or self.bug
        return said and message("worker_failed_on_run", detail=text(said.values["error"]))

    def _note(self, run: Run, row: RunHost, what: str, error: str) -> Message:
        LOG.exception("bug run=%s host=%s", run.pk, row.host)
        said = bug(message("run_host_named", run=run.pk, host=row.host), error)
        self.had_bug = True
        self.resting.begin(row.pk, what, said)
        try:
            self._say(run, row, on_host(error))
        except _OF_THE_PASS:
            raise
        except Exception:
            LOG.exception("bug run=%s host=%s", run.pk, row.host)
        return said

    def _say_no_longer(self, run: Run, row: RunHost) -> None:
        """The worker no longer fails on it."""
        if row.message is not None and row.message.code == on_host("").code:
            self._say(run, row, None)

    def _say(self, run: Run, row: RunHost, said: Message | None) -> None:
        # what is said of one that is over is how it ended
        if row.stage in STAGES_OVER or row.message == said:
            return
        with contextlib.suppress(StaleState):  # somebody else's change says more
            store.change_host(run, row, self.clock(), message=said)

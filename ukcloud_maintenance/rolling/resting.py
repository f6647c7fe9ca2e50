"""A bug in what is done with one host of a run: it is said of that host, which rests for a while,
and the other hosts of the run go on."""

import contextlib
import time
from collections.abc import Callable
from datetime import datetime

from .. import store
from ..core.bugs import bug, on_host, pause_after
from ..core.message import Message, message, text
from ..core.run.states import STAGES_OVER
from ..exceptions import CloudError, ConfigurationError, PassOver, StaleState
from ..log import LOG, in_words
from ..store import Run, RunHost

#: What is no bug of the host's: it has a meaning for the whole pass.
_OF_THE_PASS = (StaleState, PassOver, ConfigurationError, CloudError, *store.DATABASE_LOST)


class Resting:
    """The hosts that rest, by their keys and the monotonic clock: for all passes of a worker."""

    def __init__(self) -> None:
        #: how many bugs in a row there were, until when it rests, and what is reported of it
        self._hosts: dict[int, tuple[int, float, Message]] = {}

    def why(self, key: int) -> Message | None:
        """What is reported of a host that rests; None: it does not."""
        found = self._hosts.get(key)
        return found[2] if found is not None and time.monotonic() < found[1] else None

    def begin(self, key: int, said: Message) -> None:
        times = self._hosts[key][0] + 1 if key in self._hosts else 1
        self._hosts[key] = (times, time.monotonic() + pause_after(times), said)

    def forget(self, key: int) -> None:
        """It went well."""
        self._hosts.pop(key, None)


class Guard:
    """Keeps a bug in what is done with one host from the others, for one pass.

    :ivar problem: what the worker fails on, in this pass or since an earlier one; None: nothing
    :ivar had_bug: whether there was a bug in this pass
    """

    def __init__(self, resting: Resting, clock: Callable[[], datetime]):
        self.resting = resting
        self.clock = clock
        self.problem: Message | None = None
        self.had_bug = False

    def do(self, run: Run, row: RunHost, step: Callable[[], None]) -> None:
        """One step of one host, unless it rests.

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
                said = self._note(run, row, in_words(error))
            else:
                self.resting.forget(row.pk)
                self._say_no_longer(run, row)
        self.problem = said or self.problem

    def keeps_from(self, row: RunHost) -> Message | None:
        """What is said of its run while a host rests that would begin; None: it does not rest."""
        said = self.resting.why(row.pk)
        self.problem = said or self.problem
        return said and message("worker_failed_on_run", detail=text(said.values["error"]))

    def _note(self, run: Run, row: RunHost, error: str) -> Message:
        LOG.exception("bug run=%s host=%s", run.pk, row.host)
        said = bug(message("run_host_named", run=run.pk, host=row.host), error)
        self.had_bug = True
        self.resting.begin(row.pk, said)
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

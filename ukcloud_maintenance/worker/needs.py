"""Tells when instances of a drain come to need a person, once for all of them."""

import logging
from collections.abc import Sequence

from .. import store
from ..core.drain import Row
from ..core.drain.needs import in_need
from ..core.drain.telling import needs_you
from ..core.states import DRAIN_TERMINAL
from ..exceptions import StaleState
from ..log import log_event
from .asking import DrainPass


def tell_who_needs_you(at: DrainPass, rows: Sequence[Row]) -> None:
    """Record it in the drain, with what is told then; an end names those that are left itself.

    :param rows: as the pass left them
    """
    drain, now = at.drain, at.clock()
    if drain.state in DRAIN_TERMINAL:
        return
    found = in_need(rows, drain.state)
    ids = [row.id for _, row in found]
    still = [each for each in drain.needs_told if each in ids]
    said = needs_you(found, drain.needs_told, drain.needs_told_at, now)
    # of another pass that told meanwhile, this one stands back
    as_read = {"needs_told_at": drain.needs_told_at}
    try:
        if said is not None:
            event = at.event("needs_you", said)
            store.change_drain(
                drain, now, event=event, expect=as_read, needs_told=ids, needs_told_at=now
            )
            log_event(logging.WARNING, "needs_you", drain=drain.pk, host=drain.host, detail=said)
        elif len(still) < len(drain.needs_told):
            store.change_drain(drain, now, expect=as_read, needs_told=still)
    except StaleState as error:
        log_event(logging.INFO, "overtaken", drain=drain.pk, detail=error)

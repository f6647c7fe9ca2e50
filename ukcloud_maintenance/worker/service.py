"""The compute service of a drain's host: disabled, and enabled again where the drain is
cancelled."""

import logging

from .. import store
from ..core import drain as d
from ..log import log_event
from .asking import DrainPass, ask


def disable(at: DrainPass, action: d.Disable) -> None:
    """The reason is recorded first: a service that carries it is known to be ours."""
    drain = at.drain
    assert drain.maintenance is not None  # decide saw it
    # Before Nova is asked: a cancel that comes meanwhile, or an answer that gets lost, must
    # not hide that it was this drain.
    store.change_drain(drain, at.clock(), did_disable=True)
    store.intend_to_disable(drain.maintenance, action.reason)
    request_id = ask(at, None, lambda: at.cloud.disable_service(action.service_id, action.reason))
    now = at.clock()
    store.disabled(drain.maintenance, now)
    store.record(drain, None, now, "service_disabled", at.worker, action.reason, request_id)
    log_event(
        logging.INFO, "service_disabled", drain=drain.pk, host=drain.host, request_id=request_id
    )


def enable(at: DrainPass, action: d.Enable) -> None:
    """The service was disabled by us, and the drain is cancelled: enable it again."""
    drain = at.drain
    # Were it over, another one may need the service disabled.
    store.change_drain(drain, at.clock(), expect=store.cancel_choice(drain))
    request_id = ask(at, None, lambda: at.cloud.enable_service(action.service_id))
    store.record(drain, None, at.clock(), "service_enabled", at.worker, "", request_id)
    log_event(
        logging.INFO, "service_enabled", drain=drain.pk, host=drain.host, request_id=request_id
    )

"""How OpenStack is asked: every call bounded, every failure a `CloudError`, a change sent once."""

import copy
import re
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote

import requests
from keystoneauth1 import adapter, session
from keystoneauth1 import exceptions as ksa_exceptions

from ..core.message import Message, message
from ..core.printable import logger
from ..exceptions import (
    CloudAnswerUnusable,
    CloudAuthError,
    CloudBadRequest,
    CloudError,
    CloudUnreachable,
)
from .answers import dict_of, json_of, list_of, next_marker
from .errors import error_in, not_logged_in, remedy_of
from .http import PARALLEL, Bounds, Exchange, make_cuttable, side_by_side, watch
from .routes import Asked, asked
from .wire import version_key

LOG = logger(__name__)
MICROVERSION = "2.87"
#: The newest at which a list of servers has something more for us: pinned_availability_zone
#: (2.96), properties of the image (2.98).
NEWEST_FOR_SERVERS = "2.98"
#: All resource classes of a provider (1.27), and the tree it belongs to (1.29).
PLACEMENT_MICROVERSION = "1.29"
PAGE = 1000
#: A request for change is sent within so many seconds after it was found to be right, or not at
#: all: somebody else may have acted since.
WRITE_GOES_STALE = 5.0
#: A read waits for so many seconds where OpenStack asks for that; the caller for longer ones.
READ_WAITS = 5.0
#: By so many seconds the HTTP library's own timer is behind ours: one of the two has the word.
BEHIND = 1.0
GOES_ROUND = message("pages_go_round")
Same = TypeVar("Same", bound="Transport")


class Transport:
    """OpenStack, asked over a keystoneauth session: every call bounded, every error one of ours."""

    def __init__(
        self,
        ksa_session: session.Session,
        region: str,
        *,
        interface: str | list[str] = "public",
        timeout: float = 60,
        cloud_name: str = "",
    ):
        self.session = ksa_session
        self.region = region
        self.timeout = timeout
        self.cloud_name = cloud_name
        self._bounds = Bounds()
        self._before_write: Callable[[], None] = lambda: None
        # where keystoneauth asks for something by itself: a login, discovery
        ksa_session.timeout = timeout + BEHIND
        make_cuttable(ksa_session)
        common: dict[str, Any] = {
            "session": ksa_session,
            "region_name": region or None,
            "interface": interface,
            "raise_exc": False,
        }
        self._compute = adapter.Adapter(service_type="compute", **common)
        self._identity = adapter.Adapter(service_type="identity", **common)
        self._placement = adapter.Adapter(service_type="placement", **common)
        self._network = adapter.Adapter(service_type="network", **common)
        self._servers_at = MICROVERSION

    def within(self: Same, seconds: float, before_write: Callable[[], None] = lambda: None) -> Same:
        """The same cloud for one pass, which ends after so many seconds: what is read then is a
        :class:`CloudUnreachable`.

        :param before_write: called right before each request for change; what it raises keeps
            that from being sent
        """
        one = copy.copy(self)
        one._bounds = Bounds(seconds)
        one._before_write = before_write
        return one

    def use_newest_of(self, one: "Transport") -> None:
        """Ask as one of this cloud's passes (see :meth:`within`) what Nova offers, for it and
        for those to come: see :meth:`prefer_newest`."""
        self._servers_at = one.prefer_newest()

    def tell_of_requests(self, observer: Callable[[Asked], None]) -> None:
        """Tell of each request of this session, logins and discovery included, in the thread that
        made it."""
        watch(self.session, lambda *request: observer(asked(*request)))

    def stop(self) -> None:
        """End the pass that this one was made for (:meth:`within`): whatever it asks for from
        now on, or waits for, is a :class:`PassOver`; a request for change that is on its way is
        waited for."""
        self._bounds.stop()

    def log_in(self) -> None:
        """Make sure that the credentials are taken and that the region has a Nova."""
        self._guard(message("to_log_in"), self.session.get_token)
        self._compute_endpoint()

    def try_side_by_side(
        self, calls: Mapping[str, Callable[[], Any]], at_once: int = 2 * PARALLEL
    ) -> dict[str, Any]:
        """The results of several reads that go out at once; a failure is its value."""

        def attempt(call: Callable[[], Any]) -> Any:
            try:
                return call()
            except CloudError as error:
                return error

        attempts = [partial(attempt, call) for call in calls.values()]
        found = side_by_side(attempts, at_once)
        return dict(zip(calls, found, strict=True))

    def find_region(self) -> str:
        """The region of the Nova that is asked; where none was named, what the service catalogue
        calls it. No request but a login."""
        if self.region:
            return self.region
        what = message("to_find_service", name="Nova")
        found = self._guard(
            what,
            lambda: self.session.get_endpoint_data(
                service_type="compute", interface=self._compute.interface, discover_versions=False
            ),
        )
        return str(getattr(found, "region_name", None) or "")

    def _compute_endpoint(self) -> str:
        return self._endpoint(self._compute, "Nova")

    def _endpoint(self, api: adapter.Adapter, name: str) -> str:
        what = message("to_find_service", name=name)
        endpoint = self._guard(what, api.get_endpoint)
        if not endpoint:
            service = str(api.service_type)
            missing = message("no_endpoint", service=service)
            if self.region:
                missing = message("no_endpoint_in", service=service, region=self.region)
            raise CloudAuthError(what, missing, remedy=self._remedy("region"))
        return str(endpoint)

    def _guard(self, what: Message, call: Callable[[], Any], *, writes: bool = False) -> Any:
        """Call into keystoneauth, bounded, its exceptions translated.

        :param writes: it is a single request for change
        """
        bounds = self._bounds
        if bounds.left <= 0:
            detail = message("pass_over", seconds=round(bounds.seconds))
            raise CloudUnreachable(what, detail, sent=False)
        # Once a change is requested, its answer is waited for whatever the pass has left: it would
        # get lost for nothing.
        seconds = self.timeout if writes else min(self.timeout, bounds.left)
        begins_within = min(seconds, WRITE_GOES_STALE) if writes else seconds
        exchange = Exchange(time.monotonic() + begins_within)
        try:
            return bounds.run(call, exchange, seconds, stops=not writes)
        except TimeoutError as error:
            detail = message("no_complete_answer", seconds=round(seconds))
            raise CloudUnreachable(what, detail, sent=exchange.sent) from error
        except ksa_exceptions.http.HttpError as error:
            raise not_logged_in(what, error, self.cloud_name) from error
        except (
            ksa_exceptions.AuthorizationFailure,
            ksa_exceptions.AuthPluginException,
            ksa_exceptions.MissingAuthMethods,
        ) as error:
            raise CloudAuthError(what, str(error), remedy=self._remedy("credentials")) from error
        except ksa_exceptions.EmptyCatalog as error:
            raise CloudAuthError(what, str(error), remedy=self._remedy("scope")) from error
        except ksa_exceptions.CatalogException as error:
            raise CloudAuthError(what, str(error), remedy=self._remedy("region")) from error
        except (ksa_exceptions.ClientException, requests.RequestException) as error:
            # keystoneauth wraps what discovery finds in texts of its own
            untrusted = "CERTIFICATE_VERIFY_FAILED" in str(error)
            remedy = self._remedy("certificate") if untrusted else None
            raise CloudUnreachable(
                what, str(error), remedy=remedy, sent=exchange.sent and not untrusted
            ) from error
        except OSError as error:
            # of a file that the settings name: those of the network are wrapped
            remedy = self._remedy("file")
            raise CloudUnreachable(what, str(error), remedy=remedy, sent=exchange.sent) from error

    def _remedy(self, about: str) -> Message:
        return remedy_of(about, self.cloud_name)

    def _send(
        self, api: adapter.Adapter, what: Message, method: str, path: str, **more: Any
    ) -> requests.Response:
        """Read something. Where OpenStack is busy for a moment, that is waited for."""
        until = time.monotonic() + self.timeout
        while True:
            error: CloudError | None = None
            try:
                answer: requests.Response = self._guard(
                    what, lambda: api.request(path, method, timeout=self.timeout + BEHIND, **more)
                )
            except CloudError as caught:
                error = caught
            else:
                error = self._error_in(answer, api, what)
            if error is None:
                return answer
            waits = error.retry_after
            if waits is None or waits > READ_WAITS or time.monotonic() + waits > until:
                raise error
            # not at once, whatever it says
            self._bounds.pause(max(waits, 0.2))

    def _write(
        self,
        what: Message,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        placement: bool = False,
    ) -> requests.Response:
        """Ask Nova, or Placement, for a change: sent once at most, whatever becomes of it.

        keystoneauth would log in and send it again after a 401, and follow redirects; by then
        somebody else may have done what was asked, and more.

        :raises CloudError: `sent` is false where it did not get there
        """
        began = time.monotonic()
        api = self._placement if placement else self._compute
        try:
            headers = self._guard(message("to_log_in"), self.session.get_auth_headers)
            endpoint = self._endpoint(api, "Placement" if placement else "Nova")
            url = endpoint.rstrip("/") + path
        except CloudError as error:
            error.sent = False
            raise
        self._before_write()
        if time.monotonic() - began > WRITE_GOES_STALE:
            raise CloudUnreachable(what, message("login_took_too_long"), sent=False)
        answer = self._guard(
            what,
            lambda: api.request(
                url,
                method,
                timeout=self.timeout + BEHIND,
                microversion=PLACEMENT_MICROVERSION if placement else MICROVERSION,
                headers=headers,
                authenticated=False,
                allow_reauth=False,
                redirect=False,
                connect_retries=0,
                status_code_retries=0,
                **({"json": body} if body is not None else {}),
            ),
            writes=True,
        )
        if refusal := self._error_in(answer, api, what):
            if refusal.status == 401:
                self.session.invalidate()  # the next read logs in
            raise refusal
        if answer.status_code >= 300:
            where = answer.headers.get("Location")
            raise CloudBadRequest(
                what,
                message("sent_on", where=where) if where else message("sent_elsewhere"),
                status=answer.status_code,
                remedy=message("correct_endpoint", service=str(api.service_type)),
            )
        return answer

    def _error_in(
        self, answer: requests.Response | None, api: adapter.Adapter, what: Message
    ) -> CloudError | None:
        """The error that an answer is, or None."""
        return error_in(
            answer,
            what,
            service=str(api.service_type),
            microversion=PLACEMENT_MICROVERSION if api is self._placement else MICROVERSION,
            cloud_name=self.cloud_name,
        )

    def _request(
        self, what: Message, method: str, path: str, microversion: str = MICROVERSION
    ) -> requests.Response:
        return self._send(self._compute, what, method, path, microversion=microversion)

    def _get(self, what: Message, path: str, microversion: str = MICROVERSION) -> Any:
        return json_of(self._request(what, "GET", path, microversion=microversion), what)

    def _pages(
        self,
        what: Message,
        path: str,
        query: dict[str, str],
        key: str,
        microversion: str = MICROVERSION,
        *,
        at_most: int | None = None,
        page: int = PAGE,
        links: str = "",
    ) -> Iterator[dict[str, Any]]:
        """The items of a list of Nova's, page by page as its links say: how long a page is, is
        up to Nova (`[api] max_limit`). A marker that comes again ends in an error.

        :param at_most: how many of the first are wanted; None: all
        :param page: how many are asked for at once, at most
        :param links: where the answer has its links, if not in `<key>_links`
        """
        left = at_most
        marker = ""
        seen: set[str] = set()
        while True:
            limit = page if left is None else min(left, page)
            params = {**query, "limit": str(limit)} | ({"marker": marker} if marker else {})
            text = "&".join(f"{quote(k)}={quote(v, safe='')}" for k, v in params.items())
            body = self._get(what, f"{path}?{text}", microversion)
            items = list_of(body, key, what)[:left]
            yield from items
            left = None if left is None else left - len(items)
            marker = next_marker(body.get(links or f"{key}_links"))
            if not marker or left == 0:
                return
            if marker in seen:
                raise CloudAnswerUnusable(what, GOES_ROUND)
            seen.add(marker)

    @property
    def servers_at(self) -> str:
        """The microversion at which servers are listed: what they tell depends on it."""
        return self._servers_at

    def prefer_newest(self) -> str:
        """Ask Nova what it offers, and list servers at the newest microversion that tells us more
        from now on; the microversion. One request.

        Where Nova does not say, nothing changes: what is newer stays not known.
        """
        what = message("to_read_microversions")
        try:
            endpoint = str(self._guard(what, self._compute.get_endpoint) or "")
            # a project's id may end the endpoint of an old catalogue
            root = re.sub(r"(/v2(\.\d+)?)(/[^/]*)?/*$", r"\1/", endpoint)
            answer = self._send(self._compute, what, "GET", root)
            offered = str(dict_of(json_of(answer, what), "version", what).get("version") or "")
        except CloudError as error:
            LOG.info("%s", error)
            return self._servers_at
        self._servers_at = max(
            MICROVERSION, min(offered, NEWEST_FOR_SERVERS, key=version_key), key=version_key
        )
        return self._servers_at

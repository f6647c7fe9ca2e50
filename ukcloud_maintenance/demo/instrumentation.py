"""The one WSGI application of the demo cloud: dispatches by path prefix."""

from __future__ import annotations

import threading


class TokenCache:
    """What ``keystonemiddleware`` wants of a cache that it finds in the WSGI environment."""

    def __init__(self):
        self._values = {}
        self._lock = threading.Lock()

    def get(self, key):
        return self._values.get(key)

    def set(self, key, value, **_ignored):
        with self._lock:
            if len(self._values) > 1000:
                self._values.clear()
            self._values[key] = value


class Instrumentation:
    def __init__(self, plane):
        self._plane = plane
        self._tokens = TokenCache()

    def gateway_class(self):
        from cheroot import wsgi

        return wsgi.Gateway_10

    def __call__(self, environ, start_response):
        path = environ.get("PATH_INFO", "")
        prefix = "/" + path.split("/", 2)[1]
        application = self._plane.applications.get(prefix)
        if application is None:
            start_response("404 Not Found", [("Content-Length", "0")])
            return [b""]
        environ["SCRIPT_NAME"] = prefix
        environ["PATH_INFO"] = path[len(prefix) :]
        environ["demo.token_cache"] = self._tokens
        return application(environ, start_response)

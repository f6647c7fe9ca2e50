"""The gate of alerts, against servers that say they are a Prometheus."""

from urllib.parse import parse_qs, urlsplit

import pytest

from tests.actions.servers import answer, closed, drips, raw, serving, silent
from tests.said import raises
from ukcloud_maintenance.actions.alerts import firing, holding
from ukcloud_maintenance.exceptions import AlertsUnknown
from ukcloud_maintenance.messages import english
from ukcloud_maintenance.settings.actions import Alerts, read_alerts


def of(url: str, **more) -> Alerts:
    found = read_alerts({"url": url, "timeout": 5, **more})
    assert found
    return found


def vector(*metrics: dict[str, str], value: str = "1", **more):
    result = [{"metric": metric, "value": [1700000000.1, value]} for metric in metrics]
    return success("vector", result, **more)


def success(kind: str, result, **more):
    return {"status": "success", "data": {"resultType": kind, "result": result}, **more}


def test_what_is_asked():
    with serving(answer(200, vector())) as server:
        alerts = of(f"{server.url}/prometheus/", headers={"Authorization": "Bearer t0ken"})
        assert firing(alerts) == []
    [sent] = server.sent
    asked = urlsplit(sent.path)
    assert (sent.method, asked.path) == ("GET", "/prometheus/api/v1/query")
    assert parse_qs(asked.query) == {"query": ['ALERTS{alertstate="firing",severity="critical"}']}
    assert sent.headers["Authorization"] == "Bearer t0ken"


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (vector(), []),
        (vector({"alertname": "HostDown", "instance": "cmp3:9100"}), ["HostDown (cmp3:9100)"]),
        (vector({"alertname": "HostDown", "host": "cmp3"}), ["HostDown (cmp3)"]),
        (vector({"alertname": "CephHealth"}), ["CephHealth"]),
        (vector({"__name__": "up", "instance": "cmp3"}, value="0"), ["up (cmp3)"]),
        (vector({"job": "node", "az": "a"}), ["az=a, job=node"]),
        (vector({}), ["?"]),
        (vector({"alertname": "A"}, {"alertname": "A"}), ["A"]),
        (vector({"alertname": "a\x1b[31m\n\u202eb"}), [r"a\x1b[31m \u202eb"]),
        (success("vector", [None, {"metric": 1}]), ["?"]),
        (success("scalar", [1700000000, "0"]), []),
        (success("scalar", [1700000000, "-0"]), []),
        (success("scalar", [1700000000, "3"]), ["3"]),
        (success("scalar", [1700000000, "+Inf"]), ["inf"]),
        (vector(infos=["may not be a counter"]), []),
    ],
)
def test_what_fires(content, names):
    with serving(answer(200, content)) as server:
        assert firing(of(server.url)) == names


def test_six_are_named_and_how_many_more_there_are():
    with serving(answer(200, vector(*({"alertname": f"A{n}"} for n in range(9))))) as server:
        found = firing(of(server.url))
    said = english(holding(found))
    assert said.startswith("Alerts are firing: A0, A1, A2, A3, A4, A5, and 3 more.")


def test_a_name_is_not_endless():
    with serving(answer(200, vector({"alertname": "x" * 100_000}))) as server:
        [name] = firing(of(server.url))
    assert len(name) < 120


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (answer(200, success("scalar", [1, "NaN"])), "neither a vector nor a scalar"),
        (answer(200, success("scalar", [1, "x"])), "neither a vector nor a scalar"),
        (answer(200, success("string", [1, "0"])), r"neither .*\(string\)"),
        (answer(200, success("matrix", [])), r"neither .*\(matrix\)"),
        (answer(200, success("vector", {})), "neither a vector nor a scalar"),
        (answer(200, success("vector", None)), "neither a vector nor a scalar"),
        (answer(200, vector(warnings=["store 7 is\x1b down"])), r"lack something: store 7 is\\x1b"),
        (answer(200, {"status": "success"}), "not one of Prometheus"),
        (answer(200, {"status": "success", "data": []}), "not one of Prometheus"),
        (answer(200, {"data": vector()["data"]}), "not one of Prometheus"),
        (answer(200, []), "not one of Prometheus"),
        (answer(200, b"<html>log in</html>"), "not one of Prometheus"),
        (answer(200, b'{"status": "success", "data": {"resultType"'), "not one of Prometheus"),
        (answer(200, b"[" * 999_999), "not one of Prometheus"),
        (answer(204, b""), "HTTP status 204"),
        (
            answer(400, {"status": "error", "error": 'parse error: unexpected "}"'}),
            "refused the query: parse error",
        ),
        (answer(200, {"status": "error", "error": "timed out"}), "refused the query: timed out"),
        (answer(401, b""), "HTTP status 401"),
        (answer(503, b"Service Unavailable"), "HTTP status 503"),
        (answer(302, b"", Location="/login"), "redirects"),
        (answer(500, vector()), "HTTP status 500"),
    ],
)
def test_everything_else_is_no_answer(given, words):
    with (
        serving(given) as server,
        raises(AlertsUnknown, f"could not be read from {server.url}.*{words}"),
    ):
        firing(of(server.url))
    assert len(server.sent) == 1


def test_a_huge_answer_is_no_answer():
    many = [{"alertname": f"A{n}", "pad": "x" * 1000} for n in range(9000)]
    with serving(answer(200, vector(*many))) as server, raises(AlertsUnknown, "too large"):
        firing(of(server.url))


def test_no_server():
    with raises(AlertsUnknown, "no connection could be made"):
        firing(of(closed()))


@pytest.mark.parametrize(
    "serve",
    [silent, drips(b"HTTP/1.1 200 OK\r\nX: "), drips(b"HTTP/1.1 200 OK\r\n\r\n")],
    ids=["silent", "header", "body"],
)
def test_one_that_never_ends_is_not_waited_for(serve):
    with raw(serve) as url, raises(AlertsUnknown, "could not be read"):
        firing(of(url, timeout=0.5))


def test_no_secret_is_in_what_is_said_or_shown():
    alerts = of("http://me:pass-word@127.0.0.1:1/t0ken", headers={"X-Scope": "h3ader"})
    with pytest.raises(AlertsUnknown) as caught:
        firing(alerts)
    shown = repr(alerts) + str(caught.value) + english(caught.value.said)
    assert "http://127.0.0.1:1" in shown
    assert not any(secret in shown for secret in ("pass-word", "t0ken", "h3ader"))
    assert caught.value.__cause__ is None


def test_a_key_is_not_quoted_where_it_is_repeated():
    words = {"status": "error", "error": "no tenant T0KEN-of-mine, nor h3ader-of-mine"}
    with serving(answer(422, words)) as server:
        alerts = of(f"{server.url}/T0KEN-of-mine", headers={"X-Scope": "h3ader-of-mine"})
        with pytest.raises(AlertsUnknown) as caught:
            firing(alerts)
    assert "no tenant ***, nor ***" in english(caught.value.said)

"""What fires in a region, read from the HTTP API of a Prometheus (or what speaks it: Thanos,
Mimir, VictoriaMetrics).

The query is a PromQL expression that must be empty, as kured has it. What is answered counts so:

- a vector: each of its samples fires, whatever its value; ``up == 0`` gives samples with the value
  0, and means what it says;
- a scalar: 0 is clear, any other number fires; NaN, which is what ``scalar()`` makes of nothing, is
  no answer;
- everything else is no answer. Nor is one with warnings: a Thanos whose stores do not all answer
  says "success", and leaves out what it could not read.

Without an answer it is not known whether anything fires, and :class:`AlertsUnknown` is raised.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..core.message import Message, message, some
from ..core.printable import printable
from ..exceptions import AlertsUnknown
from ..settings.actions import Alerts
from .http import NoReply, ask, named, without_secrets

#: Alerts that are named, characters of one and of what a Prometheus says, and bytes of an answer.
NAMED, LENGTH, QUOTED, READ = 6, 100, 300, 8 * 1024 * 1024


def firing(alerts: Alerts) -> list[Message | str]:
    """The names of what fires: six at most, then how many more; empty where nothing does.

    :raises AlertsUnknown: there was no answer, or none that can be relied upon
    """
    return list(some(_names(_data(alerts), alerts), NAMED))


def holding(names: Sequence[Message | str]) -> Message:
    """That nothing is begun because of what fires."""
    return message("alerts_firing", alerts=names)


def _data(alerts: Alerts) -> Mapping[str, Any]:
    """The part of the answer that has the result."""
    url = f"{alerts.url.rstrip('/')}/api/v1/query"
    headers = {"User-Agent": "ukcloud-maintenance", "Accept": "application/json", **alerts.headers}
    query = {"query": alerts.query}
    try:
        reply = ask("GET", url, headers=headers, query=query, seconds=alerts.timeout, limit=READ)
    except NoReply as error:
        raise _unknown(alerts, error.why) from None
    if 300 <= reply.status < 400:
        raise _unknown(alerts, message("answer_redirects", status=reply.status))
    try:
        content = json.loads(reply.body) if reply.whole else None
    except (ValueError, RecursionError):
        content = None
    said = content if isinstance(content, dict) else {}
    # it says why with 400 and 422
    if said.get("status") == "error":
        raise _unknown(
            alerts, message("prometheus_refused", words=_quoted(alerts, said.get("error")))
        )
    if reply.status != 200:
        raise _unknown(alerts, message("answer_status", status=reply.status))
    if not reply.whole:
        raise _unknown(alerts, message("answer_incomplete"))
    if said.get("status") != "success" or not isinstance(said.get("data"), dict):
        raise _unknown(alerts, message("answer_not_prometheus"))
    if warnings := said.get("warnings"):
        first = warnings[0] if isinstance(warnings, list) else warnings
        raise _unknown(alerts, message("prometheus_warns", words=_quoted(alerts, first)))
    found: dict[str, Any] = said["data"]
    return found


def _names(data: Mapping[str, Any], alerts: Alerts) -> list[str]:
    kind, result = data.get("resultType"), data.get("result")
    if kind == "vector" and isinstance(result, list):
        return sorted({_name(one) for one in result})
    if kind == "scalar" and isinstance(result, list) and len(result) == 2:
        try:
            value = float(result[1])
        except (TypeError, ValueError):
            value = math.nan
        if not math.isnan(value):
            return [f"{value:g}"] if value else []
    raise _unknown(alerts, message("answer_no_vector", kind=_quoted(alerts, kind)))


def _name(sample: Any) -> str:
    """Its alert and instance, otherwise what labels it has."""
    labels = sample.get("metric") if isinstance(sample, dict) else None
    if not isinstance(labels, dict):
        return "?"
    name = labels.get("alertname") or labels.get("__name__")
    if not name:
        name = ", ".join(f"{key}={labels[key]}" for key in sorted(labels)) or "?"
    elif where := labels.get("instance") or labels.get("host"):
        name = f"{name} ({where})"
    return _short(name, LENGTH)


def _quoted(alerts: Alerts, said: object) -> str:
    words = "" if said is None else str(said)
    return _short(without_secrets(words, [alerts.url], alerts.headers), QUOTED)


def _short(said: object, length: int) -> str:
    line = printable(" ".join(str(said)[: 10 * length].split()))
    return line if len(line) <= length else f"{line[:length]}..."


def _unknown(alerts: Alerts, why: Message) -> AlertsUnknown:
    return AlertsUnknown(message("alerts_unknown", server=named(alerts.url), why=why))

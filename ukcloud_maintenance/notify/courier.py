"""Hands one notice to one receiver: a program of its own, which nothing of the worker shares.

It reads what to send from its standard input, so that no address is seen among the processes; its
own clock ends it, whatever the receiver does and whatever became of the worker; and what Apprise
would log, with the address in it, is written nowhere. All that it tells is one JSON object on its
standard output.
"""

import json
import logging
import os
import signal
import sys
from typing import Any

#: How long a web server may take for a connection, in seconds.
CONNECT_SECONDS = 10


def post(order: dict[str, Any]) -> dict[str, Any]:
    """Send a webhook its request."""
    import requests

    with requests.post(
        order["url"],
        data=order["content"].encode(),
        headers=order["headers"],
        timeout=(CONNECT_SECONDS, order["seconds"]),
        allow_redirects=False,
        stream=True,  # the answer is its status; the rest is not read
    ) as answer:
        return {"status": answer.status_code}


def notify(order: dict[str, Any]) -> dict[str, Any]:
    """Let Apprise tell somebody."""
    import apprise

    logging.disable(logging.CRITICAL)
    to = apprise.Apprise(asset=apprise.AppriseAsset(app_id="Hypervisor maintenance"))
    if not to.add(order["url"]):
        return {"unknown": True}
    taken = to.notify(
        title=order["title"], body=order["body"], notify_type=order["tone"], body_format="text"
    )
    return {"taken": bool(taken)}


def main() -> None:
    order = json.load(sys.stdin)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer: who was told would be told again
    signal.alarm(order["seconds"])
    try:
        answer = post(order) if "content" in order else notify(order)
    except Exception as error:
        # nothing but its kind: what it says has the address in it
        answer = {"fault": type(error).__name__}
    print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()

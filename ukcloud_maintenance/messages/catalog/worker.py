"""What a worker reports of itself."""

from collections.abc import Mapping

from ..template import Template

TEMPLATES: Mapping[str, Template] = {
    "maintenance_of": Template("the maintenance of {host}"),
    "worker_bug": Template(
        "The worker failed on {of}: {error}",
        remedy="Report this fault with the worker's log; the worker tries again.",
    ),
    "pass_abandoned": Template(
        "A pass over {of} has not ended after {seconds:duration}, and was abandoned.",
        remedy="Look at the worker's log.",
    ),
    "not_claimed": Template(
        "What is due could not be read for a fault of the worker.",
        remedy="Report this fault with the worker's log.",
    ),
    "database_silent": Template("The database has not answered the worker for a long time."),
}

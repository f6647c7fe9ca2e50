"""What messages of all rooms are put together of."""

from ...core.message import LINES, SEVERAL, TEXT
from ..template import Template

TEMPLATES = {
    TEXT: Template(
        "{text}", cause="Words from before messages had codes, or somebody else's, to the letter."
    ),
    SEVERAL: Template("{parts:sentences}", cause="Several messages, one behind the other."),
    LINES: Template("{first}{rest:lines}", cause="Several messages, a line each."),
    "none_available": Template("none", cause="A list of what there is has nothing in it."),
    "and_more": Template(
        "and {count} more",
        plural="and {count} more",
        cause="A list names a few things, and says how many there are beyond.",
    ),
}

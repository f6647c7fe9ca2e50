"""All templates, by code."""

from collections.abc import Mapping

from ..core.message import TEXT
from .template import Template

_COMMON = {
    TEXT: Template(
        "{text}",
        cause="Words from before messages had codes, or of somebody else.",
    ),
}

TEMPLATES: Mapping[str, Template] = {**_COMMON}

"""What is said of the preflight."""

from collections.abc import Mapping

from ..template import Template

TEMPLATES: Mapping[str, Template] = {}

"""What is said of requests that are refused."""

from collections.abc import Mapping

from ..template import Template

TEMPLATES: Mapping[str, Template] = {}

"""What is said of requests to OpenStack that went wrong."""

from collections.abc import Mapping

from ..template import Template

TEMPLATES: Mapping[str, Template] = {}

"""What is said of a host: whether it is empty, its certificate, its return, the evidence."""

from collections.abc import Mapping

from ..template import Template

TEMPLATES: Mapping[str, Template] = {}

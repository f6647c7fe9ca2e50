"""What is said of a drain, its instances and its events."""

from collections.abc import Mapping

from ..template import Template

TEMPLATES: Mapping[str, Template] = {}

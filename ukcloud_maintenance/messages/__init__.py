"""Every sentence of the product: templates by code, and how they are filled in.

`core` and the layers around it say what there is to say as codes and values (`core.message`);
here, and nowhere else, that becomes text, in the language that Django has active.
"""

from .catalog import TEMPLATES
from .rendering import (
    ENGLISH,
    Formats,
    document,
    documents,
    english,
    english_remedy,
    remedy_of,
    render,
    to_the_second,
)
from .template import Template

__all__ = [
    "ENGLISH",
    "TEMPLATES",
    "Formats",
    "Template",
    "document",
    "documents",
    "english",
    "english_remedy",
    "remedy_of",
    "render",
    "to_the_second",
]

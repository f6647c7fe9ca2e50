"""What a sentence looks like before its values are filled in."""

from dataclasses import dataclass
from string import Formatter

#: How a value can be written: ``{seconds:duration}``. Without one: as it is, and lists with commas.
#: Of messages: ``inline`` without their full stop; lists of them with semicolons (``clauses``), as
#: ``sentences`` one behind the other, or as ``lines``. A ``word`` is one of ours, and translated.
SPECS = frozenset(
    {
        *("", "duration", "time", "size", "rate", "percent", "word"),
        *("inline", "clauses", "sentences", "lines"),
    }
)


@dataclass(frozen=True)
class Template:
    """A sentence or two with named values in braces.

    :param text: in English, marked for translators; ``{name:spec}`` with one of `SPECS`
    :param plural: the same for other numbers than one; the number is the value `count`
    :param remedy: what the reader can do about it, as a sentence of its own, or empty
    :param cause: for the documentation alone: when this is said, where the text leaves it open
    """

    text: str
    plural: str = ""
    remedy: str = ""
    cause: str = ""

    @property
    def names(self) -> frozenset[str]:
        """The values that it needs."""
        found = {name for name, _spec in fields(self.text + self.plural + self.remedy)}
        return frozenset(found | ({"count"} if self.plural else set()))


def fields(text: str) -> set[tuple[str, str]]:
    """(name, spec) of every value in a text.

    :raises ValueError: a brace that is not closed, or a name with anything but a name in it
    """
    found = set()
    for _literal, name, spec, conversion in Formatter().parse(text):
        if name is None:
            continue
        if not name.isidentifier() or conversion or (spec or "") not in SPECS:
            raise ValueError(f"{{{name}:{spec}}} in {text!r}")
        found.add((name, spec or ""))
    return found

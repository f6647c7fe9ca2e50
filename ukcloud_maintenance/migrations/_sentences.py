"""English sentences of before messages had codes, as messages; and back.

Frozen with the migration that uses it: `_sentences.json` holds the templates as they were then.
"""

import json
import re
from pathlib import Path
from string import Formatter

#: code: [text, plural, remedy]
TABLE = json.loads(Path(__file__).with_name("_sentences.json").read_text())
STATES = "pending|submitted|migrating|confirming|succeeded|failed|gone|stays|skipped|blocked"
_OF_INSTANCE = re.compile(rf"(.+?) \(({STATES}|cancelled|unknown)\)(?:: (.*))?", re.S)
_NOT_OF_DRAIN = re.compile(r"(.+) \(([A-Z_]+)\): it is not part of the drain\.")
_SENTENCE = re.compile(r".*?[.?](?= |$)|.+", re.S)
#: What a value looks like that is written in a way of its own.
_WRITTEN = {
    "duration": r"\d+ s",
    "time": r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:Z| UTC)",
    "size": r"[\d.]+ [KMG]iB",
}
_UNITS = {"KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
#: Values that can be messages themselves.
_NESTED = frozenset(
    {"who", "place", "dest", "host", "status", "record", "why", "what", "where", "look", "detail"}
)


def dumps(message):
    """As the column holds it; an empty text for none."""
    return json.dumps(message, ensure_ascii=False) if message is not None else ""


def loads(text):
    """What :func:`dumps` wrote, or None; a text that it did not write is one of the code `text`."""
    if not text:
        return None
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    return found if _is_message(found) else _text(text)


def is_stored(text):
    """Whether a text is what :func:`dumps` wrote, of a code that is known here."""
    found = loads(text) if text.startswith("{") else None
    return found is not None and found["code"] in TABLE and dumps(found) == text


def _is_message(found):
    return isinstance(found, dict) and found.keys() == {"code", "values"}


def _text(words):
    return {"code": "text", "values": {"text": words}}


def _pieces(text):
    for literal, name, spec, _conversion in Formatter().parse(text):
        yield literal, name, spec or ""


class _Entry:
    """One template as what matches it. A value at its end takes the rest, or is left out."""

    def __init__(self, code, text, count):
        self.code, self.count = code, count
        self.specs = {}
        self.optional = []
        pieces = list(_pieces(text))
        trailing = []  # values at the end, with nothing but blanks between them
        while len(pieces) > 1 and pieces[-1][1] and pieces[-1][0] == " ":
            trailing.insert(0, pieces.pop()[1])
        pattern, seen = "", set()
        for place, (literal, name, spec) in enumerate(pieces):
            pattern += re.escape(literal)
            if name is None:
                continue
            self.specs[name] = spec
            if name in seen:
                pattern += f"(?P={name})"
                continue
            seen.add(name)
            at_end = place == len(pieces) - 1
            if at_end and literal.endswith(" "):
                *self.optional, takes_the_rest = [name, *trailing]
                pattern = pattern[: -len(re.escape(" "))] + f"(?: (?P<{takes_the_rest}>.+))?"
            elif at_end:
                pattern += f"(?P<{name}>.+)"
            elif name in _NESTED:
                pattern += f"(?P<{name}>.+?)"
            elif name in ("done", "total", "count"):
                pattern += rf"(?P<{name}>\d+)"
            else:
                pattern += f"(?P<{name}>{_WRITTEN.get(spec, '(?:(?![.?:;] ).)+?')})"
        self.literals = sum(len(literal) for literal, _name, _spec in pieces)
        self.head = pieces[0][0]
        self.names = seen
        self.regex = re.compile(pattern + r"(?= |$)", re.S)

    def message(self, found):
        values = dict.fromkeys(self.optional)
        for name, value in found.groupdict().items():
            values[name] = self._value(name, value)
        if self.count is not None and "count" not in values:
            values["count"] = self.count
        return {"code": self.code, "values": values}

    def _value(self, name, value):
        if value is None:
            return None
        spec = self.specs.get(name, "")
        if spec == "duration":
            return int(value.split()[0])
        if spec == "size":
            number, unit = value.split()
            return round(float(number) * _UNITS[unit])
        if name in ("done", "total", "count") and value.isdecimal():
            return int(value)
        return _nested(value) if name in _NESTED else value


def _entries():
    for code, (text, plural, remedy) in TABLE.items():
        for form, count in ((text, 1), (plural, 2)) if plural else ((text, None),):
            whole = f"{form} {remedy}" if remedy else form
            if re.sub(r"\{[^}]*\}", "", whole).strip(" .,:;()"):
                yield _Entry(code, whole, count)


_ALL = sorted(_entries(), key=lambda entry: -entry.literals)
#: Those that a sentence can be recognized by, and those that only stand in others.
_SENTENCES = [
    entry
    for entry in _ALL
    if (len(entry.head) >= 4 and entry.head[0].isupper()) or "done" in entry.names
]
_INNER = [entry for entry in _ALL if entry.head and len(entry.head) >= 4]


def _nested(value):
    for entry in _INNER:
        found = entry.regex.fullmatch(value)
        if found:
            return entry.message(found)
    found = _paragraph(value)
    return value if found["code"] == "text" else found


def _paragraph(text):
    parts, at = [], 0
    while at < len(text):
        for entry in _SENTENCES:
            found = entry.regex.match(text, at)
            if found:
                parts.append(entry.message(found))
                break
        else:
            found = _SENTENCE.match(text, at)
            if parts and parts[-1]["code"] == "text":
                parts[-1] = _text(f"{parts[-1]['values']['text']} {found[0]}")
            else:
                parts.append(_text(found[0]))
        at = found.end() + 1
    if len(parts) == 1:
        return parts[0]
    return {"code": "several", "values": {"parts": parts}}


def _line(line):
    if found := _OF_INSTANCE.fullmatch(line):
        name, state, why = found.groups()
        if why is None:
            return {
                "code": "instance_left_without_reason",
                "values": {"name": name, "state": state},
            }
        values = {"name": name, "state": state, "why": _paragraph(why)}
        return {"code": "instance_left", "values": values}
    if found := _NOT_OF_DRAIN.fullmatch(line):
        values = {"name": found[1], "status": found[2]}
        return {"code": "instance_not_of_drain", "values": values}
    return _paragraph(line)


def to_message(text):
    """A text of the record as a message; whatever is not recognized is one of the code `text`,
    to the letter."""
    first, *rest = text.split("\n")
    if rest:
        values = {"first": _paragraph(first), "rest": [_line(line) for line in rest]}
        found = {"code": "lines", "values": values}
    else:
        found = _paragraph(first)
    return found if to_text(found) == text else _text(text)


def to_text(message):
    """A message in English, as far as the templates of this migration know it."""
    code, values = message["code"], message["values"]
    if code == "text":
        return str(values["text"])
    if code not in TABLE:
        told = "; ".join(f"{name}: {_written(v, '')}" for name, v in sorted(values.items()))
        return f"{code} ({told})" if told else code
    text, plural, remedy = TABLE[code]
    said = plural if plural and values.get("count") != 1 else text
    said = f"{said} {remedy}" if remedy else said
    out = ""
    for literal, name, spec in _pieces(said):
        out += literal
        if name is not None:
            written = _written(values.get(name), spec)
            out = out.removesuffix(" ") if not written else out + written
    return out.strip()


def _written(value, spec):
    if value is None:
        return ""
    if isinstance(value, dict):
        said = to_text(value)
        return said.rstrip(".") if spec == "inline" else said
    if isinstance(value, list):
        several = [_written(each, "inline" if spec == "clauses" else "") for each in value]
        if spec == "lines":
            return "".join(f"\n{' '.join(line.split())}" for line in several)
        between = {"clauses": "; ", "sentences": " "}.get(spec, ", ")
        return between.join(filter(None, several))
    if spec == "duration" and isinstance(value, int):
        return f"{value} s"
    if spec == "size" and isinstance(value, int):
        return f"{value / 1024**3:.4g} GiB" if value >= 1024**3 else f"{value / 1024**2:.4g} MiB"
    return str(value)

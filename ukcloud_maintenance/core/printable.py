"""What others wrote, made fit for a terminal, a log or a spreadsheet. Pure.

Names, reasons and faults come from whoever may name a server, lock one or disable a service. An
escape sequence in one of them clears a terminal, a line break forges a line of a log, a bidi
override turns a name round, and a spreadsheet runs what begins like a formula. Pages have
templates for that; everything else that is written passes one of these functions.
"""

import logging
import re

#: What a spreadsheet takes for the beginning of a formula (OWASP, "CSV Injection"), the full-width
#: forms among it, at the beginning of a cell or behind what a spreadsheet with other settings
#: takes for the end of one. Blanks and quotes before it do not keep it from that.
_FORMULA = re.compile(r"""(^|[;,|\n])(?=[\s"']*[=+\-@\uff1d\uff0b\uff0d\uff20])|^(?=[\t\r\n])""")


def printable(text: object, keep: str = "") -> str:
    """The text with everything that is not printable written as an escape, e.g. ``\\x1b``.

    Not printable is what `str.isprintable` says: control characters (C0, DEL, C1), line and
    paragraph separators, format characters (bidi controls, zero-width ones, tags), blanks but for
    the ASCII one, lone surrogates, and what Unicode has not assigned. A backslash stays what it
    is: the result is for people, and made printable twice it is the same.

    :param keep: characters that stay as they are, e.g. line breaks that are ours
    """
    text = str(text)
    if text.isprintable():
        return text
    return "".join(
        one
        if one.isprintable() or one in keep
        else one.encode("ascii", "backslashreplace").decode()
        if one > "\x7f"
        else _SHORT.get(one) or f"\\x{ord(one):02x}"
        for one in text
    )


_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def cell(value: object) -> object:
    """A value as it stands in a cell of a CSV file.

    A text is made printable but for its line breaks. Where a spreadsheet could take it, or a part
    of it, for a formula, an apostrophe makes it the text that it is.
    """
    if not isinstance(value, str):
        return "" if value is None else value
    text = _FORMULA.sub(lambda found: f"{found[0]}'", value.replace("\r\n", "\n"))
    return printable(text, keep="\n")


class _Printable(logging.Filter):
    """Makes every record one printable line; those of a traceback are indented, so that what
    begins with a time is always ours.

    A filter and no formatter: whichever handlers somebody's LOGGING names, they get this.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = printable(record.getMessage()), None
        if record.exc_info and not record.exc_text:
            lines = logging.Formatter().formatException(record.exc_info).split("\n")
            record.exc_text = "\n".join(f"    {printable(line)}" for line in lines)
        return True


_ONLY = _Printable()


def logger(name: str) -> logging.Logger:
    """The logger of this name; what is logged by it is printable."""
    found = logging.getLogger(name)
    found.addFilter(_ONLY)  # which adds it once
    return found


def one_line(words: object) -> str:
    """What others say, which may have several lines, as one."""
    return " ".join(str(words).split())


def file_part(words: str) -> str:
    """Words as a part of a file's name that every file system takes: letters, digits, dot, dash
    and underscore; empty where they have none of these."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", words)[:80].strip("._-")

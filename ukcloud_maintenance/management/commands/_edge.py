"""The edge of the commands: the one place where they write, and where they are read.

What is shown was named by others (servers, reasons, faults), so that everything that is written
is made printable first, errors and tracebacks included; see `core.printable`.
"""

import argparse
import json
import logging
import traceback
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandParser, OutputWrapper

from ukcloud_maintenance.core.message import Message, message
from ukcloud_maintenance.core.printable import printable

EXIT_BUG = 1


class Console(OutputWrapper):
    """Standard output or standard error, as commands write to it."""

    def __init__(self, out: Any):
        # what Django wraps it in, it would end each line once more
        super().__init__(out._out if isinstance(out, OutputWrapper) else out)

    def lines(self, *lines: str) -> None:
        """Each as one line, whatever it holds: a line break in a name begins no other one."""
        self._put("".join(f"{printable(line)}\n" for line in lines))

    def draw(self, text: str) -> None:
        """A picture that moves the cursor: what it has of others must be printable."""
        self._put(text)
        self.flush()

    def ask(self, question: str) -> None:
        """A line that is left open for the answer."""
        self._put(printable(question))
        self.flush()

    def json(self, document: Any) -> None:
        """One JSON document: every value to the letter, in ASCII."""
        self._put(json.dumps(document, indent=2) + "\n")

    def file(self, text: str) -> None:
        """The text of a file of `core.export`, which was made printable by cell."""
        self._put(text)

    def write(self, msg: str = "", style_func: object = None, ending: str | None = None) -> None:
        """What Django itself has to say of errors. It is never coloured."""
        ending = self.ending if ending is None else ending
        text = printable(msg, keep="\n")
        self._put(text if text.endswith(ending) else text + ending)

    def _put(self, text: str) -> None:
        encoding = getattr(self._out, "encoding", None) or "utf-8"
        # a terminal of another language than the names that are shown
        self._out.write(text.encode(encoding, "backslashreplace").decode(encoding))


class EdgeCommand(BaseCommand):
    """A command that takes no text that it cannot keep, and writes none that does harm."""

    #: ours alone: Django's look through all of Horizon's pages, which take seconds to load
    requires_system_checks: Sequence[str] = ["ukcloud_maintenance"]
    stdout: Console
    stderr: Console

    def __init__(
        self,
        stdout: Any = None,
        stderr: Any = None,
        no_color: bool = True,
        force_color: bool = False,
    ):
        super().__init__(stdout, stderr, no_color=True)
        self.stdout, self.stderr = Console(self.stdout), Console(self.stderr)

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        self._speaks_printably(parser)
        self._parser = parser
        return parser

    def _speaks_printably(self, parser: argparse.ArgumentParser) -> None:
        """The errors of a parser, and of those of its sub-commands."""
        plain_error = parser.error

        def error(message: str) -> NoReturn:
            self.on_bad_arguments(printable(message))
            plain_error(printable(message))

        parser.error = error  # type: ignore[method-assign]
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                for one in action.choices.values():
                    self._speaks_printably(one)

    def on_bad_arguments(self, message: str) -> None:
        """Called before the parser ends the command."""

    def run_from_argv(self, argv: list[str]) -> None:
        try:
            super().run_from_argv(argv)
        except Exception as error:  # a bug, or --traceback
            self.stderr.write(traceback.format_exc())
            raise SystemExit(getattr(error, "returncode", EXIT_BUG)) from None

    def execute(self, *args: Any, **options: Any) -> Any:
        for name in ("stdout", "stderr"):
            if stream := options.pop(name, None):
                setattr(self, name, Console(stream))
        log_plainly()
        options |= {"no_color": True, "force_color": False}
        return super().execute(*args, **options)


class _OneLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record), keep="\n")


def log_plainly() -> None:
    """What libraries log goes to standard error where Horizon's LOGGING has no place for it."""
    if logging.lastResort:
        logging.lastResort.setFormatter(_OneLine())


#: Options that are no text to keep: Django's own, and paths, which may be longer.
_NO_TEXT = frozenset({"settings", "pythonpath", "output"})
#: What the database, Nova and Keystone take for a name, in characters.
LONGEST = 255


def unusable(options: Mapping[str, Any], too_long: Iterable[str] = ()) -> Message | None:
    """What is wrong with a text among the options of a command, or None.

    Bytes that are not UTF-8 arrive as lone surrogates, which no database and no API takes; NUL
    comes from a caller in Python alone.

    :param too_long: options whose length is looked at elsewhere
    """
    for name, value in options.items():
        for text in value if isinstance(value, list | tuple) else [value]:
            if not isinstance(text, str):
                continue
            which = {"option": name.replace("_", "-"), "text": printable(_abbreviated(text))}
            try:
                text.encode()
            except UnicodeEncodeError:
                return message("option_not_utf8", **which)
            if "\0" in text:
                return message("option_with_nul", **which)
            if len(text) > LONGEST and name not in {*_NO_TEXT, *too_long}:
                return message("option_too_long", **which, length=len(text), most=LONGEST)
    return None


def _abbreviated(text: str, length: int = 60) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"

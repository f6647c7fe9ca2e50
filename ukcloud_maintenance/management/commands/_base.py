"""What the shell commands have in common: who asks, exit codes, and JSON.

A shell's actor is the operating system's user. Their authority is that they may read the
worker's clouds.yaml, so every command opens the cloud with it before it asks `services` for
anything, also where the database alone would do.
"""

import argparse
import shutil
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from django.core import checks
from django.core.management.base import CommandError, CommandParser, DjangoHelpFormatter
from django.db import DatabaseError, InterfaceError

from ukcloud_maintenance import services
from ukcloud_maintenance.core.actor import Actor, shell_actor
from ukcloud_maintenance.core.message import Message, message
from ukcloud_maintenance.core.printable import one_line, printable
from ukcloud_maintenance.core.shape import Printed, Shape, keys
from ukcloud_maintenance.exceptions import (
    CloudAuthError,
    CloudError,
    CloudForbidden,
    ConfigurationError,
    MaintenanceError,
    NotAllowed,
    Refused,
)
from ukcloud_maintenance.messages import document, english, english_remedy

from ._edge import EdgeCommand, unusable

EXIT_NOT_DRAINED = 1
EXIT_NOT_ALL = 1
EXIT_BAD_INPUT = 2
EXIT_REFUSED = 3
EXIT_NO_ANSWER = 4
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells have it
EXIT_CODES = """\
exit codes:
  0    done, requested; with --wait: safe to power off, or cancelled; with --dry-run: all can leave
  1    with --wait: ended otherwise; with --dry-run: an instance cannot leave; else: some refused
  2    bad input, an unknown host, drain, plan or instance, or wrong settings or credentials
  3    refused; nothing was changed
  4    OpenStack or the database failed or did not answer
  130  interrupted while waiting; the drain continues
"""
#: Refusals of what was typed, not of what was requested.
_BAD_INPUT = frozenset(
    {
        "unknown_host",
        "unknown_drain",
        "unknown_plan",
        "unknown_instance",
        "nothing_selected",
        "host_twice",
        "too_many_hosts",
        "hosts_at_once_out_of_range",
        "reason_missing",
        "reason_too_long",
        "characters_not_stored",
        "max_concurrent_out_of_range",
        "order_unknown",
        "timeout_action_unknown",
        "window_without_zone",
        "window_out_of_range",
        "window_is_over",
        "window_is_empty",
        "destination_is_source",
        "destination_unknown",
        "region_without_worker",
        "choice_unknown",
        "days_out_of_range",
        "unknown_run",
        "run_host_unknown",
        "run_host_in_none",
        "run_action_unknown",
        "run_choice_unknown",
        "run_number_out_of_range",
        "run_no_aggregate",
        "run_aggregate_unknown",
        "window_unreadable",
        "window_unknown_day",
        "window_bad_time",
        "window_begins_at_24",
        "window_has_no_length",
        "window_lacks_zone",
        "window_unknown_zone",
        "affected_nothing_named",
        "affected_several_regions",
    }
)


FAILURE = Shape(
    "What went wrong",
    keys("code", "a stable word for programs"),
    keys("", "what it is, without what can be done about it", said="message"),
    keys("remedy", "what can be done about it, or empty"),
    keys("drain_id", "the drain that is in the way; null: none"),
)
ERROR = Shape("An error", keys("error", "its only key", one=FAILURE))


@dataclass
class Failure(Exception):
    """An expected end of a command.

    :param code: a stable word for programs
    :param drain_id: the drain that is in the way, or None
    :param said: what it was made of, where that is a message
    """

    message: str
    exit_code: int
    code: str
    remedy: str = ""
    drain_id: int | None = None
    said: Message | None = None

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()

    def document(self) -> dict[str, Any]:
        """It, for programs."""
        return FAILURE.made(
            code=self.code,
            **document("message", self.said) | {"message": self.message},
            remedy=self.remedy,
            drain_id=self.drain_id,
        )


class _HelpFormatter(DjangoHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of the table of exit codes, and wraps the rest."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith("exit codes:"):
            return super()._fill_text(text, width, indent)
        return textwrap.fill(text, width, initial_indent=indent, subsequent_indent=indent)


class ShellCommand(EdgeCommand):
    """A command that asks `services` for something, in the name of the shell's user."""

    # Only ours are run, in `handle`, so that a wrong setting ends in our exit code.
    requires_system_checks: Sequence[str] = []

    #: what stands at the end of the help
    exit_codes = EXIT_CODES
    #: what is printed with `--json`, and in case of an error
    prints: Sequence[Printed] = ()
    prints_error = ERROR

    _arguments: Sequence[str] = ()
    _warning = ""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        kwargs |= {"epilog": self.exit_codes, "formatter_class": _HelpFormatter}
        return super().create_parser(prog_name, subcommand, **kwargs)

    def on_bad_arguments(self, message: str) -> None:
        # Whoever requested JSON gets JSON, also where the arguments can't be parsed.
        if "--json" in self._arguments:
            self._print_error(Failure(message, EXIT_BAD_INPUT, "bad_arguments"))

    def run_from_argv(self, argv: list[str]) -> None:
        self._arguments = argv
        super().run_from_argv(argv)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--json",
            action="store_true",
            help="print one JSON document on standard output, also for an error",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self.json: bool = options["json"]
        try:
            if problem := unusable(options, too_long=["reason"]):
                raise failure(problem, code="bad_arguments")
            _check_settings()
            self.actor: Actor = shell_actor()
            self.act(**options)
        except (Failure, MaintenanceError, DatabaseError, InterfaceError) as error:
            ended = failure_of(error)
            if self.json:
                self._print_error(ended)
            raise CommandError(printable(ended), returncode=ended.exit_code) from error

    def act(self, **options: Any) -> None:
        """What the command does."""
        raise NotImplementedError

    def write_file(self, path: Path, text: str, mode: int | None = None) -> None:
        """:param mode: who may read it, or None for the usual

        :raises Failure: it cannot be written
        """
        try:
            if mode is not None:
                path.touch(mode)
                if path.is_file():  # one that was there
                    path.chmod(mode)
            path.write_bytes(text.encode())
        except OSError as error:
            said = message("cannot_write", path=str(path), why=error.strerror)
            raise failure(said) from error

    def confirm(self, cost: str, *lines: str) -> None:
        """Name the consequence, and have it confirmed where somebody is there to do so.

        :raises Failure: nobody is there, or it was not confirmed
        """
        if not sys.stdin.isatty():
            raise failure(message("confirmation_missing", cost=cost))
        self.note(*lines)
        self.stderr.ask(f"{english(message('type_yes'))} ")
        try:
            answer = sys.stdin.readline()
        except KeyboardInterrupt:
            raise SystemExit(EXIT_INTERRUPTED) from None
        if answer.strip().lower() != "yes":
            raise failure(message("not_confirmed"), EXIT_REFUSED)

    def usage_error(self, message: str) -> NoReturn:
        """The arguments, each by itself fine, are not together."""
        self._parser.error(message)
        raise AssertionError("the parser ends the command")

    # -- authority ---------------------------------------------------------------------------

    def cloud(self, region: str | None) -> services.Cloud:
        """The worker's cloud of a region, or of the only one that is configured."""
        regions = services.shell_regions()
        if not region and len(regions) != 1:
            raise failure(message("region_missing", regions=sorted(regions)))
        cloud = services.connect_shell(region or regions[0])
        if not cloud.region:
            # Drains are kept by region, by the name that Horizon knows it by.
            raise failure(message("region_not_named"), code="region_missing")
        return cloud

    def prove_authority(self) -> None:
        """Open the worker's cloud of any region, without the network.

        Any, so that the drain of a region that was taken out of the settings can be cancelled.
        """
        none = message("settings_name_no_cloud", name="UKCLOUD_MAINTENANCE")
        problem: MaintenanceError = ConfigurationError(none)
        for region in services.shell_regions():
            try:
                services.connect_shell(region)
            except (ConfigurationError, Refused) as error:
                problem = error
            else:
                return
        raise problem

    # -- output ------------------------------------------------------------------------------

    @property
    def columns(self) -> int | None:
        """Letters in a line of the terminal; None where a file or a pipe gets every word whole."""
        return shutil.get_terminal_size().columns if self.stdout.isatty() else None

    def say(self, *lines: str) -> None:
        """For people: on standard output, or beside the JSON on standard error."""
        (self.stderr if self.json else self.stdout).lines(*lines)

    def tell(self, *said: Message) -> None:
        """The same of messages, a line each."""
        self.say(*map(english, said))

    def note(self, *lines: str) -> None:
        """Beside the result."""
        self.stderr.lines(*lines)

    def print_json(self, document: Any) -> None:
        self.stdout.json(document)

    def _print_error(self, failure: Failure) -> None:
        self.print_json(ERROR.made(error=failure.document()))

    def warn_without_worker(self, report: services.DrainReport) -> None:
        """Say that nothing will move; once, however often it is looked at."""
        self.warn_of_worker(report.worker)

    def warn_of_worker(self, worker: services.WorkerStatus) -> None:
        """The same, of what is known of the workers."""
        said: Message | None = None
        if not worker.alive:
            said = message("shell_no_worker")
        elif worker.problem:
            said = message("shell_worker_problem", problem=worker.problem)
        warning = english(said).replace("\n", "; ")  # several regions have a line each
        if warning and warning != self._warning:
            self.note(warning)
        self._warning = warning


def _check_settings() -> None:
    errors = [m for m in checks.run_checks(tags=["ukcloud_maintenance"]) if m.is_serious()]
    if errors := [m for m in errors if not m.is_silenced()]:
        raise Failure(
            " ".join(f"({m.id}) {m.msg}" for m in errors),
            EXIT_BAD_INPUT,
            "settings",
            " ".join(m.hint for m in errors if m.hint),
        )


def failure(
    said: Message, exit_code: int = EXIT_BAD_INPUT, *, code: str = "", drain_id: int | None = None
) -> Failure:
    """The end of a command that a message tells of.

    :param code: where it is not the message's
    """
    words, remedy = english(said, remedy=False), english_remedy(said)
    return Failure(words, exit_code, code or said.code, remedy, drain_id, said)


def failure_of(error: Failure | MaintenanceError | DatabaseError | InterfaceError) -> Failure:
    """What came up, with its exit code."""
    if isinstance(error, Failure):
        return error
    if isinstance(error, Refused):
        exit_code = EXIT_BAD_INPUT if error.code in _BAD_INPUT else EXIT_REFUSED
        if error.said.code == "unexpected_error":
            exit_code = EXIT_NOT_ALL  # a refusal would say that nothing was changed
        return failure(error.said, exit_code, code=error.code, drain_id=error.drain_id)
    if isinstance(error, ConfigurationError):
        return Failure(
            english(error.said, remedy=False),
            EXIT_BAD_INPUT,
            "configuration",
            english(message("cloud_to_name")),
            said=error.said,
        )
    if isinstance(error, CloudError):
        return _cloud_failure(error)
    if isinstance(error, DatabaseError | InterfaceError):
        said = message("health_database", detail=one_line(error).rstrip("."))
        return failure(said, EXIT_NO_ANSWER, code="database_failed")
    if isinstance(error, NotAllowed):
        return Failure(english(error.said), EXIT_REFUSED, "refused", said=error.said)
    return Failure(str(error), EXIT_REFUSED, "refused")


def _cloud_failure(error: CloudError) -> Failure:
    exit_code, code, remedy = EXIT_BAD_INPUT, "configuration", english(error.remedy)
    if isinstance(error, CloudAuthError | CloudForbidden):
        code = "credentials"
        remedy = remedy or english(message("credentials_of_admin"))
    elif error.remedy is None:
        again = message("try_again")
        if error.retry_after:
            again = message("try_again_in", seconds=f"{error.retry_after:.0f}")
        exit_code, code, remedy = EXIT_NO_ANSWER, "openstack_failed", english(again)
    return Failure(english(error.cause), exit_code, code, remedy, said=error.said)

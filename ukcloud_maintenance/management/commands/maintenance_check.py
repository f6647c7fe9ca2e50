"""Whether all is well, for Nagios and what understands its plugins (Icinga, Zabbix, Sensu, …)."""

import contextlib
import math
import os
import threading
from argparse import ArgumentTypeError
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import Any, NoReturn

from django.core.management.base import CommandParser
from django.db import DatabaseError, InterfaceError, connections

from ukcloud_maintenance import services
from ukcloud_maintenance.core.actor import shell_actor
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.printable import one_line
from ukcloud_maintenance.core.shape import Printed, Shape, keys
from ukcloud_maintenance.exceptions import MaintenanceError
from ukcloud_maintenance.messages import document, english
from ukcloud_maintenance.services import Health, Level, Threshold

from ._base import FAILURE, Failure, ShellCommand, failure, failure_of
from ._edge import unusable

#: Longer, and monitoring cuts the line.
FINDINGS_SHOWN = 5
#: name of the option, what it is, where it is 0: never
_THRESHOLDS = {
    "in_need": "instances of a drain that need a person",
    "not_passed": "seconds for which a pass over an open drain or run is due that no worker makes",
    "open_long": "seconds since an open drain began",
    "certificate": "seconds since a host in maintenance was verified",
    "run_held": "seconds for which a rolling run has begun no host, for another reason than a"
    " window or an approval",
}

_DEFAULTS = {
    "in_need": "1,0",
    "not_passed": "300,900",
    "open_long": "86400,0",
    "certificate": "three times VERIFY_SECONDS (90), and 900",
    "run_held": "3600,0",
}


FINDING = Shape("A finding", keys("level", "`warning` or `critical`, and why", said="message"))
MEASURE = Shape(
    "A measure",
    keys("value", "as in the performance data"),
    keys("warning critical", "from which value on; null: never"),
)
HEALTH = Shape(
    "Whether all is well",
    keys("status exit_code", "`ok`, `warning` or `critical`; and 0, 1 or 2"),
    keys("findings", "what is not well", each=FINDING),
    keys("measures", "each number", by_name=MEASURE),
)
UNKNOWN = Shape(
    "A check that failed",
    keys("status exit_code", "`unknown`, and 3"),
    keys("error", "why nothing could be looked at", one=FAILURE),
)


class _NotInTime(Exception):
    pass


class Command(ShellCommand):
    help = (
        "Check that the workers, the drains, the rolling runs and the hosts in maintenance are"
        " well: a plugin for Nagios and compatible monitoring. Prints one line with performance"
        " data. Reads the database alone; neither OpenStack nor clouds.yaml is needed. A problem of"
        " one worker is reported however well the others are."
    )
    exit_codes = """\
exit codes:
  0    OK
  1    WARNING: something needs a person, or one of several workers does not work
  2    CRITICAL: no worker works, a critical threshold is reached, or the database failed
  3    UNKNOWN: bad arguments or settings, or a bug of this command
"""

    prints = (Printed(HEALTH),)
    prints_error = UNKNOWN

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--region", help="drains, hosts and runs of this region alone; default: of all"
        )
        parser.add_argument(
            "--worker-silent",
            type=_seconds,
            metavar="SECONDS",
            help="a worker that has been silent for longer does not count; default: as on the pages"
            " (90, or three times API_TIMEOUT_SECONDS)",
        )
        for name, what in _THRESHOLDS.items():
            option = name.replace("_", "-")
            parser.add_argument(
                f"--{option}",
                type=_threshold,
                metavar="WARNING[,CRITICAL]",
                help=f"{what}; 0: never; default: {_DEFAULTS[name]}",
            )
        parser.add_argument(
            "--timeout",
            type=_seconds,
            metavar="SECONDS",
            default=10.0,
            help="how long the database may take; default: 10",
        )
        super().add_arguments(parser)

    def on_bad_arguments(self, message: str) -> None:
        """Not argparse's exit code, which would be CRITICAL."""
        self._end(Failure(message, Level.UNKNOWN, "bad_arguments"))

    def run_from_argv(self, argv: list[str]) -> None:
        self._arguments = argv
        try:
            super().run_from_argv(argv)
        except SystemExit as end:
            # 1 is what Python ends a bug with, and WARNING here
            if end.code == 1 and not self._is_said:
                self._end(failure(message("check_command_failed")))
            raise

    _is_said = False

    def handle(self, *args: Any, **options: Any) -> None:
        self.json = options["json"]
        is_late = False
        try:
            if problem := unusable(options):
                raise failure(problem, code="bad_arguments")
            found = _within(options["timeout"], partial(self._look, options))
        except (Failure, MaintenanceError) as error:
            self._end(failure_of(error))
        except _NotInTime:
            is_late = True
            said = message("health_database_silent", seconds=options["timeout"])
            found = Health((services.Finding(Level.CRITICAL, said),), ())
        except (DatabaseError, InterfaceError) as error:
            said = message("health_database", detail=one_line(error).rstrip("."))
            found = Health((services.Finding(Level.CRITICAL, said),), ())
        self._is_said = True
        self._show(found)
        if is_late and self._arguments:
            self._end_at_once(int(found.level))
        raise SystemExit(int(found.level))

    def _end_at_once(self, code: int) -> NoReturn:
        """Without the end of Python, which may wait for what the driver still waits for."""
        with contextlib.suppress(OSError, ValueError):  # nobody reads it
            self.stdout.flush()
            self.stderr.flush()
        os._exit(code)

    def _look(self, options: dict[str, Any]) -> Health:
        limits = services.default_thresholds()
        given = {name: options[name] for name in _THRESHOLDS if options[name] is not None}
        if options["worker_silent"] is not None:
            given["worker_silent"] = options["worker_silent"]
        return services.health(shell_actor(), replace(limits, **given), options["region"])

    def _show(self, found: Health) -> None:
        if self.json:
            self.print_json(_document(found))
            return
        said = [english(one.said, remedy=False) for one in found.findings[:FINDINGS_SHOWN]]
        beyond = len(found.findings) - FINDINGS_SHOWN
        if beyond > 0:
            said.append(english(message("check_more", n=beyond)))
        self._line(
            found.level, " ".join(said) or english(message("check_all_well")), _performance(found)
        )

    def _line(self, level: Level, text: str, performance: str = "") -> None:
        # what follows a bar is performance data
        text = one_line(text.replace("|", "/"))
        tail = f" | {performance}" if performance else ""
        self.stdout.lines(f"MAINTENANCE {level.name} - {text}{tail}")

    def _end(self, ended: Failure) -> NoReturn:
        """UNKNOWN: nothing could be looked at."""
        self._is_said = True
        if "--json" in self._arguments:
            error = ended.document()
            self.print_json(UNKNOWN.made(status="unknown", exit_code=3, error=error))
        else:
            self._line(Level.UNKNOWN, str(ended))
        raise SystemExit(int(Level.UNKNOWN))


def _document(found: Health) -> dict[str, Any]:
    return HEALTH.made(
        status=found.level.name.lower(),
        exit_code=int(found.level),
        findings=[
            FINDING.made(level=one.level.name.lower(), **document("message", one.said))
            for one in found.findings
        ],
        measures={
            one.name: MEASURE.made(
                value=_plain(one.value),
                warning=_plain(one.threshold.warning),
                critical=_plain(one.threshold.critical),
            )
            for one in found.measures
        },
    )


def _plain(number: float) -> float | int | None:
    if math.isinf(number):
        return None
    return int(number) if float(number).is_integer() else round(number, 1)


def _performance(found: Health) -> str:
    """As the Monitoring Plugins guidelines have it: 'label'=value[unit];[warn];[crit];[min]."""
    parts = []
    for one in found.measures:
        limits = [_plain(one.threshold.warning), _plain(one.threshold.critical)]
        told = ";".join("" if limit is None else str(limit) for limit in limits)
        parts.append(f"{one.name}={_plain(one.value)}{one.unit};{told};0")
    return " ".join(parts)


def _seconds(text: str) -> float:
    value = _number(text)
    if value == 0:
        raise ArgumentTypeError("must be more than 0")
    return value


def _threshold(text: str) -> Threshold:
    """`WARNING` or `WARNING,CRITICAL`; 0 is never."""
    numbers = [_number(part) for part in text.split(",")]
    if len(numbers) > 2:
        raise ArgumentTypeError("must be one number, or two with a comma between")
    warning, critical = [number or math.inf for number in (*numbers, 0.0)][:2]
    return Threshold(warning, critical)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value < math.inf:
        raise ArgumentTypeError(f"{text!r} is not a number of 0 or more")
    return value


def _within(seconds: float, look: Callable[[], Health]) -> Health:
    """What is found in that time, in a thread of its own: a driver that waits in C for its server
    lets no signal of Python through."""
    looked: Future[Health] = Future()

    def work() -> None:
        try:
            looked.set_result(look())
        except Exception as error:
            looked.set_exception(error)
        finally:
            with contextlib.suppress(DatabaseError, InterfaceError):
                connections.close_all()

    thread = threading.Thread(target=work, daemon=True, name="check")
    thread.start()
    thread.join(seconds)
    if not looked.done():
        raise _NotInTime
    return looked.result()

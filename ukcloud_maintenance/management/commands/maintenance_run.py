"""Rolling runs, from a shell: patch or reboot many hosts, one after another."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from ukcloud_maintenance import services
from ukcloud_maintenance.core.message import Message, message
from ukcloud_maintenance.core.record import export
from ukcloud_maintenance.core.run import export as of_run
from ukcloud_maintenance.core.run.domains import DomainKind
from ukcloud_maintenance.core.run.states import HostVerb, OnFailure, RunState, RunVerb
from ukcloud_maintenance.core.shape import Printed
from ukcloud_maintenance.exceptions import ConfigurationError, Refused
from ukcloud_maintenance.messages import english

from ._arguments import PLACING
from ._base import (
    EXIT_NOT_ALL,
    EXIT_NOT_DRAINED,
    EXIT_REFUSED,
    failure,
    failure_of,
)
from ._hosts import chosen_hosts
from ._run_arguments import HAND, add_verbs
from ._run_documents import (
    BRIEF,
    OUTPUT,
    PREVIEW,
    WRITTEN,
    brief_document,
    output_document,
    preview_document,
)
from ._run_waiting import RunCommand, is_at_rest
from ._runs import (
    is_clear,
    list_lines,
    preview_text,
    refused,
    run_text,
    try_text,
)

#: Refusals that do not say which option they are about.
_NAMELESS = frozenset({"run_number_out_of_range", "run_choice_unknown"})


#: The sub-commands after which the run is printed as it is then.
_STEERING = ("pause", "resume", "cancel", "approve", "skip", "retry", "done", "add")


class Command(RunCommand):
    help = (
        "Rolling runs: hosts are drained, acted on, verified and returned to service one after"
        " another, so that a whole region can be patched or rebooted. The worker does it; each"
        " sub-command requests something of it, or shows how far it is."
    )
    exit_codes = """\
exit codes:
  0    done, requested; with --wait: no host failed, or it was to be cancelled; with --dry-run:
       nothing stands against it
  1    with --wait: a host failed, or the run stopped or was cancelled; with --dry-run: an instance
       finds no room or cannot leave, or a window is too short
  2    bad input, an unknown host, run, zone, aggregate or action, or wrong settings or credentials
  3    refused; nothing was changed; with --dry-run: a host cannot be drained now
  4    OpenStack or the database failed or did not answer
  130  interrupted while waiting; the run continues
"""

    prints = (
        Printed(of_run.RUN, "start"),
        Printed(PREVIEW, "start --dry-run"),
        Printed(of_run.RUN, "status", many=True),
        Printed(of_run.RUN, "status ID"),
        Printed(BRIEF, "list", many=True),
        Printed(OUTPUT, "output"),
        Printed(of_run.FILE, "export"),
        Printed(WRITTEN, "export --output FILE"),
        *(Printed(of_run.RUN, verb) for verb in _STEERING),
    )

    def add_arguments(self, parser: CommandParser) -> None:
        for made in add_verbs(parser):
            super().add_arguments(made)

    def act(self, **options: Any) -> None:
        verb: str = options["verb"]
        act: Callable[[dict[str, Any]], None] = getattr(self, f"_{verb}")
        if verb not in ("start", "add", "list"):
            self.prove_authority()
        act(options)

    # -- start -------------------------------------------------------------------------------

    def _start(self, options: dict[str, Any]) -> None:
        if not (options["hosts"] or options["zone"] or options["aggregate"]):
            self.usage_error("give --hosts, --zone or --aggregate")
        domain = self._domain(options)
        if options["failures"] is not None and options["on_failure"] != OnFailure.SKIP:
            self.usage_error("--failures is for --on-failure skip")
        cloud = self.cloud(options["region"])
        hosts = tuple(chosen_hosts(self.actor, cloud, options))
        is_trial = options["dry_run"]
        request = services.RunRequest(
            hosts,
            services.DrainRequest(
                hosts[0],
                options["reason"] or ("none is needed" if is_trial else ""),
                options["max_concurrent"],
                move_locked=not options["leave_locked"],
                follow_estimate=PLACING[options["placing"]],
                timeout_action=options["timeout_action"],
            ),
            action="" if options["action"] in HAND else options["action"],
            at_once=options["at_once"],
            domain=domain,
            aggregates=tuple(options["domain_aggregate"]),
            per_domain=options["per_domain"],
            order=options["order"],
            windows=tuple(options["window"]),
            on_failure=options["on_failure"],
            failures=1 if options["failures"] is None else options["failures"],
            approval=options["approve"],
            bring_back=options["bring_back"],
        )
        try:
            if is_trial:
                self._preview(services.check_run(self.actor, cloud, request))
                return
            run = services.request_run(self.actor, cloud, request)
        except Refused as error:
            if error.code not in _NAMELESS:
                raise
            failure = failure_of(error)
            failure.message = f"--{error.field.replace('_', '-')}: {failure.message}"
            raise failure from error
        if options["wait"]:
            self._until_over(run.pk)
            return
        report = services.run_report(self.actor, run.pk)
        self.print_run(report)
        number = message("n_hosts", count=len(report.hosts))
        self.tell(message("shell_run_requested", run=run.pk, hosts=number))
        self.warn_of_worker(report.worker)

    def _domain(self, options: dict[str, Any]) -> str:
        """What fails together; with `--domain-aggregate` it need not be said."""
        named = bool(options["domain_aggregate"])
        domain: str = options["domain"] or (DomainKind.AGGREGATE if named else DomainKind.ZONE)
        if named and domain != DomainKind.AGGREGATE:
            self.usage_error(f"--domain-aggregate is not for --domain {domain}")
        if options["per_domain"] and domain == DomainKind.NONE:
            self.usage_error("--per-domain is not for --domain none")
        return str(domain)

    def _preview(self, preview: services.RunPreview) -> None:
        if self.json:
            self.print_json(preview_document(preview))
        self.say(*preview_text(preview, self.columns))
        if refused(preview):
            raise SystemExit(EXIT_REFUSED)
        if not is_clear(preview):
            raise SystemExit(EXIT_NOT_ALL)

    # -- looking -----------------------------------------------------------------------------

    def _status(self, options: dict[str, Any]) -> None:
        if options["id"] is None:
            self._open_runs(wait=options["wait"])
        elif options["wait"]:
            self._until_over(options["id"])
        else:
            report = services.run_report(self.actor, options["id"])
            self.print_run(report)
            self._show(report)

    def _open_runs(self, *, wait: bool) -> None:
        reports = [
            services.run_report(self.actor, run.pk)
            for run in self._runs()
            if run.finished_at is None
        ]
        if wait:
            if len(reports) != 1:
                self.usage_error(f"name the run to wait for: {len(reports)} are not over")
            self._until_over(reports[0].run.pk)
            return
        if self.json:
            self.print_json([services.progress_document(report) for report in reports])
            return
        if not reports:
            self.tell(message("shell_no_run_open"))
        for number, report in enumerate(reports):
            self.say(*([""] if number else []))
            self._show(report)

    def _runs(self, region: str | None = None) -> list[services.Run]:
        """Those of a region, or of all regions of the settings, newest first."""
        self.prove_authority()
        names = {self.cloud(region).region} if region else set()
        for each in [] if region else services.shell_regions():
            try:
                names.add(self.cloud(each).region)
            except ConfigurationError as error:
                # one that nobody can open does not hide the others
                said = message("shell_region_left_out", region=each, why=error.said)
                self.note(english(said))
        found = [run for name in names for run in services.list_runs(self.actor, name)]
        return sorted(found, key=lambda run: (run.created_at, run.pk), reverse=True)

    def _show(self, report: services.RunReport) -> None:
        if self.json:
            return
        self.say(*run_text(report, self.columns))
        if not report.is_over:
            self.warn_of_worker(report.worker)

    def _list(self, options: dict[str, Any]) -> None:
        runs = self._runs(options["region"])
        if self.json:
            self.print_json([brief_document(run) for run in runs])
        elif runs:
            self.say(*list_lines(runs, self.columns))
        else:
            self.tell(message("shell_no_run"))

    def _output(self, options: dict[str, Any]) -> None:
        report = services.run_report(self.actor, options["id"])
        host = self._host(report, options["host"])
        tries = services.tries_of(host)
        wanted = options["number"]
        found = [one for one in tries if wanted is None or one.number == wanted][-1:]
        if not found:
            named = {"host": host.host, "run": report.run.pk}
            said = message("unknown_try", number=wanted, **named)
            if wanted is None or not tries:
                said = message("host_without_try", **named)
            raise failure(said, code="unknown_try")
        [one] = found
        if self.json:
            self.print_json(output_document(report.run.pk, host.host, one))
            return
        what = {"host": host.host, "what": try_text(one), "at": one.started_at}
        self.note(english(message("shell_try", **what)))
        if one.output:
            self.say(*one.output.removesuffix("\n").split("\n"))
        else:
            self.note(english(message("shell_nothing_written")))

    def _host(self, report: services.RunReport, name: str) -> services.RunHost:
        for host in report.hosts:
            if host.host == name:
                return host
        said = message("host_not_of_run", run=report.run.pk, host=name)
        raise failure(said, code="run_host_unknown")

    def _export(self, options: dict[str, Any]) -> None:
        run = services.get_run(self.actor, options["id"])
        found = services.run_document(self.actor, run)
        text = export.as_json(found)
        if not options["output"]:
            self.stdout.file(text)
            return
        path = Path(options["output"])
        self.write_file(path, text)
        hosts, events = len(found["run"]["hosts"]), len(found["events"])
        if self.json:
            self.print_json(
                WRITTEN.made(run_id=run.pk, output=str(path), hosts=hosts, events=events)
            )
        written = message("n_hosts", count=hosts)
        self.tell(message("shell_run_written", run=run.pk, hosts=written, path=str(path)))

    # -- steering ----------------------------------------------------------------------------

    def _pause(self, options: dict[str, Any]) -> None:
        self._steer(options, RunVerb.PAUSE, "shell_run_paused")

    def _resume(self, options: dict[str, Any]) -> None:
        self._steer(options, RunVerb.RESUME, "shell_run_resumed")

    def _cancel(self, options: dict[str, Any]) -> None:
        self._steer(options, RunVerb.CANCEL, "shell_run_cancelling")

    def _approve(self, options: dict[str, Any]) -> None:
        self._steer(options, RunVerb.APPROVE, "shell_run_approved")

    def _steer(self, options: dict[str, Any], verb: RunVerb, code: str) -> None:
        run = services.steer_run(self.actor, options["id"], verb)
        if options.get("wait"):
            self._until_over(run.pk, is_cancelled=verb is RunVerb.CANCEL)
            return
        self._said(run.pk, message(code, run=run.pk))

    def _skip(self, options: dict[str, Any]) -> None:
        self._steer_host(options, HostVerb.SKIP, "shell_host_skipped")

    def _retry(self, options: dict[str, Any]) -> None:
        self._steer_host(options, HostVerb.RETRY, "shell_host_retried")

    def _done(self, options: dict[str, Any]) -> None:
        self._steer_host(options, HostVerb.DONE, "shell_host_done")

    def _steer_host(self, options: dict[str, Any], verb: HostVerb, code: str) -> None:
        row = services.steer_host(self.actor, options["id"], options["host"], verb)
        self._said(row.run_id, message(code, host=row.host, run=row.run_id))

    def _add(self, options: dict[str, Any]) -> None:
        self.prove_authority()
        run = services.get_run(self.actor, options["id"])
        services.add_to_run(self.actor, self.cloud(run.region), run.pk, options["hosts"])
        hosts = options["hosts"]
        number = message("n_hosts", count=len(hosts))
        self._said(run.pk, message("shell_hosts_added", run=run.pk, number=number, hosts=hosts))

    def _said(self, run_id: int, said: Message) -> None:
        report = services.run_report(self.actor, run_id)
        self.print_run(report)
        self.tell(said)
        if not report.is_over:
            self.warn_of_worker(report.worker)

    # -- waiting -----------------------------------------------------------------------------

    def _until_over(self, run_id: int, *, is_cancelled: bool = False) -> None:
        """Wait until a run is over, or stopped; exit 1 where that is not what was wanted."""
        report = self.wait_for(run_id, is_over=is_at_rest)
        self._show(report)
        wanted = RunState.CANCELLED if is_cancelled else RunState.SUCCEEDED
        if report.run.state != wanted:
            raise SystemExit(EXIT_NOT_DRAINED)

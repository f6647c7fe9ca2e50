"""What can be requested, from a page or a shell.

Every function takes an actor and checks first what the actor may do; there is no default. What
it reads of OpenStack it reads through the `Cloud` that it is given: the admin's on a page, the
worker's in a shell. Nothing here changes anything in OpenStack, but for
:func:`remove_allocation`; the worker does.
"""

from ..cloud import Cloud
from ..core.host.certificate import SCOPE
from ..preflight import PARTS, HostPreflight, Planned, PreflightChoices
from ..store import (
    Drain,
    HostMaintenance,
    InstanceMigration,
    Plan,
    Run,
    RunAction,
    RunHost,
    WorkerStatus,
    tries_of,
)
from .access import connect, connect_shell, shell_regions
from .affected import Affected, AffectedProject, AffectedRequest, affected, affected_region
from .affected_files import AFFECTED, affected_problems, affected_text
from .affected_files import FORMS as AFFECTED_FORMS
from .affected_files import TYPES as AFFECTED_TYPES
from .affected_files import file_name as affected_file_name
from .affected_files import rendered as affected_rendered
from .allocations import host_allocations, remove_allocation
from .certificates import CERTIFICATE, Certificate, certificate, document_of
from .checks import check_destination
from .drains import request_drain
from .health import Finding, Health, Level, Threshold, Thresholds, default_thresholds, health
from .hosts import (
    JUST_NOW,
    HostNow,
    RegionHosts,
    host_page,
    host_records,
    hosts_now,
    list_hosts,
    project_names,
    worker_status,
)
from .instances import Steered, evidence, retry_failed, steer
from .maintenance import check_recorded, get_maintenance, host_maintenance, is_listed
from .notices import Told, send_test, who_is_told
from .plans import (
    PlanReport,
    PlanRequest,
    get_plan,
    plan_report,
    request_plan,
    steer_plan,
)
from .preflights import HostSets, PlanPreflight, check_host, check_plan, host_sets, preflight_host
from .records import clear_record, drain_document, export_drain
from .reports import DrainReport, drain_report, get_drain, open_drains
from .requests import (
    LARGEST_FIRST,
    NOTE_MAX,
    ORDERS,
    PLAN_MAX_HOSTS,
    REASON_MAX,
    SMALLEST_FIRST,
    DrainChoices,
    DrainRequest,
    check_request,
    drain_choices,
)
from .returning import (
    Returnable,
    ReturnPreview,
    ReturnRequest,
    left_alone,
    return_host,
    return_preview,
    return_run,
)
from .rolling import (
    RunReport,
    add_to_run,
    get_run,
    host_done,
    is_yours,
    list_runs,
    newest_try,
    run_of_host,
    run_record,
    run_report,
    steer_host,
    steer_run,
)
from .run_places import RunChoices, run_choices, run_counts, run_places
from .run_records import openings, progress_document, run_document
from .runs import RunHostPreview, RunPreview, RunRequest, check_run, request_run
from .steering import UNCHANGED, DrainChange, cancel_drain, change_drain, pause_drain, resume_drain

__all__ = [
    "AFFECTED",
    "AFFECTED_FORMS",
    "AFFECTED_TYPES",
    "CERTIFICATE",
    "JUST_NOW",
    "LARGEST_FIRST",
    "NOTE_MAX",
    "ORDERS",
    "PARTS",
    "PLAN_MAX_HOSTS",
    "REASON_MAX",
    "SCOPE",
    "SMALLEST_FIRST",
    "UNCHANGED",
    "Affected",
    "AffectedProject",
    "AffectedRequest",
    "Certificate",
    "Cloud",
    "Drain",
    "DrainChange",
    "DrainChoices",
    "DrainReport",
    "DrainRequest",
    "Finding",
    "Health",
    "HostMaintenance",
    "HostNow",
    "HostPreflight",
    "HostSets",
    "InstanceMigration",
    "Level",
    "Plan",
    "PlanPreflight",
    "PlanReport",
    "PlanRequest",
    "Planned",
    "PreflightChoices",
    "RegionHosts",
    "ReturnPreview",
    "ReturnRequest",
    "Returnable",
    "Run",
    "RunAction",
    "RunChoices",
    "RunHost",
    "RunHostPreview",
    "RunPreview",
    "RunReport",
    "RunRequest",
    "Steered",
    "Threshold",
    "Thresholds",
    "Told",
    "WorkerStatus",
    "add_to_run",
    "affected",
    "affected_file_name",
    "affected_problems",
    "affected_region",
    "affected_rendered",
    "affected_text",
    "cancel_drain",
    "certificate",
    "change_drain",
    "check_destination",
    "check_host",
    "check_plan",
    "check_recorded",
    "check_request",
    "check_run",
    "clear_record",
    "connect",
    "connect_shell",
    "default_thresholds",
    "document_of",
    "drain_choices",
    "drain_document",
    "drain_report",
    "evidence",
    "export_drain",
    "get_drain",
    "get_maintenance",
    "get_plan",
    "get_run",
    "health",
    "host_allocations",
    "host_done",
    "host_maintenance",
    "host_page",
    "host_records",
    "host_sets",
    "hosts_now",
    "is_listed",
    "is_yours",
    "left_alone",
    "list_hosts",
    "list_runs",
    "newest_try",
    "open_drains",
    "openings",
    "pause_drain",
    "plan_report",
    "preflight_host",
    "progress_document",
    "project_names",
    "remove_allocation",
    "request_drain",
    "request_plan",
    "request_run",
    "resume_drain",
    "retry_failed",
    "return_host",
    "return_preview",
    "return_run",
    "run_choices",
    "run_counts",
    "run_document",
    "run_of_host",
    "run_places",
    "run_record",
    "run_report",
    "send_test",
    "shell_regions",
    "steer",
    "steer_host",
    "steer_plan",
    "steer_run",
    "tries_of",
    "who_is_told",
    "worker_status",
]

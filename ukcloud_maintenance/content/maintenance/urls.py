from django.urls import path

from ukcloud_maintenance.core.record import export
from ukcloud_maintenance.services import AFFECTED_FORMS

from .affected import views as affected_views
from .drains import dialogs, instances
from .drains import views as drain_views
from .hosts import certificate_views, return_views
from .hosts import views as host_views
from .plans import views as plan_views
from .preflight import views as preflight_views
from .record import views as record_views
from .runs import new as run_form
from .runs import views as run_views
from .workflow import views as workflow_views

#: how the files of who is affected end
_SUFFIXES = {"csv": "csv", "json": "json", "text": "txt"}

# A host's name may hold anything but a slash; it is compared to the letter.
urlpatterns = [
    path("", host_views.HostsView.as_view(), name="index"),
    path("updates/", host_views.HostUpdatesView.as_view(), name="host_updates"),
    path("hosts/<str:host>/", host_views.HostView.as_view(), name="host"),
    path("hosts/<str:host>/check/", preflight_views.CheckHostView.as_view(), name="check_host"),
    path("hosts/<str:host>/drain/", workflow_views.DrainHostView.as_view(), name="drain_host"),
    path("hosts/<str:host>/panel/", certificate_views.HostPanelView.as_view(), name="host_panel"),
    path(
        "hosts/<str:host>/certificate/",
        certificate_views.CertificateView.as_view(),
        name="certificate",
    ),
    path(
        "hosts/<str:host>/certificate.json",
        certificate_views.CertificateFileView.as_view(),
        name="certificate_file",
    ),
    path(
        "hosts/<str:host>/allocations/",
        certificate_views.AllocationsView.as_view(),
        name="allocations",
    ),
    path("hosts/<str:host>/done/", run_views.HostDoneView.as_view(), name="host_done"),
    path("hosts/<str:host>/return/", return_views.ReturnHostView.as_view(), name="return_host"),
    path("drains/", drain_views.DrainsView.as_view(), name="drains"),
    path("drains/<int:drain_id>/", drain_views.DrainView.as_view(), name="drain"),
    path("drains/<int:drain_id>/updates/", drain_views.UpdatesView.as_view(), name="updates"),
    path("drains/<int:drain_id>/cancel/", dialogs.CancelDrainView.as_view(), name="cancel_drain"),
    path("drains/<int:drain_id>/pause/", dialogs.PauseDrainView.as_view(), name="pause_drain"),
    path("drains/<int:drain_id>/resume/", dialogs.ResumeDrainView.as_view(), name="resume_drain"),
    path("drains/<int:drain_id>/retry/", dialogs.RetryFailedView.as_view(), name="retry_failed"),
    path("drains/<int:drain_id>/change/", dialogs.ChangeDrainView.as_view(), name="change_drain"),
    *(
        path(
            f"drains/<int:drain_id>/instances/{slug}/",
            view.as_view(),
            name=f"instances_{slug}",
        )
        for slug, view in instances.INSTANCES_VIEWS.items()
    ),
    # the record
    path("drains/<int:drain_id>/timeline/", record_views.TimelineView.as_view(), name="timeline"),
    path("drains/<int:drain_id>/picture/", record_views.PictureView.as_view(), name="picture"),
    path(
        "drains/<int:drain_id>/export.csv",
        record_views.ExportView.as_view(form=export.CSV),
        name="export_csv",
    ),
    path(
        "drains/<int:drain_id>/export.json",
        record_views.ExportView.as_view(form=export.JSON),
        name="export_json",
    ),
    # who is affected
    *(
        path(
            f"{of}s/<int:{of}_id>/affected/",
            affected_views.AffectedView.as_view(of=of),
            name=f"affected_{of}",
        )
        for of in ("drain", "plan", "run")
    ),
    *(
        path(
            f"{of}s/<int:{of}_id>/affected.{_SUFFIXES[form]}",
            affected_views.AffectedFileView.as_view(of=of, form=form),
            name=f"affected_{of}_{form}",
        )
        for of in ("drain", "plan", "run")
        for form in AFFECTED_FORMS
    ),
    # several hosts
    path("plans/", plan_views.PlansView.as_view(), name="plans"),
    path("plans/new/", workflow_views.DrainHostsView.as_view(), name="new_plan"),
    path("plans/sets/", plan_views.HostSetsView.as_view(), name="host_sets"),
    path("plans/<int:plan_id>/", plan_views.PlanView.as_view(), name="plan"),
    path("plans/<int:plan_id>/updates/", plan_views.PlanUpdatesView.as_view(), name="plan_updates"),
    path("plans/<int:plan_id>/steer/", plan_views.SteerPlanView.as_view(), name="steer_plan"),
    path("plans/<int:plan_id>/change/", plan_views.ChangePlanView.as_view(), name="change_plan"),
    path("plans/<int:plan_id>/cancel/", plan_views.CancelPlanView.as_view(), name="cancel_plan"),
    # rolling maintenance
    path("runs/", run_views.RunsView.as_view(), name="runs"),
    path("runs/new/", run_form.NewRunView.as_view(), name="new_run"),
    path("runs/<int:run_id>/", run_views.RunView.as_view(), name="run"),
    path("runs/<int:run_id>/updates/", run_views.RunUpdatesView.as_view(), name="run_updates"),
    path("runs/<int:run_id>/record/", run_views.RunRecordView.as_view(), name="run_record"),
    path("runs/<int:run_id>/steer/", run_views.SteerRunView.as_view(), name="steer_run"),
    path("runs/<int:run_id>/hosts/", run_views.SteerRunHostView.as_view(), name="steer_run_host"),
    path("runs/<int:run_id>/cancel/", run_views.CancelRunView.as_view(), name="cancel_run"),
    path("runs/<int:run_id>/add/", run_views.AddHostsView.as_view(), name="add_to_run"),
]

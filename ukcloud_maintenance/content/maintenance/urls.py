from django.urls import path

from ukcloud_maintenance.core import export

from . import record_views, views
from . import steering_views as steering

# A host's name may hold anything but a slash; it is compared to the letter.
urlpatterns = [
    path("", views.HostsView.as_view(), name="index"),
    path("updates/", views.HostUpdatesView.as_view(), name="host_updates"),
    path("hosts/<str:host>/", views.HostView.as_view(), name="host"),
    path("hosts/<str:host>/check/", views.CheckHostView.as_view(), name="check_host"),
    path("hosts/<str:host>/drain/", views.DrainHostView.as_view(), name="drain_host"),
    path("drains/", views.DrainsView.as_view(), name="drains"),
    path("drains/<int:drain_id>/", views.DrainView.as_view(), name="drain"),
    path("drains/<int:drain_id>/updates/", views.UpdatesView.as_view(), name="updates"),
    path("drains/<int:drain_id>/cancel/", steering.CancelDrainView.as_view(), name="cancel_drain"),
    path("drains/<int:drain_id>/pause/", steering.PauseDrainView.as_view(), name="pause_drain"),
    path("drains/<int:drain_id>/resume/", steering.ResumeDrainView.as_view(), name="resume_drain"),
    path("drains/<int:drain_id>/retry/", steering.RetryFailedView.as_view(), name="retry_failed"),
    path("drains/<int:drain_id>/change/", steering.ChangeDrainView.as_view(), name="change_drain"),
    *(
        path(
            f"drains/<int:drain_id>/instances/{slug}/",
            view.as_view(),
            name=f"instances_{slug}",
        )
        for slug, view in steering.INSTANCES_VIEWS.items()
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
]

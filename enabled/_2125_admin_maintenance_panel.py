"""Admin > Compute > Maintenance, right after Hypervisors (2120)."""

PANEL = "maintenance"
PANEL_DASHBOARD = "admin"
PANEL_GROUP = "compute"
ADD_PANEL = "ukcloud_maintenance.content.maintenance.panel.Maintenance"
ADD_INSTALLED_APPS = ["ukcloud_maintenance"]
ADD_JS_FILES = [
    "ukcloud_maintenance/js/maintenance.poll.js",
    "ukcloud_maintenance/js/maintenance.live.js",
    "ukcloud_maintenance/js/maintenance.forms.js",
    "ukcloud_maintenance/js/maintenance.dialogs.js",
    "ukcloud_maintenance/js/maintenance.selection.js",
    "ukcloud_maintenance/js/maintenance.drain.js",
    "ukcloud_maintenance/js/maintenance.hosts.js",
    "ukcloud_maintenance/js/maintenance.plan.js",
    "ukcloud_maintenance/js/maintenance.preflight.js",
    "ukcloud_maintenance/js/maintenance.record.js",
    "ukcloud_maintenance/js/maintenance.select.js",
    "ukcloud_maintenance/js/maintenance.workflow.js",
]
ADD_SCSS_FILES = ["ukcloud_maintenance/scss/maintenance.scss"]

"""Admin > Compute > Maintenance, right after Hypervisors (2120)."""

from pathlib import Path

import openstack_dashboard

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
    "ukcloud_maintenance/js/maintenance.run.js",
    "ukcloud_maintenance/js/maintenance.select.js",
    "ukcloud_maintenance/js/maintenance.workflow.js",
]
# Up to 2025.2 Horizon imports the style sheets of plugins into its own; it has a template for that.
_HORIZON = Path(openstack_dashboard.__file__).parent
_OWN_SHEET = not (_HORIZON / "templates" / "themes" / "themes.scss").exists()
ADD_SCSS_FILES = [f"ukcloud_maintenance/scss/{'maintenance' if _OWN_SHEET else 'pages'}.scss"]

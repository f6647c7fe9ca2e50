"""Admin > Compute > Maintenance, right after Hypervisors (2120)."""

PANEL = "maintenance"
PANEL_DASHBOARD = "admin"
PANEL_GROUP = "compute"
ADD_PANEL = "ukcloud_maintenance.content.maintenance.panel.Maintenance"
ADD_INSTALLED_APPS = ["ukcloud_maintenance"]
AUTO_DISCOVER_STATIC_FILES = True

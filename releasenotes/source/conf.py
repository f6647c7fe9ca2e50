"""How Sphinx builds the release notes: `make releasenotes`."""

project = "ukcloud-maintenance"
extensions = ["openstackdocstheme", "reno.sphinxext"]

html_theme = "openstackdocs"
html_theme_options = {"analytics_tracking_code": "", "display_badge": False}
templates_path = ["../../doc/source/_templates"]
openstackdocs_auto_name = False
openstackdocs_auto_version = False

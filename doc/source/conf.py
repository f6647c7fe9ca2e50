"""How Sphinx builds the documentation: `make docs`. It needs no network and no tag of Git."""

from configparser import ConfigParser
from pathlib import Path

_packaging = ConfigParser()
_packaging.read(Path(__file__).resolve().parents[2] / "setup.cfg", encoding="utf-8")

project = _packaging["metadata"]["name"]
version = release = _packaging["metadata"]["version"]

extensions = ["myst_parser", "openstackdocstheme"]
# As code hosting pages make them of headings, so that the links work there too.
myst_heading_anchors = 4

html_theme = "openstackdocs"
# It would load a tracker of the OpenStack project's site into each page.
html_theme_options = {"analytics_tracking_code": "", "display_badge": False}
html_static_path = ["_static"]
html_css_files = ["tables.css"]
# The theme says that pages are under a licence of Creative Commons.
templates_path = ["_templates"]
openstackdocs_auto_name = False
# It asks pbr for a version, which a package without pbr does not have.
openstackdocs_auto_version = False

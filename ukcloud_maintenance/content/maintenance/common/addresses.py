"""Addresses of the panel's pages."""

from urllib.parse import urlencode

from django.urls import reverse

PANEL = "horizon:admin:maintenance"
#: the part of an address that says of which region a page or a form is
REGION = "region"


def of_host(name: str, host: str, region: str) -> str:
    """The address of something of a host, with its region: two regions may each have a host of
    this name, and another one can be chosen while a page is open."""
    return f"{reverse(f'{PANEL}:{name}', args=[host])}?{urlencode({REGION: region})}"

"""The tests run in a Horizon that has this plugin: what the other tests take for granted."""

from django.core.management import call_command
from django.urls import reverse


def test_the_panel_is_in_horizon():
    assert reverse("horizon:admin:maintenance:index") == "/admin/maintenance/"


def test_django_finds_nothing_wrong():
    call_command("check", fail_level="WARNING")

"""Fixtures of all tests. What one folder needs alone is in that folder's conftest.py."""

import re

import pytest
from hypothesis import settings

# How long an example takes says how busy the machine is, and nothing of the code.
settings.register_profile("busy", deadline=None)
settings.load_profile("busy")


def pytest_addoption(parser):
    parser.addoption(
        "--all-faults",
        action="store_true",
        help="tests/libvirt: also the faults that take a minute each",
    )


#: A time as Python writes it, which is none that a person reads.
PYTHONS_TIME = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?[+-]\d\d:\d\d|datetime\.datetime\("
)


@pytest.fixture(autouse=True, scope="session")
def _the_record_holds_words():
    """Whatever a test lets be recorded: no name of a field, no time as Python writes it."""
    from django.apps import apps
    from django.db.models.signals import pre_save

    models = apps.get_app_config("ukcloud_maintenance").get_models()
    names = {field.name for model in models for field in model._meta.get_fields()}
    ours = "|".join(sorted(name for name in names if "_" in name))
    # before a value, and not in the words of OpenStack, which has a task_state too
    fields = re.compile(rf'(?<!["\w])({ours})(: |=)')

    def check(instance, **_more):
        found = fields.search(instance.message) or PYTHONS_TIME.search(instance.message)
        assert not found, f"{instance.kind}: {instance.message}"

    pre_save.connect(check, sender="ukcloud_maintenance.Event", weak=False)

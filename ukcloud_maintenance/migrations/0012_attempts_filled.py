"""Each attempt and each request becomes a row of its own; see _attempts for how."""

from django.db import migrations

from . import _attempts


class Migration(migrations.Migration):

    dependencies = [
        ("ukcloud_maintenance", "0011_attempts"),
    ]

    operations = [migrations.RunPython(_attempts.forwards, _attempts.backwards)]

from django.db import migrations

from . import _repeatable


class Migration(migrations.Migration):

    dependencies = [
        ("ukcloud_maintenance", "0013_one_row_is_one"),
    ]

    operations = [
        _repeatable.RenameField("drain", "follow_plan", "follow_estimate"),
        _repeatable.RenameField("instancemigration", "granted", "extra_attempts"),
        _repeatable.RenameField("instancemigration", "odd_since", "anomaly_since"),
    ]

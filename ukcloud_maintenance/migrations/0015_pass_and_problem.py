from django.db import migrations, models

import ukcloud_maintenance.message_field

from . import _repeatable


class Migration(migrations.Migration):

    dependencies = [
        ("ukcloud_maintenance", "0014_names"),
    ]

    operations = [
        _repeatable.AddField(
            model_name="attempt",
            name="pass_bytes",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AlterField(
            model_name="worker",
            name="problem",
            field=ukcloud_maintenance.message_field.MessageField(blank=True, default=None),
        ),
    ]

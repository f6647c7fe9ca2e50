from django.db import migrations, models

from . import _repeatable


class Migration(migrations.Migration):

    dependencies = [
        ("ukcloud_maintenance", "0020_outbox"),
    ]

    operations = [
        _repeatable.AddField(
            model_name="run",
            name="held_since",
            field=models.DateTimeField(null=True),
        ),
    ]

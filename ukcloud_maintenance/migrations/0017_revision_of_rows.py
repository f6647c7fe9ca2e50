from django.db import migrations, models

from . import _repeatable


class Migration(migrations.Migration):

    dependencies = [
        ("ukcloud_maintenance", "0016_inventory"),
    ]

    operations = [
        _repeatable.AddField(
            model_name="instancemigration",
            name="revision",
            field=models.PositiveBigIntegerField(default=1),
        ),
    ]

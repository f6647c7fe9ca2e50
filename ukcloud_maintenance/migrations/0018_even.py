from django.db import migrations, models

from . import _repeatable


class Migration(migrations.Migration):

    dependencies = [
        ("ukcloud_maintenance", "0017_revision_of_rows"),
    ]

    operations = [
        _repeatable.AddField(
            model_name="instancemigration",
            name="fall_back",
            field=models.BooleanField(default=False),
        ),
        migrations.AlterField(
            model_name="drain",
            name="follow_estimate",
            field=models.BooleanField(default=True),
        ),
    ]

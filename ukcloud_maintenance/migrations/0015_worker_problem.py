from django.db import migrations

import ukcloud_maintenance.message_field


class Migration(migrations.Migration):

    dependencies = [
        ("ukcloud_maintenance", "0014_names"),
    ]

    operations = [
        migrations.AlterField(
            model_name="worker",
            name="problem",
            field=ukcloud_maintenance.message_field.MessageField(blank=True, default=None),
        ),
    ]

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("ukcloud_maintenance", "0006_empty"),
    ]

    operations = [
        migrations.AddField(
            model_name="event",
            name="actor_id",
            field=models.CharField(blank=True, default="", max_length=255),
            preserve_default=False,
        ),
    ]

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ukcloud_maintenance", "0004_safety")]

    operations = [
        migrations.AddField(
            model_name="hostmaintenance",
            name="looks",
            field=models.PositiveBigIntegerField(default=0),
        ),
    ]

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ukcloud_maintenance", "0003_in_control")]

    operations = [
        migrations.AddField(
            model_name="instancemigration",
            name="put_off_since",
            field=models.DateTimeField(null=True),
        ),
    ]

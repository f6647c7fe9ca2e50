import django.db.models.deletion
from django.db import migrations, models

import ukcloud_maintenance.message_field
import ukcloud_maintenance.stored_text

from . import _repeatable


class Migration(migrations.Migration):

    dependencies = [
        ("ukcloud_maintenance", "0019_runs"),
    ]

    operations = [
        _repeatable.AddField(
            model_name="drain",
            name="needs_told",
            field=models.JSONField(default=list),
        ),
        _repeatable.AddField(
            model_name="drain",
            name="needs_told_at",
            field=models.DateTimeField(null=True),
        ),
        _repeatable.CreateModel(
            name='Notice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('receiver', models.CharField(blank=True, max_length=64)),
                ('delivery', models.CharField(default=ukcloud_maintenance.stored_text.new_number, editable=False, max_length=36, unique=True)),
                ('state', models.CharField(default='new', max_length=8)),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('next_at', models.DateTimeField(null=True)),
                ('done_at', models.DateTimeField(null=True)),
                ('problem', ukcloud_maintenance.message_field.MessageField(blank=True, default=None)),
                ('claimed_by', models.CharField(blank=True, max_length=255)),
                ('claimed_until', models.DateTimeField(null=True)),
                ('event', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='notices', to='ukcloud_maintenance.event')),
            ],
            options={
                'ordering': ['id'],
                'indexes': [models.Index(fields=['state', 'receiver'], name='notice_queue')],
            },
        ),
    ]

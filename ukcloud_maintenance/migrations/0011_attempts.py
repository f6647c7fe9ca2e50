import django.db.models.deletion
from django.db import migrations, models

import ukcloud_maintenance.message_field

from . import _repeatable


class Migration(migrations.Migration):

    dependencies = [
        ("ukcloud_maintenance", "0010_messages"),
    ]

    operations = [
        _repeatable.CreateModel(
            name='Attempt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField(default=0)),
                ('method', models.CharField(blank=True, max_length=8)),
                ('source_compute', models.CharField(blank=True, max_length=255)),
                ('asked_host', models.CharField(blank=True, max_length=255)),
                ('sent_to', models.CharField(blank=True, max_length=255)),
                ('before_migration_id', models.BigIntegerField(null=True)),
                ('before_action', models.CharField(blank=True, max_length=64)),
                ('submitted_at', models.DateTimeField(null=True)),
                ('request_id', models.CharField(blank=True, max_length=64)),
                ('nova_migration_id', models.BigIntegerField(null=True)),
                ('nova_status', models.CharField(blank=True, max_length=32)),
                ('was_cancelled', models.BooleanField(default=False)),
                ('queued_since', models.DateTimeField(null=True)),
                ('running_since', models.DateTimeField(null=True)),
                ('late_since', models.DateTimeField(null=True)),
                ('timed_out_at', models.DateTimeField(null=True)),
                ('source_service', models.CharField(blank=True, max_length=8)),
                ('confirms', models.PositiveIntegerField(default=0)),
                ('confirm_at', models.DateTimeField(null=True)),
                ('memory_total_bytes', models.BigIntegerField(null=True)),
                ('memory_processed_bytes', models.BigIntegerField(null=True)),
                ('memory_remaining_bytes', models.BigIntegerField(null=True)),
                ('disk_total_bytes', models.BigIntegerField(null=True)),
                ('disk_remaining_bytes', models.BigIntegerField(null=True)),
                ('rate_bytes', models.FloatField(null=True)),
                ('fraction', models.FloatField(null=True)),
                ('sampled_at', models.DateTimeField(null=True)),
                ('points', models.JSONField(default=list)),
                ('course', models.CharField(blank=True, max_length=16)),
                ('seconds_left', models.FloatField(null=True)),
                ('ended_at', models.DateTimeField(null=True)),
                ('result', models.CharField(blank=True, max_length=16)),
                ('code', models.CharField(blank=True, max_length=64)),
                ('message', ukcloud_maintenance.message_field.MessageField(blank=True, default=None)),
                ('migration', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='attempt_rows', to='ukcloud_maintenance.instancemigration')),
            ],
            options={
                'ordering': ['migration_id', 'number'],
                'indexes': [
                    models.Index(fields=['result', 'ended_at'], name='maintenance_by_result')
                ],
                'constraints': [
                    models.UniqueConstraint(
                        fields=('migration', 'number'), name='maintenance_one_row_an_attempt'
                    )
                ],
            },
        ),
        _repeatable.AddField(
            model_name='instancemigration',
            name='newest_attempt',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='ukcloud_maintenance.attempt'),
        ),
        _repeatable.CreateModel(
            name='Request',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('attempt_number', models.PositiveIntegerField(default=0)),
                ('kind', models.CharField(choices=[('abort', 'abort'), ('force_complete', 'force_complete'), ('reset', 'reset')], max_length=16)),
                ('origin', models.CharField(choices=[('admin', 'admin'), ('timeout', 'timeout'), ('cancel', 'cancel')], max_length=8)),
                ('requested_by', models.CharField(blank=True, max_length=255)),
                ('requested_at', models.DateTimeField()),
                ('nova_migration_id', models.BigIntegerField(null=True)),
                ('state', models.CharField(choices=[('open', 'open'), ('taken', 'taken'), ('refused', 'refused'), ('withdrawn', 'withdrawn'), ('lapsed', 'lapsed')], default='open', max_length=16)),
                ('open_key', models.BigIntegerField(editable=False, null=True, unique=True)),
                ('tries', models.PositiveSmallIntegerField(default=0)),
                ('tried_at', models.DateTimeField(null=True)),
                ('taken_at', models.DateTimeField(null=True)),
                ('answer', ukcloud_maintenance.message_field.MessageField(blank=True, default=None)),
                ('request_id', models.CharField(blank=True, max_length=64)),
                ('migration', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='request_rows', to='ukcloud_maintenance.instancemigration')),
            ],
            options={
                'ordering': ['id'],
            },
        ),
    ]

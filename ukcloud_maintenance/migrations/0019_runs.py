import django.db.models.deletion
import ukcloud_maintenance.message_field
from django.db import migrations, models

from . import _repeatable


class Migration(migrations.Migration):

    dependencies = [
        ('ukcloud_maintenance', '0018_even'),
    ]

    operations = [
        _repeatable.CreateModel(
            name='Run',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('region', models.CharField(max_length=255)),
                ('reason', models.CharField(max_length=255)),
                ('requested_by_id', models.CharField(max_length=255)),
                ('requested_by', models.CharField(max_length=255)),
                ('state', models.CharField(choices=[('running', 'running'), ('paused', 'paused'), ('stopped', 'stopped'), ('cancelling', 'cancelling'), ('succeeded', 'succeeded'), ('failed', 'failed'), ('cancelled', 'cancelled')], default='running', max_length=16)),
                ('message', ukcloud_maintenance.message_field.MessageField(blank=True, default=None)),
                ('action', models.CharField(blank=True, max_length=64)),
                ('at_once', models.PositiveIntegerField(default=1)),
                ('domain', models.CharField(choices=[('zone', 'zone'), ('aggregate', 'aggregate'), ('none', 'none')], default='zone', max_length=16)),
                ('per_domain', models.PositiveIntegerField(default=0)),
                ('aggregates', models.JSONField(default=list)),
                ('order', models.CharField(choices=[('by_hand', 'by_hand'), ('fewest', 'fewest'), ('few_moves', 'few_moves')], default='by_hand', max_length=16)),
                ('windows', models.JSONField(default=list)),
                ('on_failure', models.CharField(choices=[('stop', 'stop'), ('skip', 'skip')], default='stop', max_length=8)),
                ('failures', models.PositiveIntegerField(default=0)),
                ('approval', models.CharField(choices=[('none', 'none'), ('first', 'first'), ('each', 'each')], default='none', max_length=8)),
                ('bring_back', models.BooleanField(default=False)),
                ('max_concurrent', models.PositiveIntegerField()),
                ('follow_estimate', models.BooleanField(default=True)),
                ('move_locked', models.BooleanField(default=True)),
                ('timeout_action', models.CharField(default='warn', max_length=16)),
                ('found_down', models.JSONField(default=list)),
                ('found_in_error', models.JSONField(default=list)),
                ('machine', models.CharField(blank=True, max_length=255)),
                ('created_at', models.DateTimeField(db_index=True)),
                ('finished_at', models.DateTimeField(null=True)),
                ('updated_at', models.DateTimeField()),
                ('revision', models.PositiveBigIntegerField(default=1)),
                ('claimed_by', models.CharField(blank=True, max_length=255)),
                ('claimed_until', models.DateTimeField(null=True)),
                ('next_pass_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ['-created_at', '-id'],
            },
        ),
        _repeatable.AddField(
            model_name='event',
            name='run',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='events', to='ukcloud_maintenance.run'),
        ),
        _repeatable.CreateModel(
            name='RunHost',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveIntegerField()),
                ('host', models.CharField(max_length=255)),
                ('host_key', models.CharField(db_index=True, max_length=64)),
                ('open_key', models.CharField(editable=False, max_length=64, null=True, unique=True)),
                ('domains', models.JSONField(default=list)),
                ('instances', models.PositiveIntegerField(default=0)),
                ('seconds', models.FloatField(default=0)),
                ('stage', models.CharField(choices=[('waiting', 'waiting'), ('draining', 'draining'), ('ready', 'ready'), ('acting', 'acting'), ('settling', 'settling'), ('returning', 'returning'), ('bringing_back', 'bringing_back'), ('done', 'done'), ('failed', 'failed'), ('skipped', 'skipped')], default='waiting', max_length=16)),
                ('since', models.DateTimeField()),
                ('failed_in', models.CharField(blank=True, max_length=16)),
                ('is_accepted', models.BooleanField(default=False)),
                ('tries_before', models.PositiveIntegerField(default=0)),
                ('is_unwanted', models.BooleanField(default=False)),
                ('approved_at', models.DateTimeField(null=True)),
                ('approved_by', models.CharField(blank=True, max_length=255)),
                ('message', ukcloud_maintenance.message_field.MessageField(blank=True, default=None)),
                ('before', models.JSONField(default=dict)),
                ('down_at', models.DateTimeField(null=True)),
                ('up_since', models.DateTimeField(null=True)),
                ('checked_at', models.DateTimeField(null=True)),
                ('objection', ukcloud_maintenance.message_field.MessageField(blank=True, default=None)),
                ('started_at', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(null=True)),
                ('drain', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='run_hosts', to='ukcloud_maintenance.drain')),
                ('maintenance', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='run_hosts', to='ukcloud_maintenance.hostmaintenance')),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='hosts', to='ukcloud_maintenance.run')),
            ],
            options={
                'ordering': ['position', 'id'],
            },
        ),
        _repeatable.CreateModel(
            name='RunAction',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('name', models.CharField(blank=True, max_length=64)),
                ('kind', models.CharField(choices=[('hand', 'hand'), ('command', 'command'), ('webhook', 'webhook')], max_length=16)),
                ('state', models.CharField(choices=[('intended', 'intended'), ('running', 'running'), ('done', 'done'), ('later', 'later'), ('failed', 'failed'), ('unknown', 'unknown')], default='intended', max_length=16)),
                ('token', models.CharField(max_length=36, unique=True)),
                ('machine', models.CharField(blank=True, max_length=255)),
                ('place', models.CharField(blank=True, max_length=64)),
                ('poll_url', models.TextField(blank=True)),
                ('started_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(null=True)),
                ('next_at', models.DateTimeField(null=True)),
                ('reminded_at', models.DateTimeField(null=True)),
                ('done_by', models.CharField(blank=True, max_length=255)),
                ('output', models.TextField(blank=True)),
                ('message', ukcloud_maintenance.message_field.MessageField(blank=True, default=None)),
                ('host', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='actions', to='ukcloud_maintenance.runhost')),
            ],
            options={
                'ordering': ['number', 'id'],
                'constraints': [models.UniqueConstraint(fields=('host', 'number'), name='one_action_of_a_number')],
            },
        ),
    ]

import django.db.models.deletion
from django.db import migrations, models

from . import _repeatable


class Migration(migrations.Migration):

    dependencies = [
        ("ukcloud_maintenance", "0015_pass_and_problem"),
    ]

    operations = [
        _repeatable.CreateModel(
            name='Inventory',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('region_key', models.CharField(max_length=64, unique=True)),
                ('region', models.CharField(max_length=255)),
                ('hosts', models.JSONField(default=list)),
                ('vcpus', models.JSONField(default=dict)),
                ('hosts_next', models.JSONField(default=list)),
                ('marker', models.CharField(blank=True, max_length=255)),
                ('number', models.PositiveIntegerField(default=0)),
                ('pages', models.PositiveIntegerField(default=0)),
                ('complete_at', models.DateTimeField(null=True)),
                ('claimed_by', models.CharField(blank=True, max_length=255)),
                ('claimed_until', models.DateTimeField(null=True)),
                ('next_step_at', models.DateTimeField(null=True)),
            ],
        ),
        _repeatable.CreateModel(
            name='InventoryPage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('read_at', models.DateTimeField()),
                ('hypervisors', models.JSONField()),
                ('inventory', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='page_rows', to='ukcloud_maintenance.inventory')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('inventory', 'number'), name='inventory_page_once')],
            },
        ),
    ]

from django.db import migrations

from . import _repeatable

#: What attempts and requests hold by now.
MOVED = [
    ("drain", "errand"),
    ("instancemigration", "aborted_at"),
    ("instancemigration", "aborted_by"),
    ("instancemigration", "aborted_migration_id"),
    ("instancemigration", "answer"),
    ("instancemigration", "before_action"),
    ("instancemigration", "before_migration_id"),
    ("instancemigration", "confirm_at"),
    ("instancemigration", "confirms"),
    ("instancemigration", "course"),
    ("instancemigration", "disk_remaining_bytes"),
    ("instancemigration", "disk_total_bytes"),
    ("instancemigration", "forced_at"),
    ("instancemigration", "fraction"),
    ("instancemigration", "late_since"),
    ("instancemigration", "memory_processed_bytes"),
    ("instancemigration", "memory_remaining_bytes"),
    ("instancemigration", "memory_total_bytes"),
    ("instancemigration", "nova_migration_id"),
    ("instancemigration", "nova_status"),
    ("instancemigration", "points"),
    ("instancemigration", "queued_since"),
    ("instancemigration", "rate_bytes"),
    ("instancemigration", "request_id"),
    ("instancemigration", "running_since"),
    ("instancemigration", "sampled_at"),
    ("instancemigration", "seconds_left"),
    ("instancemigration", "source_service"),
    ("instancemigration", "submitted_at"),
    ("instancemigration", "timed_out_at"),
    ("instancemigration", "timeout_asked"),
    ("instancemigration", "was_cancelled"),
    ("instancemigration", "wish"),
    ("instancemigration", "wish_at"),
    ("instancemigration", "wish_by"),
    ("instancemigration", "wish_migration_id"),
    ("instancemigration", "wish_tries"),
]


class Migration(migrations.Migration):

    dependencies = [
        ("ukcloud_maintenance", "0012_attempts_filled"),
    ]

    operations = [_repeatable.RemoveField(model_name=name, name=field) for name, field in MOVED]

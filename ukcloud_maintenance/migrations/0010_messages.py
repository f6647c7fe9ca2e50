from django.db import migrations

import ukcloud_maintenance.message_field

from . import _sentences

#: The columns that held English sentences, and hold messages.
COLUMNS = {
    "drain": ["message"],
    "instancemigration": ["message", "answer"],
    "event": ["message"],
    "hostmaintenance": ["message", "withdrawn_why"],
}
#: The checks of a host, which have such sentences in them.
CHECKS = "checks"
#: Kinds of events whose text is a host, or empty for the choice of Nova's scheduler.
TO_HOST = {"submitted", "copying", "retried"}
#: Kinds of events whose text somebody wrote.
WRITTEN = {"drain_requested", "return_run_requested", "service_disabled"}
AT_ONCE = 500


def forwards(apps, schema_editor):
    _each(apps, schema_editor, lambda row, text: _sentences.dumps(_of(row, text)), _check)


def backwards(apps, schema_editor):
    _each(apps, schema_editor, lambda row, text: _back(row, _sentences.loads(text)), _check_back)


def _each(apps, schema_editor, change, change_check):
    for name, columns in COLUMNS.items():
        columns = [*columns, CHECKS] if name == "hostmaintenance" else columns
        objects = apps.get_model("ukcloud_maintenance", name).objects
        rows = objects.using(schema_editor.connection.alias)
        changed = []
        for row in rows.order_by("pk").iterator(AT_ONCE):
            before = [getattr(row, column) for column in columns]
            for column in columns:
                if column == CHECKS:
                    row.checks = [change_check(one) for one in row.checks]
                else:
                    setattr(row, column, change(row, getattr(row, column)))
            if before != [getattr(row, column) for column in columns]:
                changed.append(row)
            if len(changed) >= AT_ONCE:
                rows.bulk_update(changed, columns)
                changed = []
        if changed:
            rows.bulk_update(changed, columns)


def _of(row, text):
    # MariaDB has no transaction around a migration: one that was cut off is done once more.
    if _sentences.is_stored(text):
        return _sentences.loads(text)
    kind = getattr(row, "kind", "")
    if kind in TO_HOST and " " not in text.removeprefix("to "):
        if text:
            return {"code": "moves_to", "values": {"host": text.removeprefix("to ")}}
        return {"code": "moves_anywhere", "values": {}} if kind == "submitted" else None
    if not text:
        return None
    if kind in WRITTEN:
        return {"code": "text", "values": {"text": text}}
    return _sentences.to_message(text)


def _back(row, message):
    if message is None:
        return ""
    if getattr(row, "kind", "") in TO_HOST and message["code"] in ("moves_to", "moves_anywhere"):
        host = message["values"].get("host", "")
        return f"to {host}" if row.kind == "retried" and host else host
    return _sentences.to_text(message)


def _check(one):
    """A kept check with its messages; one that is none of ours is left as it is."""
    if not isinstance(one, dict) or "text" not in one:
        return one
    return {
        **{name: value for name, value in one.items() if name != "text"},
        "found": _sentences.to_message(str(one["text"])),
        "details": [_sentences.to_message(str(line)) for line in one.get("details") or ()],
    }


def _check_back(one):
    if not isinstance(one, dict) or "found" not in one:
        return one
    return {
        **{name: value for name, value in one.items() if name != "found"},
        "text": _sentences.to_text(one["found"]),
        "details": [_sentences.to_text(line) for line in one.get("details") or ()],
    }


def message_field():
    return ukcloud_maintenance.message_field.MessageField(blank=True, default=None)


class Migration(migrations.Migration):

    dependencies = [
        ("ukcloud_maintenance", "0009_w_said"),
    ]

    operations = [
        migrations.RunPython(forwards, backwards),
        *(
            migrations.AlterField(model_name=name, name=column, field=message_field())
            for name, columns in COLUMNS.items()
            for column in columns
        ),
    ]

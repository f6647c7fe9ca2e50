"""Changes of the schema that can be done once more, forwards and backwards: MariaDB has no
transaction around a migration, and one that was cut off begins anew."""

from django.db import migrations


def _has_table(schema_editor, model):
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        return model._meta.db_table in connection.introspection.table_names(cursor)


def _has_column(schema_editor, model, name):
    table = schema_editor.quote_name(model._meta.db_table)
    # Not by Django's introspection, which on SQLite parses the table's whole SQL for it.
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table} LIMIT 0")
        return model._meta.get_field(name).column in {one[0] for one in cursor.description}


def _lacks_keys(schema_editor, model, names=None):
    """Whether a foreign key is not there yet: they come last, after the tables and columns."""
    connection = schema_editor.connection
    wanted = {f.column for f in model._meta.fields if f.remote_field and names in (None, {f.name})}
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, model._meta.db_table)
    known = {c for one in found.values() if one["foreign_key"] for c in one["columns"]}
    return bool(wanted - known)


class CreateModel(migrations.CreateModel):
    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        model = to_state.apps.get_model(app_label, self.name)
        if _has_table(schema_editor, model):
            if not _lacks_keys(schema_editor, model):
                return
            schema_editor.delete_model(model)  # nothing is in it yet
        super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        if _has_table(schema_editor, from_state.apps.get_model(app_label, self.name)):
            super().database_backwards(app_label, schema_editor, from_state, to_state)


class AddField(migrations.AddField):
    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        model = to_state.apps.get_model(app_label, self.model_name)
        if _has_column(schema_editor, model, self.name):
            if not _lacks_keys(schema_editor, model, {self.name}):
                return
            schema_editor.remove_field(model, model._meta.get_field(self.name))
        super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        model = from_state.apps.get_model(app_label, self.model_name)
        if _has_column(schema_editor, model, self.name):
            super().database_backwards(app_label, schema_editor, from_state, to_state)


class RemoveField(migrations.RemoveField):
    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        model = from_state.apps.get_model(app_label, self.model_name)
        if _has_column(schema_editor, model, self.name):
            super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        model = to_state.apps.get_model(app_label, self.model_name)
        if not _has_column(schema_editor, model, self.name):
            super().database_backwards(app_label, schema_editor, from_state, to_state)


class RenameField(migrations.RenameField):
    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        model = from_state.apps.get_model(app_label, self.model_name)
        if _has_column(schema_editor, model, self.old_name):
            super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        model = from_state.apps.get_model(app_label, self.model_name)
        if _has_column(schema_editor, model, self.new_name):
            super().database_backwards(app_label, schema_editor, from_state, to_state)

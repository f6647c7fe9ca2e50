"""Changes of the schema that can be done once more, forwards and backwards: MariaDB has no
transaction around a migration, and one that was cut off begins anew."""

from django.db import migrations


def _has_table(schema_editor, model):
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        return model._meta.db_table in connection.introspection.table_names(cursor)


def _has_column(schema_editor, model, name):
    connection = schema_editor.connection
    column = model._meta.get_field(name).column
    with connection.cursor() as cursor:
        table = connection.introspection.get_table_description(cursor, model._meta.db_table)
    return column in {one.name for one in table}


class CreateModel(migrations.CreateModel):
    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        if not _has_table(schema_editor, to_state.apps.get_model(app_label, self.name)):
            super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        if _has_table(schema_editor, from_state.apps.get_model(app_label, self.name)):
            super().database_backwards(app_label, schema_editor, from_state, to_state)


class AddField(migrations.AddField):
    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        model = to_state.apps.get_model(app_label, self.model_name)
        if not _has_column(schema_editor, model, self.name):
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

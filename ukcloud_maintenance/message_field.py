"""A message in a column of the database."""

import json
from typing import Any

from django.db import models

from .core.message import Message, as_json, from_json, text
from .stored_text import escaped


class MessageField(models.TextField):
    """A :class:`Message` or None; in the database its code and values as JSON, or an empty text.

    What is no stored message is one all the same, of the code ``text``: nothing that was written
    is lost, whoever wrote it.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"blank": True, "default": None, **options})

    def from_db_value(self, value: str | None, _expression: Any, _connection: Any) -> Any:
        return self.to_python(value)

    def to_python(self, value: Any) -> Message | None:
        if not value or isinstance(value, Message):
            return value or None
        try:
            return from_json(json.loads(value))
        except ValueError:
            return text(value)

    def get_prep_value(self, value: Any) -> str:
        if isinstance(value, str):
            value = text(value) if value else None
        return json.dumps(as_json(value), ensure_ascii=False) if value is not None else ""

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        value = super().get_db_prep_save(value, connection)
        return escaped(value, connection) if isinstance(value, str) else value

    def value_to_string(self, obj: models.Model) -> str:
        """As it is stored, for what is dumped to be loaded again."""
        return str(self.get_prep_value(self.value_from_object(obj)))

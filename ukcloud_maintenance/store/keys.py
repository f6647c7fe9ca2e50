"""Rows by a key that somebody typed: in an address, a form, or an argument of a command."""

from typing import TypeVar

from django.db.models import BigIntegerField, Model, QuerySet

Row = TypeVar("Row", bound=Model)


def with_key(rows: "QuerySet[Row]", key: int, name: str = "pk") -> "QuerySet[Row]":
    """The rows with this key.

    A number that no key can have is not asked for: before Django 5 it is an OverflowError on
    SQLite, and a DataError on PostgreSQL.

    :param name: of the field that holds it
    """
    return rows.filter(**{name: key}) if 0 < key <= BigIntegerField.MAX_BIGINT else rows.none()

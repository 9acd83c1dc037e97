"""Rows into PostgreSQL by COPY: as text, which fits every column, and those of the trail in the server's own form.

The trail holds most of the bytes, and as text its bodies would be twice as long.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql as quoting

from projections.sql.rows import TrailCells
from projections.sql.tables import Row, Table

_TRAIL_TYPES = dict.fromkeys(TrailCells._fields, "text") | {
    "seq": "int8",
    "version": "int8",
    "at": "timestamptz",
    "event_at": "timestamptz",
    "epoch": "int8",
    "admitted": "bool",
    "causation_seq": "int8",
    "body": "bytea",
}
_AT, _ADMITTED = TrailCells._fields.index("at"), TrailCells._fields.index("admitted")


def copy_text(
    connection: psycopg.Connection[Any], target: quoting.Identifier, table: Table, rows: Iterable[Row]
) -> None:
    """Write rows of any table."""
    with connection.cursor() as cursor, cursor.copy(_copying(target, table)) as copy:
        for row in rows:
            copy.write_row(row)


def copy_trail(connection: psycopg.Connection[Any], table: Table, rows: Iterable[Row]) -> None:
    """Write rows of the trail."""
    copying = _copying(quoting.Identifier(table.name), table) + quoting.SQL(" (FORMAT binary)")
    with connection.cursor() as cursor, cursor.copy(copying) as copy:
        copy.set_types([_TRAIL_TYPES[name] for name in table.columns])
        for row in rows:
            copy.write_row(_typed(row))


def _copying(target: quoting.Identifier, table: Table) -> quoting.Composed:
    columns = quoting.SQL(", ").join(quoting.Identifier(name) for name in table.columns)
    return quoting.SQL("COPY {} ({}) FROM STDIN").format(target, columns)


def _typed(row: Row) -> tuple[Any, ...]:
    """Give times and flags as such; everything else is sent as it is."""
    at, event_at = datetime.fromisoformat(str(row[_AT])), datetime.fromisoformat(str(row[_AT + 1]))
    return (*row[:_AT], at, event_at, *row[_AT + 2 : _ADMITTED], bool(row[_ADMITTED]), *row[_ADMITTED + 1 :])

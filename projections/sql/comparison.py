"""Compares two sets of read models row by row, column by column."""

from collections.abc import Iterator, Sequence
from typing import Any

from contracts.base import Value
from projections.sql.database import Reader
from projections.sql.tables import REGIME_CHANGES, Table

ROWS_PER_READ = 5_000
MISSING = "(no row)"


class Difference(Value, frozen=True, kw_only=True):
    """One row that is not the same: which, in what column, and what stands on each side."""

    table: str
    key: str
    column: str
    live: str
    rebuilt: str


def differences(live: Reader, rebuilt: Reader, table: Table) -> Iterator[Difference]:
    """Give every row of a table in which two sets of read models differ, in the order of keys.

    The stream of regimes forgets its oldest changes; what only the live rows remember is no difference.
    """
    mine, theirs = _rows(live, table), _rows(rebuilt, table)
    one, other = next(mine, None), next(theirs, None)
    if table is REGIME_CHANGES:
        while one is not None and (other is None or _key(table, one) < _key(table, other)):
            one = next(mine, None)
    while one is not None or other is not None:
        if other is None or (one is not None and _key(table, one) < _key(table, other)):
            yield _missing(table, _key(table, one or ()), is_live=True)
            one = next(mine, None)
        elif one is None or _key(table, other) < _key(table, one):
            yield _missing(table, _key(table, other), is_live=False)
            other = next(theirs, None)
        else:
            if one != other:
                yield _unlike(table, one, other)
            one, other = next(mine, None), next(theirs, None)


def count(reader: Reader, table: Table) -> int:
    """Count a table's rows."""
    row = reader.execute(f"SELECT count(*) FROM {table.name}").fetchone()  # noqa: S608 - our own tables' names
    return int(row[0])


def _rows(reader: Reader, table: Table) -> Iterator[tuple[Any, ...]]:
    columns, key = ", ".join(table.columns), ", ".join(table.key)
    after = ", ".join(f":{name}" for name in table.key)
    begin = f"SELECT {columns} FROM {table.name} ORDER BY {key} LIMIT :rows"  # noqa: S608 - our own names
    go_on = f"SELECT {columns} FROM {table.name} WHERE ({key}) > ({after}) ORDER BY {key} LIMIT :rows"  # noqa: S608
    found = [tuple(row) for row in reader.execute(begin, {"rows": ROWS_PER_READ})]
    while found:
        yield from found
        last = dict(zip(table.key, _key(table, found[-1]), strict=True))
        found = [tuple(row) for row in reader.execute(go_on, {"rows": ROWS_PER_READ, **last})]


def _key(table: Table, row: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(row[table.columns.index(name)] for name in table.key)


def _missing(table: Table, key: tuple[Any, ...], *, is_live: bool) -> Difference:
    live, rebuilt = ("(a row)", MISSING) if is_live else (MISSING, "(a row)")
    return Difference(table=table.name, key=_shown(key), column="", live=live, rebuilt=rebuilt)


def _unlike(table: Table, one: tuple[Any, ...], other: tuple[Any, ...]) -> Difference:
    at = next(place for place, cells in enumerate(zip(one, other, strict=True)) if cells[0] != cells[1])
    return Difference(
        table=table.name,
        key=_shown(_key(table, one)),
        column=table.columns[at],
        live=str(one[at]),
        rebuilt=str(other[at]),
    )


def _shown(key: tuple[Any, ...]) -> str:
    return "/".join(str(part) for part in key)

"""SQL lives in .sql files, each statement under its name, in words that both databases know; here they are found."""

import re
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from string import Template

_HERE = Path(__file__).parent
_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_PARAMETER = re.compile(r"(?<![:\w]):(\w+)")


class Dialect(StrEnum):
    """The two databases."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


_WORDS: Mapping[Dialect, Mapping[str, str]] = {
    Dialect.SQLITE: {
        "bigint": "INTEGER",
        "decimal": "TEXT",
        "moment": "TEXT",
        "day": "TEXT",
        "flag": "INTEGER",
        "bytes": "BLOB",
        "json": "TEXT",
        "strict": "STRICT",
        "checks_view": """CREATE VIEW decision_checks AS
SELECT decisions.seq, "check".key + 1 AS place, "check".value ->> 'name' AS name,
       "check".value ->> 'passed' AS passed, "check".value ->> 'value' AS value,
       "check".value ->> 'limit' AS limit_value, "check".value ->> 'note' AS note
FROM decisions, json_each(decisions.checks) AS "check" """,
    },
    Dialect.POSTGRESQL: {
        "bigint": "BIGINT",
        "decimal": "NUMERIC",
        "moment": "TIMESTAMPTZ",
        "day": "DATE",
        "flag": "BOOLEAN",
        "bytes": "BYTEA",
        "json": "JSON",
        "strict": "",
        "checks_view": """CREATE VIEW decision_checks AS
SELECT decisions.seq, "check".place, "check".value ->> 'name' AS name,
       ("check".value ->> 'passed')::boolean AS passed, ("check".value ->> 'value')::numeric AS value,
       ("check".value ->> 'limit')::numeric AS limit_value, "check".value ->> 'note' AS note
FROM decisions, json_array_elements(decisions.checks) WITH ORDINALITY AS "check" (value, place)""",
    },
}


@cache
def statements(file: str) -> Mapping[str, str]:
    """Read every named statement of `queries/<file>.sql`; parameters are written `:name`."""
    parts = _NAME.split((_HERE / "queries" / f"{file}.sql").read_text())
    return dict(zip(parts[1::2], (sql.strip() for sql in parts[2::2]), strict=True))


@cache
def migrations(dialect: Dialect) -> tuple[tuple[int, str], ...]:
    """Read every migration with its number, in order; `0001_trail.sql` is number 1."""
    files = sorted((_HERE / "migrations").glob("[0-9][0-9][0-9][0-9]_*.sql"))
    return tuple((int(path.name[:4]), _spoken(path.read_text(), dialect)) for path in files)


@cache
def indexes() -> tuple[str, ...]:
    """Give the statements that make every missing index, one for each."""
    lines = (_HERE / "indexes.sql").read_text().splitlines()
    return tuple(line for line in lines if line.startswith("CREATE"))


def index(name: str) -> str:
    """Give the statement that makes one index, if it is missing."""
    return next(sql for sql in indexes() if f" {name} " in sql)


@cache
def percent_style(sql: str) -> str:
    """Write a statement's `:name` parameters the way psycopg wants them."""
    return _PARAMETER.sub(r"%(\1)s", sql.replace("%", "%%"))


def _spoken(text: str, dialect: Dialect) -> str:
    return Template(text).substitute(_WORDS[dialect])

"""SQL lives in .sql files, each statement under its name; here they are found."""

import re
from collections.abc import Mapping
from pathlib import Path

_HERE = Path(__file__).parent
_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def statements(file: str) -> Mapping[str, str]:
    """Read every named statement of `queries/<file>.sql`."""
    parts = _NAME.split((_HERE / "queries" / f"{file}.sql").read_text())
    return dict(zip(parts[1::2], (sql.strip() for sql in parts[2::2]), strict=True))


def migrations() -> tuple[tuple[int, str], ...]:
    """Read every migration with its number, in order; `0001_trail.sql` is number 1."""
    files = sorted((_HERE / "migrations").glob("[0-9][0-9][0-9][0-9]_*.sql"))
    return tuple((int(path.name[:4]), path.read_text()) for path in files)

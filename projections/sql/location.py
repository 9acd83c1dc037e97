"""Where an account's read models are: a SQLite file in the home folder, or a schema in PostgreSQL.

Here is all that knows of both: opening for writing and reading, building beside the live ones, taking their place.
"""

import re
from collections.abc import Generator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from contracts.base import Value
from contracts.ids import AccountId
from projections.sql import postgres, sqlite
from projections.sql.database import Database, Reader

_NUMBERED = re.compile(r"\.(\d+)$")


class Purpose(StrEnum):
    """Why read models are built beside the live ones."""

    REBUILD = "rebuild"
    COMPARE = "compare"


class Location(Value, frozen=True, kw_only=True):
    """One account's read models; with a `url` they are in PostgreSQL, else in the file at `path`."""

    account: AccountId
    path: Path
    url: str | None = None

    def __repr__(self) -> str:
        """Say where, without the password that the URL may hold."""
        return f"Location({self.name})"

    @property
    def schema(self) -> str:
        """Name the schema in PostgreSQL."""
        return postgres.schema_of(self.account)

    @property
    def name(self) -> str:
        """Say where, for people."""
        return str(self.path) if self.url is None else f"PostgreSQL schema {self.schema}"

    def open_writer(self) -> Database:
        """Open for the one writer; make what is missing."""
        return sqlite.open_writer(self.path) if self.url is None else postgres.open_writer(self.url, self.schema)

    def open_reader(self) -> Reader:
        """Open for questions; raise `FileNotFoundError` when there is nothing yet."""
        return sqlite.open_reader(self.path) if self.url is None else postgres.open_reader(self.url, self.schema)

    def open_still(self) -> Reader:
        """Open for questions that all see one and the same moment, however long they take."""
        reader = self.open_reader()
        reader.execute("BEGIN" if self.url is None else "BEGIN ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT count(*) FROM tracking").fetchone()  # the first question fixes the moment
        return reader

    @contextmanager
    def beside(self, purpose: Purpose) -> Generator["Beside"]:
        """Make empty read models beside the live ones; they are gone afterwards, unless they took their place.

        Raises `AlreadyBuildingError` when another process is at it; what a killed one left is thrown away.
        """
        built = _PgBeside(self, self.url, purpose) if self.url is not None else _SqliteBeside(self, purpose)
        try:
            yield built
        finally:
            built.throw_away()


class Beside:
    """Read models that are built beside the live ones."""

    database: Database

    def take_place(self) -> None:
        """Let them stand where the live ones stood; the database is closed afterwards."""
        raise NotImplementedError

    def throw_away(self) -> None:
        """Remove them, unless they took the live ones' place."""
        raise NotImplementedError


class _SqliteBeside(Beside):
    """A file beside the live one, under a name that no database has had since the live one was made."""

    def __init__(self, live: Location, purpose: Purpose) -> None:
        path = live.path
        self._live = path
        self._lock = sqlite.lock_for_building(path.with_name(f"{path.name}.{purpose}.lock"))
        self._path = (
            _next_name(path) if purpose is Purpose.REBUILD else path.with_name(f"{path.stem}.{purpose}.sqlite3")
        )
        self.database = sqlite.open_beside(self._path)

    def take_place(self) -> None:
        self.database.make_indexes()
        self.database.close()
        sqlite.take_place(self._path, self._live)

    def throw_away(self) -> None:
        self.database.close()
        if self._live.resolve() != self._path.resolve():
            sqlite.remove(self._path)
        self._lock.close()


class _PgBeside(Beside):
    """A schema beside the live one."""

    def __init__(self, live: Location, url: str, purpose: Purpose) -> None:
        self._live, self._url = live.schema, url
        self._built = postgres.open_beside(url, f"{live.schema}_{purpose}")
        self._took_place = False
        self.database = self._built

    def take_place(self) -> None:
        postgres.take_place(self._built, self._live, self._url)
        self._took_place = True

    def throw_away(self) -> None:
        try:
            if not self._took_place:
                postgres.drop(self._built)
        finally:
            postgres.let_others_build(self._built)
            self._built.close()


def _next_name(live: Path) -> Path:
    """Number files upwards: a name that was used before may still be in its old writer's hands."""
    numbered = _NUMBERED.search(live.resolve().stem)
    number = int(numbered[1]) + 1 if numbered else 1
    return live.with_name(f"{live.stem}.{number}{live.suffix}")

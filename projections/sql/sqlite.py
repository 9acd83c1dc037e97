"""Read models in a SQLite file: one writer and many readers, and a new file that takes an old one's place."""

import fcntl
import os
import sqlite3
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import batched, chain
from pathlib import Path
from typing import Any, BinaryIO

from projections.sql.database import AlreadyBuildingError, DatabaseUnavailableError, IntegrityError, NewerSchemaError
from projections.sql.statements import Dialect, indexes, migrations
from projections.sql.tables import Row, Table

BUSY_S_MAX = 5.0
"""How long a connection waits for another one's lock before it gives up."""
MAPPED_BYTES_MAX = 1 << 32
"""How much of a file that is being filled is read where it is: making an index reads all of its table."""
ROWS_AT_ONCE = 100
"""So many rows stand in one statement at most; with 30 columns that is a tenth of the values SQLite takes."""
_LOG_SUFFIXES = ("-wal", "-shm")


class SqliteDatabase:
    """One open file; `is_in_place` notices when it was deleted, or another one took its place."""

    dialect = Dialect.SQLITE

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Use an open connection; `open_writer` and `open_beside` make one."""
        self.path = path
        self._connection = connection
        self._identity = _identity(path)

    @property
    def name(self) -> str:
        """Name the file."""
        return str(self.path)

    def execute(self, sql: str, parameters: Mapping[str, Any] | None = None, /) -> sqlite3.Cursor:
        """Run one statement."""
        with _translated(self.name):
            return self._connection.execute(sql, parameters or {})

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Store everything inside together, or nothing."""
        with _translated(self.name):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def add(self, table: Table, rows: Iterable[Row]) -> None:
        """Write new rows."""
        self._write("INSERT", table, rows)

    def replace(self, table: Table, rows: Iterable[Row]) -> None:
        """Write rows over those with the same key."""
        self._write("INSERT OR REPLACE", table, rows)

    def _write(self, verb: str, table: Table, rows: Iterable[Row]) -> None:
        """Hand SQLite many rows at once: it stores them outside of Python, where another thread can go on."""
        for some in batched(rows, ROWS_AT_ONCE):
            self._connection.execute(_insert(verb, table, len(some)), tuple(chain.from_iterable(some)))

    def make_indexes(self) -> None:
        """Make every index that is missing."""
        with _translated(self.name):
            self._connection.executescript("".join(indexes()))

    def is_in_place(self) -> bool:
        """Say whether the path still leads to the file that is open here."""
        return _identity(self.path) == self._identity

    def close(self) -> None:
        """Let the file go."""
        self._connection.close()


def open_writer(path: Path) -> SqliteDatabase:
    """Open the file for its one writer, make it when it is missing, and bring its schema up to date.

    The journal is the truth, so a batch that a power cut takes back is only folded again: a WAL that is synced at
    checkpoints is durable enough.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        remove(path)  # logs of a database that was deleted under its writer must not be taken for a new one's
        path.touch(mode=0o600)
    database = _opened(path, ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL"))
    database.make_indexes()
    return database


def open_beside(path: Path) -> SqliteDatabase:
    """Make an empty database beside the live one, to be filled as fast as can be; it has no indexes yet.

    Nothing in it is safe before `take_place` has synced it: a rebuild that is killed begins anew.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    remove(path)
    path.touch(mode=0o600)
    return _opened(
        path,
        (
            "PRAGMA journal_mode = OFF",
            "PRAGMA synchronous = OFF",
            "PRAGMA locking_mode = EXCLUSIVE",
            "PRAGMA cache_size = -65536",
            f"PRAGMA mmap_size = {MAPPED_BYTES_MAX}",
        ),
    )


def take_place(built: Path, live: Path) -> None:
    """Let a finished, closed database stand where the live one stood.

    The live name becomes a link to the new file. SQLite names its logs after the file a link leads to, so neither
    the old writer nor a late reader can mix one database with the other's log: the old writer notices, and moves on.
    """
    with built.open("rb") as file:
        os.fsync(file.fileno())
    old = live.resolve()
    link = live.with_name(live.name + ".link")
    link.unlink(missing_ok=True)
    link.symlink_to(built.name)
    link.replace(live)
    _sync_directory(live.parent)
    for suffix in ("", *_LOG_SUFFIXES) if old != live.absolute() else _LOG_SUFFIXES:
        Path(f"{old}{suffix}").unlink(missing_ok=True)


def remove(path: Path) -> None:
    """Remove a database and what belongs to it."""
    for suffix in ("", *_LOG_SUFFIXES):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def lock_for_building(path: Path) -> BinaryIO:
    """Take the right to build beside; it ends with this process, or when the file is closed."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise AlreadyBuildingError(f"another process is at it already (it holds {path})") from None
    return file


def open_reader(path: Path) -> sqlite3.Connection:
    """Open an existing database for reading only; raise `FileNotFoundError` when there is none."""
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist (yet): the audit process writes it")
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_S_MAX)
    connection.row_factory = sqlite3.Row
    if _version(connection) == 0:  # its writer has only just made the file
        connection.close()
        raise FileNotFoundError(f"{path} is empty (yet): the audit process fills it")
    return connection


def migrate(connection: sqlite3.Connection) -> None:
    """Apply every migration that the database has not seen, each in its own transaction."""
    known = migrations(Dialect.SQLITE)
    version = _version(connection)
    if version > known[-1][0]:
        raise NewerSchemaError(f"the database has schema {version}, this program knows {known[-1][0]}")
    for number, sql in known:
        if number > version:
            connection.executescript(f"BEGIN IMMEDIATE;\n{sql}\nPRAGMA user_version = {number};\nCOMMIT;")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _opened(path: Path, pragmas: Sequence[str]) -> SqliteDatabase:
    connection = sqlite3.connect(path, timeout=BUSY_S_MAX, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    try:
        for pragma in pragmas:
            connection.execute(pragma)
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return SqliteDatabase(path, connection)


@contextmanager
def _translated(name: str) -> Generator[None]:
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise IntegrityError(f"{name}: {error}") from error
    except sqlite3.OperationalError as error:
        raise DatabaseUnavailableError(f"{name}: {error}") from error


@lru_cache(maxsize=256)
def _insert(verb: str, table: Table, rows: int) -> str:
    row = f"({', '.join('?' * len(table.columns))})"
    return f"{verb} INTO {table.name} ({', '.join(table.columns)}) VALUES {', '.join([row] * rows)}"


def _sync_directory(path: Path) -> None:
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino

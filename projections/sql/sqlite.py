"""Opens SQLite databases for one writer and many readers, and brings their schema up to date."""

import sqlite3
from pathlib import Path

from projections.sql.statements import migrations

BUSY_S_MAX = 5.0
"""How long a connection waits for another one's lock before it gives up."""


class NewerSchemaError(Exception):
    """The database was written by a newer version of this program."""


def open_writer(path: Path) -> sqlite3.Connection:
    """Open the database for its one writer, make it when it is missing, and migrate it.

    The journal is the truth, so a batch that a power cut takes back is only folded again: a WAL that is synced at
    checkpoints is durable enough.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        _forget_leftovers(path)
        path.touch(mode=0o600)
    connection = sqlite3.connect(path, timeout=BUSY_S_MAX, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """Open an existing database for reading only; raise `FileNotFoundError` when there is none."""
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist (yet): the audit process writes it")
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_S_MAX)
    connection.row_factory = sqlite3.Row
    return connection


def migrate(connection: sqlite3.Connection) -> None:
    """Apply every migration that the database has not seen, each in its own transaction."""
    known = migrations()
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > known[-1][0]:
        raise NewerSchemaError(f"the database has schema {version}, this program knows {known[-1][0]}")
    for number, sql in known:
        if number > version:
            connection.executescript(f"BEGIN IMMEDIATE;\n{sql}\nPRAGMA user_version = {number};\nCOMMIT;")


def _forget_leftovers(path: Path) -> None:
    """Remove the log files of a database that was deleted under its writer, lest they be taken for a new one's."""
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)

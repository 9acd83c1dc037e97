"""Read models in PostgreSQL: a schema for each account, a writer's and a reader's role, COPY in one transaction."""

import hashlib
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from typing import Any, ClassVar

import psycopg
from psycopg import sql as quoting
from psycopg.rows import RowMaker

from projections.sql.database import AlreadyBuildingError, DatabaseUnavailableError, IntegrityError, NewerSchemaError
from projections.sql.pg_copy import copy_text, copy_trail
from projections.sql.statements import Dialect, indexes, migrations, percent_style
from projections.sql.tables import TABLES, TRAIL, Row, Table

WRITER, READER = "lockgate_writer", "lockgate_reader"
"""Group roles: who logs in is made a member of one of them."""
CONNECT_S_MAX = 5
NAME_LETTERS_MAX = 40
"""PostgreSQL cuts names after 63 letters; ours get a prefix, and a suffix while they are built."""
_INDEXED = quoting.SQL("""
SELECT relname, array_agg(DISTINCT attname::text) FROM pg_index
JOIN pg_class ON pg_class.oid = indrelid
JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
WHERE relnamespace = current_schema()::regnamespace GROUP BY relname
""")
"""The columns of this schema by which rows are found: statistics of long JSON texts serve nobody."""


class PgRecord(tuple[Any, ...]):
    """One row by place, and by name as SQLite's rows are."""

    __slots__ = ()
    columns: ClassVar[Mapping[str, int]] = {}

    def __getitem__(self, key: Any, /) -> Any:
        """Give one column."""
        return tuple.__getitem__(self, self.columns[key] if isinstance(key, str) else key)

    def keys(self) -> Sequence[str]:
        """Name the columns."""
        return tuple(self.columns)


def _record_maker(cursor: psycopg.Cursor[Any]) -> RowMaker[PgRecord]:
    columns = {column.name: place for place, column in enumerate(cursor.description or ())}
    return type("PgRecord", (PgRecord,), {"__slots__": (), "columns": columns})


class PostgresDatabase:
    """One account's schema, open for writing; for questions too, since `execute` is all that a reader needs."""

    dialect = Dialect.POSTGRESQL

    def __init__(self, connection: psycopg.Connection[Any], schema: str) -> None:
        """Use an open connection; `open_writer`, `open_beside` and `open_reader` make one."""
        self.schema = schema
        self._connection = connection
        self._identity = self._schema_identity()

    @property
    def name(self) -> str:
        """Name database and schema."""
        return f"PostgreSQL schema {self.schema}"

    def execute(self, sql: str, parameters: Mapping[str, Any] | None = None, /) -> psycopg.Cursor[Any]:
        """Run one statement; the values are written into it, so that their types need not be guessed."""
        with _translated(self):
            cursor = psycopg.ClientCursor(self._connection, row_factory=_record_maker)
            return cursor.execute(percent_style(sql).encode(), parameters or {})

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Store everything inside together, or nothing."""
        with _translated(self), self._connection.transaction():
            yield

    def add(self, table: Table, rows: Iterable[Row]) -> None:
        """Write new rows."""
        if table is TRAIL:
            copy_trail(self._connection, table, rows)
        else:
            copy_text(self._connection, quoting.Identifier(table.name), table, rows)

    def replace(self, table: Table, rows: Iterable[Row]) -> None:
        """Write rows over those with the same key, by way of a table of this session."""
        stage, target = _stage(table), quoting.Identifier(table.name)
        copy_text(self._connection, stage, table, rows)
        columns = [quoting.Identifier(name) for name in table.columns]
        newer = quoting.SQL(", ").join(quoting.SQL("{0} = excluded.{0}").format(name) for name in columns)
        merge = quoting.SQL(
            "INSERT INTO {target} ({columns}) SELECT {columns} FROM {stage} ON CONFLICT ({key}) DO UPDATE SET {newer}"
        )
        self._connection.execute(
            merge.format(
                target=target,
                columns=quoting.SQL(", ").join(columns),
                stage=stage,
                key=quoting.SQL(", ").join(quoting.Identifier(name) for name in table.key),
                newer=newer,
            )
        )

    def run(self, statement: quoting.SQL | quoting.Composed) -> psycopg.Cursor[Any]:
        """Run one statement that names roles, schemas or tables."""
        with _translated(self):
            return self._connection.execute(statement)

    def make_indexes(self, some: Sequence[str] = ()) -> None:
        """Make every index that is missing, or only some of them."""
        with _translated(self):
            self._connection.execute("".join(some or indexes()).encode())

    def found_by(self) -> Sequence[tuple[str, Sequence[str]]]:
        """Name every table with the columns by which its rows are found."""
        return self.run(_INDEXED).fetchall()

    def analyze(self, tables: Sequence[tuple[str, Sequence[str]]]) -> None:
        """Tell the planner of what was filled, so far as questions are asked by it."""
        for table, columns in tables:
            names = quoting.SQL(", ").join(quoting.Identifier(name) for name in columns)
            self.run(quoting.SQL("ANALYZE {} ({})").format(quoting.Identifier(table), names))

    def is_in_place(self) -> bool:
        """Say whether the schema's name still means the schema that is open here."""
        return self._schema_identity() == self._identity

    def close(self) -> None:
        """Let the connection go."""
        self._connection.close()

    def make_stages(self) -> None:
        """Make the session's own tables through which rows are replaced."""
        made = quoting.SQL("CREATE TEMP TABLE {} (LIKE {}) ON COMMIT DELETE ROWS")
        for table in TABLES:
            if table.replaces:
                self._connection.execute(made.format(_stage(table), quoting.Identifier(table.name)))

    def _schema_identity(self) -> int | None:
        with _translated(self):
            asked = self._connection.execute("SELECT to_regnamespace(%s)::oid::bigint", [f'"{self.schema}"'])
            found = asked.fetchone()
        return None if found is None else found[0]


def schema_of(account: str) -> str:
    """Name the schema that holds one account's read models."""
    if len(account) > NAME_LETTERS_MAX:
        account = hashlib.blake2b(account.encode(), digest_size=16).hexdigest()
    return f"lockgate_{account}"


def open_writer(url: str, schema: str) -> PostgresDatabase:
    """Open the schema for its one writer, make it when it is missing, and bring it up to date.

    The journal is the truth, so a batch that a crash takes back is only folded again: commits need not wait for the
    disk. Whatever a crash takes back, it takes back position and rows together.
    """
    database = _writer(url, schema, fresh=False)
    database.make_indexes()
    _grant_reading(database)
    return database


def open_beside(url: str, schema: str) -> PostgresDatabase:
    """Make an empty schema, also where another one was left, to be filled fast: it has no indexes yet."""
    return _writer(url, schema, fresh=True)


def take_place(built: PostgresDatabase, live: str, url: str) -> None:
    """Let a finished schema stand where the live one stood; readers see the old one or the new one, never neither."""
    _prepare_for_questions(built, url)
    _grant_reading(built)
    with built.transaction():
        live_name, old_name = quoting.Identifier(live), quoting.Identifier(live + "_old")
        run = built.run
        run(quoting.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(old_name))
        run(quoting.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(live_name))
        run(quoting.SQL("ALTER SCHEMA {} RENAME TO {}").format(live_name, old_name))
        run(quoting.SQL("ALTER SCHEMA {} RENAME TO {}").format(quoting.Identifier(built.schema), live_name))
        run(quoting.SQL("DROP SCHEMA {} CASCADE").format(old_name))


def _prepare_for_questions(built: PostgresDatabase, url: str) -> None:
    """Make indexes and statistics over two connections, each half of them: the server works on both at once."""
    with closing(_colleague(built, url)) as colleague, ThreadPoolExecutor(max_workers=2) as threads:

        def by_halves[T](work: Callable[[PostgresDatabase, Sequence[T]], None], items: Sequence[T]) -> None:
            list(threads.map(work, (built, colleague), (items[::2], items[1::2])))  # raises what either raised

        by_halves(PostgresDatabase.make_indexes, indexes())
        by_halves(PostgresDatabase.analyze, built.found_by())  # by the indexes, too, which are there only now


def _colleague(database: PostgresDatabase, url: str) -> PostgresDatabase:
    """Open a second connection of the same writer into the same schema."""
    connection = connect(url)
    try:
        _take_role(connection, WRITER)
        _look_into(connection, database.schema)
        return PostgresDatabase(connection, database.schema)
    except BaseException:
        connection.close()
        raise


def drop(built: PostgresDatabase) -> None:
    """Remove a schema that was built beside the live one."""
    built.run(quoting.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(quoting.Identifier(built.schema)))


def let_others_build(built: PostgresDatabase) -> None:
    """Give the right to build up now; a server notices a closed connection only after a while."""
    with suppress(DatabaseUnavailableError):  # with the connection the right is gone, too
        built.execute("SELECT pg_advisory_unlock_all()")


def open_reader(url: str, schema: str) -> PostgresDatabase:
    """Open an existing schema for reading only; raise `FileNotFoundError` when there is none."""
    connection = connect(url)
    try:
        _take_role(connection, READER)
        connection.execute("SET default_transaction_read_only = on")
        _look_into(connection, schema)
        found = connection.execute("SELECT to_regclass('tracking') IS NOT NULL").fetchone()
    except BaseException:
        connection.close()
        raise
    if found is None or not found[0]:
        connection.close()
        raise FileNotFoundError(f"PostgreSQL schema {schema} does not exist (yet): the audit process writes it")
    return PostgresDatabase(connection, schema)


def connect(url: str) -> psycopg.Connection[Any]:
    """Connect, with every statement its own transaction unless one is begun."""
    try:
        return psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_S_MAX, application_name="lockgate")
    except psycopg.OperationalError as error:
        raise DatabaseUnavailableError(f"PostgreSQL: {error}") from error


def make_roles(connection: psycopg.Connection[Any]) -> None:
    """Make the writer's and the reader's role where that is allowed; without them the login's own rights count."""
    allowed = connection.execute(
        "SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    if allowed is None or not allowed[0]:
        return
    for role in (WRITER, READER):
        with suppress(psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
            connection.execute(quoting.SQL("CREATE ROLE {} NOLOGIN").format(quoting.Identifier(role)))
    database = quoting.Identifier(connection.info.dbname)
    with suppress(psycopg.errors.InsufficientPrivilege):
        connection.execute(
            quoting.SQL("GRANT CREATE ON DATABASE {} TO {}").format(database, quoting.Identifier(WRITER))
        )


def _writer(url: str, schema: str, *, fresh: bool) -> PostgresDatabase:
    connection = connect(url)
    try:
        make_roles(connection)
        _take_role(connection, WRITER)
        connection.execute("SET synchronous_commit = off")
        connection.execute("SET client_min_messages = warning")
        with suppress(psycopg.errors.InvalidParameterValue):  # built without it
            connection.execute("SET default_toast_compression = lz4")
        name = quoting.Identifier(schema)
        if fresh:
            _lock_for_building(connection, schema)
            connection.execute(quoting.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(name))
        connection.execute(quoting.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(name))
        _look_into(connection, schema)
        migrate(connection)
        database = PostgresDatabase(connection, schema)
        database.make_stages()
    except psycopg.OperationalError as error:
        connection.close()
        raise DatabaseUnavailableError(f"PostgreSQL: {error}") from error
    except BaseException:
        connection.close()
        raise
    return database


def migrate(connection: psycopg.Connection[Any]) -> None:
    """Apply every migration that the schema has not seen, each in its own transaction."""
    known = migrations(Dialect.POSTGRESQL)
    connection.execute("CREATE TABLE IF NOT EXISTS migrations (number BIGINT PRIMARY KEY)")
    found = connection.execute("SELECT coalesce(max(number), 0) FROM migrations").fetchone()
    version = 0 if found is None else int(found[0])
    if version > known[-1][0]:
        raise NewerSchemaError(f"the database has schema {version}, this program knows {known[-1][0]}")
    for number, text in known:
        if number > version:
            with connection.transaction():
                connection.execute(text.encode())
                connection.execute("INSERT INTO migrations VALUES (%s)", [number])


def _take_role(connection: psycopg.Connection[Any], role: str) -> None:
    """Act as a group role when the login belongs to it, so that all its members own and may do the same."""
    found = connection.execute(
        "SELECT pg_has_role(current_user, oid, 'MEMBER') FROM pg_roles WHERE rolname = %s", [role]
    ).fetchone()
    if found is not None and found[0]:
        connection.execute(quoting.SQL("SET ROLE {}").format(quoting.Identifier(role)))


def _lock_for_building(connection: psycopg.Connection[Any], schema: str) -> None:
    """Take the right to build a schema; it ends with the connection."""
    taken = connection.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [schema]).fetchone()
    if taken is None or not taken[0]:
        raise AlreadyBuildingError(f"another process builds {schema} already")


def _look_into(connection: psycopg.Connection[Any], schema: str) -> None:
    connection.execute(quoting.SQL("SET search_path TO {}, pg_temp").format(quoting.Identifier(schema)))


def _grant_reading(database: PostgresDatabase) -> None:
    if database.run(quoting.SQL("SELECT 1 FROM pg_roles WHERE rolname = {}").format(READER)).fetchone() is None:
        return
    schema, reader = quoting.Identifier(database.schema), quoting.Identifier(READER)
    database.run(quoting.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, reader))
    database.run(quoting.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {}").format(schema, reader))


def _stage(table: Table) -> quoting.Identifier:
    return quoting.Identifier(f"stage_{table.name}")


@contextmanager
def _translated(database: PostgresDatabase) -> Generator[None]:
    try:
        yield
    except psycopg.IntegrityError as error:
        raise IntegrityError(f"{database.schema}: {error}") from error
    except (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.UndefinedTable) as error:
        # A schema that was swapped or dropped under the writer is found missing by its next statement.
        raise DatabaseUnavailableError(f"{database.schema}: {error}") from error

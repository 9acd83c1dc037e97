"""What the read models need of a database: one writer's transactions, many readers' questions."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from projections.sql.statements import Dialect
from projections.sql.tables import Row, Table


class IntegrityError(Exception):
    """Another writer has folded this stretch already, or the rows and the position do not belong together."""


class DatabaseUnavailableError(Exception):
    """The database cannot be reached, is locked, or broke off; nothing of the last batch is stored, or all of it."""


class NewerSchemaError(Exception):
    """The database was written by a newer version of this program."""


class AlreadyBuildingError(Exception):
    """Somebody else builds the same read models beside the live ones now."""


class Answer(Protocol):
    """The rows that a question brought."""

    def fetchone(self) -> Any:
        """Give the next row, None after the last."""
        ...

    def __iter__(self) -> Iterator[Any]:
        """Give the rows that are left."""
        ...


class Reader(Protocol):
    """A connection for questions; SQL has its parameters as `:name`, and both databases understand it."""

    def execute(self, sql: str, parameters: Mapping[str, Any] = ..., /) -> Answer:
        """Ask a question."""
        ...

    def close(self) -> None:
        """Let the connection go."""
        ...


class Database(Protocol):
    """A connection for the one writer."""

    @property
    def name(self) -> str:
        """Say which database this is, without secrets."""
        ...

    @property
    def dialect(self) -> Dialect:
        """Say which of the two it is."""
        ...

    def execute(self, sql: str, parameters: Mapping[str, Any] = ..., /) -> Answer:
        """Run one statement with `:name` parameters."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Store everything inside together, or nothing.

        Raises `IntegrityError` on rows that exist already, `DatabaseUnavailableError` when the database breaks off.
        """
        ...

    def add(self, table: Table, rows: Sequence[Row]) -> None:
        """Write new rows."""
        ...

    def replace(self, table: Table, rows: Iterable[Row]) -> None:
        """Write rows over those with the same key."""
        ...

    def make_indexes(self) -> None:
        """Make every index that is missing."""
        ...

    def is_in_place(self) -> bool:
        """Say whether what is open here is still what others find under its name."""
        ...

    def close(self) -> None:
        """Let the database go."""
        ...

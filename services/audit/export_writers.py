"""One writer for each format of an export; Parquet needs pyarrow, which is installed on request."""

import csv
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TextIO

from services.audit.export import COLUMNS, ExportFaultError, Format, line_of, row_of
from services.runtime.keys import PRIVATE_MODE
from services.runtime.ports import Received

ROWS_PER_GROUP = 10_000
_BUFFER_BYTES = 1 << 20


class Writer(Protocol):
    """Takes messages in order and ends in a whole file."""

    def write(self, received: Received, digest: bytes) -> None:
        """Add one message; `digest` is the chain up to and including it."""
        ...

    def close(self) -> None:
        """Bring everything to the disk."""
        ...


class JsonLinesWriter:
    """One message a line, byte for byte; the format that can be read again."""

    def __init__(self, path: Path) -> None:
        """Begin a file."""
        self._file = os.fdopen(_private(path), "wb", buffering=_BUFFER_BYTES)

    def write(self, received: Received, digest: bytes) -> None:
        """Add one line."""
        del digest  # follows from the lines
        self._file.write(line_of(received) + b"\n")

    def close(self) -> None:
        """Bring everything to the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()


class CsvWriter:
    """One message a row, for spreadsheets."""

    def __init__(self, path: Path) -> None:
        """Begin a file with its header row."""
        self._file: TextIO = os.fdopen(_private(path), "w", newline="", encoding="utf-8", buffering=_BUFFER_BYTES)
        self._rows: csv.DictWriter[str] = csv.DictWriter(self._file, COLUMNS)
        self._rows.writeheader()

    def write(self, received: Received, digest: bytes) -> None:
        """Add one row."""
        row = row_of(received, digest)
        times = {name: row[name].isoformat() for name in ("at", "event_at") if row[name] is not None}
        self._rows.writerow(row | times)

    def close(self) -> None:
        """Bring everything to the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()


class ParquetWriter:
    """One message a row, in typed columns, for analysis."""

    def __init__(self, path: Path) -> None:
        """Begin a file; raise `ExportFaultError` when pyarrow is not installed."""
        try:
            import pyarrow as pa  # noqa: PLC0415 - an optional dependency of 40 MB that only this format needs
            import pyarrow.parquet as pq  # noqa: PLC0415
        except ImportError as error:
            raise ExportFaultError(
                "Parquet needs pyarrow: install it with `uv sync --group parquet`, or export as csv or jsonl"
            ) from error
        self._table: Callable[..., Any] = pa.Table.from_pylist
        self._schema = pa.schema([(name, _kind(pa, name)) for name in COLUMNS])
        os.close(_private(path))
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")
        self._rows: list[dict[str, Any]] = []

    def write(self, received: Received, digest: bytes) -> None:
        """Add one row; rows go to the file in groups."""
        self._rows.append(row_of(received, digest))
        if len(self._rows) >= ROWS_PER_GROUP:
            self._flush()

    def close(self) -> None:
        """Bring everything to the disk."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(self._table(self._rows, schema=self._schema))
            self._rows = []


WRITERS: dict[Format, Callable[[Path], Writer]] = {
    Format.JSONL: JsonLinesWriter,
    Format.CSV: CsvWriter,
    Format.PARQUET: ParquetWriter,
}


def _kind(pa: Any, column: str) -> Any:
    if column in {"seq", "version", "epoch", "causation_seq"}:
        return pa.int64()
    return pa.timestamp("us", tz="UTC") if column in {"at", "event_at"} else pa.string()


def _private(path: Path) -> int:
    """Make a file that only its owner can read; one that is there already is not written over."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_MODE)

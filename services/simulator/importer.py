"""Brings other recordings into a tape: `python -m services.simulator.importer bars.csv tape/ --kind minutes`."""

import argparse
import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path

from services.simulator.tape.recordings import BAR_COLUMNS, QUOTE_COLUMNS, moment, write

COLUMNS = {"minutes": BAR_COLUMNS, "daily": BAR_COLUMNS, "quotes": QUOTE_COLUMNS}
TEXTS = frozenset({"symbol", "time"})


class ImportRefusedError(Exception):
    """A row that cannot be part of a tape, with its line."""


def imported(
    rows: Iterator[Mapping[str, str]], kind: str, names: Mapping[str, str], symbol: str | None
) -> list[tuple[str, ...]]:
    """Return the rows in the tape's columns, sorted by symbol and time, or refuse the first bad one."""
    found: list[tuple[str, ...]] = []
    for line, row in enumerate(rows, start=2):
        try:
            found.append(tuple(_cell(row, name, names, symbol) for name in COLUMNS[kind]))
        except (KeyError, ValueError, InvalidOperation) as error:
            raise ImportRefusedError(f"line {line}: {error!r}") from error
    return sorted(found, key=lambda row: (row[0], moment(row[1])))


def _cell(row: Mapping[str, str], name: str, names: Mapping[str, str], symbol: str | None) -> str:
    if name == "symbol" and symbol is not None:
        return symbol
    text = row[names.get(name, name)].strip()
    if name == "time":
        return moment(text).isoformat() if "+" in text else text
    if name in TEXTS:
        return text.upper()
    value = Decimal(text)
    if not value.is_finite() or value < 0:
        raise ValueError(f"{name} is {text}")
    return text


def renames(texts: Sequence[str]) -> dict[str, str]:
    """Read `tape_column=their_column` pairs."""
    pairs = [text.partition("=") for text in texts]
    return {ours: theirs for ours, _, theirs in pairs}


def main(arguments: Sequence[str]) -> int:
    """Convert one CSV file."""
    parser = argparse.ArgumentParser(prog="services.simulator.importer", description=__doc__)
    parser.add_argument("source", type=Path, help="CSV file with a header")
    parser.add_argument("folder", type=Path, help="tape folder, made when it does not exist")
    parser.add_argument("--kind", choices=sorted(COLUMNS), required=True)
    parser.add_argument("--symbol", help="symbol of every row, for files of one symbol")
    parser.add_argument("--column", action="append", default=[], metavar="OURS=THEIRS", help="rename a column")
    given = parser.parse_args(arguments)
    with given.source.open(newline="") as file:
        rows = imported(csv.DictReader(file), given.kind, renames(given.column), given.symbol)
    given.folder.mkdir(parents=True, exist_ok=True)
    target: Path = given.folder / f"{given.source.stem}.{given.kind}.csv.gz"
    write(target, COLUMNS[given.kind], rows)
    sys.stdout.write(f"{len(rows)} rows in {target}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

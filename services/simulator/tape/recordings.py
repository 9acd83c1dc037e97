"""Reads and writes recordings: gzip CSV files, one kind of row each (see the README beside)."""

import csv
import gzip
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec

from services.simulator.tape.forms import SECONDS, Bar, DayBar, Tick

BAR_COLUMNS = ("symbol", "time", "open", "high", "low", "close", "volume")
QUOTE_COLUMNS = ("symbol", "time", "bid", "ask", "bid_size", "ask_size")
LONGEST_GAP_MINUTES = 10


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a tape folder holds, by symbol; each session of minutes is a list of its own."""

    sessions: dict[str, list[list[Bar]]]
    daily: dict[str, list[DayBar]]
    quotes: dict[str, list[list[Tick]]]


def whole_cents(text: str) -> int:
    """Return a price in cents, rounded half even where the recording is finer."""
    return int((Decimal(text) * 100).to_integral_value())


def moment(text: str) -> datetime:
    """Return the time of a row; one without an offset is taken as UTC, since only its order matters."""
    parsed = datetime.fromisoformat(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def rows(path: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a recording."""
    with gzip.open(path, "rt", newline="") as file:
        yield from csv.DictReader(file)


def write(path: Path, columns: tuple[str, ...], lines: Iterable[Iterable[object]]) -> None:
    """Write a recording so that the same rows give the same bytes."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(lines)
    path.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))


def bar_of(row: dict[str, str]) -> Bar:
    """Return the bar of a row in cents."""
    prices = [whole_cents(row[name]) for name in ("open", "high", "low", "close")]
    return Bar(prices[0], max(prices), min(prices), prices[3], int(Decimal(row["volume"])))


def read(folder: Path) -> Recording:
    """Read every recording of a tape folder."""
    sessions: dict[str, list[list[Bar]]] = defaultdict(list)
    daily: dict[str, list[DayBar]] = defaultdict(list)
    quotes: dict[str, list[list[Tick]]] = defaultdict(list)
    for path in sorted(folder.glob("*.minutes.csv.gz")):
        _read_minutes(path, sessions)
    for path in sorted(folder.glob("*.daily.csv.gz")):
        for row in rows(path):
            daily[row["symbol"]].append(DayBar(moment(row["time"]).date(), bar_of(row)))
    for path in sorted(folder.glob("*.quotes.csv.gz")):
        _read_quotes(path, quotes)
    return Recording(sessions=dict(sessions), daily=dict(daily), quotes=dict(quotes))


def _read_minutes(path: Path, sessions: dict[str, list[list[Bar]]]) -> None:
    latest: dict[str, datetime] = {}
    for row in rows(path):
        symbol, at = row["symbol"], moment(row["time"])
        if symbol not in latest or at.date() != latest[symbol].date():
            sessions[symbol].append([])
        sessions[symbol][-1].append(bar_of(row))
        latest[symbol] = at


def _read_quotes(path: Path, quotes: dict[str, list[list[Tick]]]) -> None:
    """Group quotes by minute; a gap longer than ten minutes is cut short to ten."""
    latest: dict[str, int] = {}
    for row in rows(path):
        symbol, at = row["symbol"], moment(row["time"])
        minute = int(at.timestamp()) // SECONDS
        gap = min(LONGEST_GAP_MINUTES, minute - latest.get(symbol, minute - 1))
        quotes[symbol].extend([] for _ in range(gap))
        latest[symbol] = minute
        quotes[symbol][-1].append(_tick(row, at.timestamp() % SECONDS))


def _tick(row: dict[str, str], offset: float) -> Tick:
    bid, ask = whole_cents(row["bid"]), whole_cents(row["ask"])
    sizes = int(Decimal(row["bid_size"])), int(Decimal(row["ask_size"]))
    return Tick(offset, bid, ask, *sizes, last=(bid + ask) // 2, last_size=1)

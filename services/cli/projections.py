"""`lockgate projections`: how far the SQL read models are; build them anew; prove that they are what they must be."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Literal

import msgspec

from contracts.ids import AccountId
from contracts.subjects import REGIME_STREAM
from projections.sql.comparison import Difference, count, differences
from projections.sql.database import AlreadyBuildingError, DatabaseUnavailableError, IntegrityError, Reader
from projections.sql.location import Beside, Location, Purpose
from projections.sql.store import Store
from projections.sql.tables import TABLES
from projections.sql.tracking import position_of
from projections.sql.trail import position
from services.audit.location import read_models_of
from services.audit.preparation import JournalAddress, PreparationError
from services.audit.rebuilding import READ_AHEAD_FROM, build, build_quickly, build_regimes
from services.audit.regimes import known_regimes
from services.cli.link import linked, operator_at
from services.cli.outcome import FAILED, OK, CommandError, UnreachableError, UsageError
from services.cli.progress import progress
from services.cli.terminal import AsJson, Home, chosen_home, console, say_json
from services.runtime.connection import Connection, inbox_prefix
from services.runtime.jetstream import JetStreamJournal
from services.runtime.setting_values import SettingsError
from services.runtime.settings import load_settings

CANNOT_RUN = 2
DIFFERENCES_SHOWN = 20

type Action = Literal["status", "rebuild", "compare"]


class CannotCompareError(CommandError):
    """Nothing was compared."""

    exit_code = CANNOT_RUN


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How far the read models are behind the journal; `lag` is None when the journal could not be asked."""

    where: str
    position: int
    journal_seq: int | None
    lag: int | None
    rows: dict[str, int]


class Rebuilt(msgspec.Struct, frozen=True, kw_only=True):
    """What was built, and how fast."""

    where: str
    events: int
    seconds: str
    events_per_s: int


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """What a comparison found."""

    equal: bool
    upto_seq: int
    rows: dict[str, int]
    differing: dict[str, int]
    differences: list[Difference]


def projections(action: Action, /, *, home: Home = None, as_json: AsJson = False) -> int:
    """Look after the SQL read models.

    `status` says where they are and how far behind the journal. `rebuild` folds the whole journal into new ones
    beside those that serve, and lets them take their place; the audit process goes on with them by itself. `compare`
    does the same without taking the place, and compares row by row: the exit code is 0 when all are equal, 1 when any
    differs, 2 when it cannot be said.

    ```
    lockgate projections status
    lockgate projections rebuild
    lockgate projections compare --json
    ```

    Args:
        action: What to do: status, rebuild or compare.
        home: The instance's folder.
        as_json: Print JSON for programs.
    """
    folder = chosen_home(home)
    try:
        match action:
            case "status":
                return _status(folder, as_json=as_json)
            case "rebuild":
                return asyncio.run(_rebuild(folder, as_json=as_json))
            case "compare":
                return asyncio.run(_compare(folder, as_json=as_json))
    except CommandError as error:
        if action == "compare":
            raise CannotCompareError(f"cannot compare: {error}") from error
        raise


def _status(home: Path, *, as_json: bool) -> int:
    location = _location(home)
    with closing(_reader(location)) as reader:
        at, rows = position(reader), _counts(reader)
    journal_seq = asyncio.run(_journal_seq(home, location.account))
    lag = None if journal_seq is None else max(journal_seq - at, 0)
    status = Status(where=location.name, position=at, journal_seq=journal_seq, lag=lag, rows=rows)
    if as_json:
        say_json(status)
        return OK
    terminal = console()
    behind = "the journal cannot be asked: nothing runs here" if lag is None else f"{lag} events behind the journal"
    terminal.tell(f"{status.where}: folded up to {at}, {behind}")
    for name, number in rows.items():
        terminal.tell(f"  {name:<18} {number:>10,} rows")
    return OK


async def _journal_seq(home: Path, account: AccountId) -> int | None:
    try:
        async with _journal(home, account) as (journal, _):
            return await journal.last_seq()
    except UnreachableError:
        return None


async def _rebuild(home: Path, *, as_json: bool) -> int:
    location = _location(home)
    async with _journal(home, location.account) as (journal, link):
        upto_seq, began = await journal.last_seq(), asyncio.get_running_loop().time()
        with _building(location, Purpose.REBUILD) as built:
            await _fill(home, built, journal, upto_seq)
            await build_regimes(known_regimes(link), Store(built.database, journal.account))
            await asyncio.to_thread(built.take_place)
    took_s = max(asyncio.get_running_loop().time() - began, 0.001)
    told = Rebuilt(where=location.name, events=upto_seq, seconds=f"{took_s:.2f}", events_per_s=int(upto_seq / took_s))
    if as_json:
        say_json(told)
    else:
        console().tell(f"{told.where}: {upto_seq} events in {told.seconds} s, {told.events_per_s} a second")
    return OK


async def _compare(home: Path, *, as_json: bool) -> int:
    location = _location(home)
    with closing(_reader(location, still=True)) as live:
        upto_seq = position(live)
        async with _journal(home, location.account) as (journal, link):
            if upto_seq > await journal.last_seq():
                raise CommandError(f"{location.name} stands at {upto_seq}, beyond the end of the journal")
            with _building(location, Purpose.COMPARE) as built:
                await _fill(home, built, journal, upto_seq)
                await build_regimes(known_regimes(link, _regimes_upto(live)), Store(built.database, journal.account))
                compared = _held_against(live, built.database, upto_seq)
    if as_json:
        say_json(compared)
    else:
        _tell(compared)
    return OK if compared.equal else FAILED


def _held_against(live: Reader, rebuilt: Reader, upto_seq: int) -> Compared:
    shown: list[Difference] = []
    differing = Counter[str]()
    for table in TABLES:
        for difference in differences(live, rebuilt, table):
            differing[table.name] += 1
            if len(shown) < DIFFERENCES_SHOWN:
                shown.append(difference)
    return Compared(
        equal=not differing, upto_seq=upto_seq, rows=_counts(rebuilt), differing=dict(differing), differences=shown
    )


def _tell(compared: Compared) -> None:
    terminal = console()
    if compared.equal:
        total = sum(compared.rows.values())
        terminal.tell(f"equal: {total} rows of {len(compared.rows)} tables, up to {compared.upto_seq}", "green")
        return
    for one in islice(compared.differences, DIFFERENCES_SHOWN):
        terminal.tell(f"{one.table} {one.key} {one.column}: live {one.live}, rebuilt {one.rebuilt}", "red")
    for name, number in compared.differing.items():
        terminal.tell(f"{number} rows of {name} differ", "bold red")


async def _fill(home: Path, built: Beside, journal: JetStreamJournal, upto_seq: int) -> None:
    store = Store(built.database, journal.account)
    with progress("folding the journal", upto_seq) as shown:
        if upto_seq < READ_AHEAD_FROM:
            await build(journal, store, upto_seq, shown.at)
        else:
            await build_quickly(_address(home, journal.account), store, upto_seq, shown.at)


def _regimes_upto(live: Reader) -> int:
    return position_of(live, REGIME_STREAM) or 0


@contextmanager
def _building(location: Location, purpose: Purpose) -> Generator[Beside]:
    try:
        with location.beside(purpose) as built:
            yield built
    except (AlreadyBuildingError, IntegrityError, PreparationError) as error:
        raise CommandError(str(error)) from error
    except DatabaseUnavailableError as error:
        raise UnreachableError(str(error)) from error


def _counts(reader: Reader) -> dict[str, int]:
    return {table.name: count(reader, table) for table in TABLES}


def _location(home: Path) -> Location:
    try:
        return read_models_of(load_settings(home))
    except SettingsError as error:
        raise UsageError(str(error)) from error


def _reader(location: Location, *, still: bool = False) -> Reader:
    try:
        return location.open_still() if still else location.open_reader()
    except (FileNotFoundError, DatabaseUnavailableError) as error:
        raise UnreachableError(str(error)) from error


def _address(home: Path, account: AccountId) -> JournalAddress:
    who = operator_at(home)
    return JournalAddress(who.nats_url, who.inbox_prefix.removeprefix(inbox_prefix("")), who.nkey_seed, account)


@asynccontextmanager
async def _journal(home: Path, account: AccountId) -> AsyncGenerator[tuple[JetStreamJournal, Connection], None]:
    async with linked(operator_at(home)) as link:
        yield JetStreamJournal(link, account), link

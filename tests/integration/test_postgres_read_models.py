"""The audit process with its read models in SQLite and PostgreSQL: rebuilt and compared while it runs, and killed."""

import asyncio
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from contracts import subjects
from contracts.codec import encode
from contracts.enums import Regime
from contracts.ids import Symbol
from contracts.market import RegimeChanged
from ops.bench.long_day import events
from projections.sql.database import DatabaseUnavailableError
from projections.sql.location import Location
from projections.sql.trail import position
from services.audit.preparation import JournalAddress, PreparationError
from services.audit.rebuilding import build, build_quickly
from services.cli.credential_files import Participant, operator_path
from services.cli.outcome import FAILED, OK
from services.runtime.jetstream import JetStreamJournal
from services.runtime.keys import write_private
from tests.nats_server import PAPER, NatsServer
from tests.read_models import KINDS, content, opened
from tests.story_events import OPEN, Written, kill
from tests.waiting import until

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).resolve().parents[2]
CANNOT_RUN = 2
WAIT_S = 30
LONG = 3_000


@dataclass
class Instance:
    """A home with an audit process, without the rest of the system."""

    server: NatsServer
    home: Path
    url: str | None
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        write_private(self.home / "credentials" / "processes" / "audit.seed", self.server.seeds["audit"])
        operator = Participant(
            account=PAPER,
            agent="_operator",
            http_url="",
            api_key="",
            nats_url=self.server.url,
            nkey_seed=self.server.seeds["operator"],
            inbox_prefix="_INBOX_operator",
        )
        write_private(operator_path(self.home), encode(operator).decode())

    @property
    def location(self) -> Location:
        return Location(account=PAPER, path=self.home / "audit" / "trail.sqlite3", url=self.url)

    @property
    def environ(self) -> dict[str, str]:
        told = {"LOCKGATE_NATS_URL": self.server.url, "LOG_FORMAT": "json", "DATABASE_URL": self.url or ""}
        return os.environ | told | {"LOCKGATE_EXTERNAL_ORDERS": "adopt"}

    def start(self) -> subprocess.Popen[bytes]:
        with (self.home / "audit.log").open("ab") as log:
            command = [sys.executable, "-m", "services.audit", "--home", str(self.home)]
            self.started.append(subprocess.Popen(command, env=self.environ, stdout=log, stderr=log, cwd=ROOT))
        return self.started[-1]

    def stored(self) -> int:
        """How far the read models are, 0 while nobody can say."""
        with suppress(FileNotFoundError, DatabaseUnavailableError), closing(self.location.open_reader()) as reader:
            return position(reader)
        return 0

    async def stands_at(self, journal: JetStreamJournal) -> int:
        """Wait until everything in the journal is folded, checkpoints drawn meanwhile included."""
        while True:
            last_seq = await journal.last_seq()
            await until(lambda at=last_seq: self.stored() >= at)
            if last_seq == await journal.last_seq():
                return last_seq

    async def lockgate(self, *words: str) -> int:
        """Run the command as a person would."""
        return await asyncio.to_thread(self.command(*words).wait, WAIT_S)

    def command(self, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "services.cli", "projections", *words, "--home", str(self.home)]
        return subprocess.Popen(command, env=self.environ, cwd=ROOT)

    def end(self) -> None:
        for process in self.started:
            process.kill()
            process.wait()


@pytest.fixture(params=KINDS)
def instance(request: pytest.FixtureRequest, own_nats_server: NatsServer, tmp_path: Path) -> Iterator[Instance]:
    postgres = request.getfixturevalue("own_postgres_server") if request.param == "postgresql" else None
    made = Instance(own_nats_server, tmp_path, None if postgres is None else postgres.url())
    yield made
    made.end()


@pytest.fixture
async def journal(instance: Instance) -> AsyncIterator[JetStreamJournal]:
    connection = await instance.server.connect(reconnect=True)
    yield JetStreamJournal(connection, PAPER)
    await connection.close()


async def write(journal: JetStreamJournal, day: list[Written]) -> None:
    for some in itertools.batched(day, 500):
        await asyncio.gather(*(journal.append(*written) for written in some))


async def stop(process: subprocess.Popen[bytes]) -> int:
    process.send_signal(signal.SIGTERM)
    return await asyncio.to_thread(process.wait, WAIT_S)


def seqs(instance: Instance) -> list[int]:
    with closing(instance.location.open_reader()) as reader:
        return [int(row[0]) for row in reader.execute("SELECT seq FROM trail ORDER BY seq")]


async def whole(instance: Instance, journal: JetStreamJournal) -> None:
    """Nothing was lost, nothing doubled: every journal event once, all rows as a fold from nothing makes them."""
    last_seq = await instance.stands_at(journal)
    assert seqs(instance)[:last_seq] == list(range(1, last_seq + 1))
    assert await instance.lockgate("compare") == OK


def regime(symbol: str) -> tuple[str, RegimeChanged]:
    change = RegimeChanged(
        symbol=Symbol(symbol), regime=Regime.TREND, previous=None, confidence=1, reasons=("measured",), at=OPEN
    )
    return subjects.regime(Symbol(symbol)), change


async def test_read_models_are_rebuilt_under_a_running_audit_and_equal_what_was_there(instance, journal):
    await write(journal, list(events(2_000, PAPER)))
    for subject, change in (regime("AAPL"), regime("BRK.B")):
        await journal._connection.jetstream().publish(subject, encode(change))
    process = instance.start()
    await instance.stands_at(journal)
    before = content(instance.location)
    assert await instance.lockgate("compare") == OK
    assert await instance.lockgate("rebuild") == OK
    await journal.append(*kill())
    await instance.stands_at(journal)
    after = content(instance.location)
    assert {name: rows[: len(before[name])] for name, rows in after.items() if name != "tracking"} == {
        name: rows for name, rows in before.items() if name != "tracking"
    }
    assert await instance.lockgate("compare", "--json") == OK
    assert await instance.lockgate("status") == OK
    with closing(instance.location.open_reader()) as reader:
        assert [r["symbol"] for r in reader.execute("SELECT symbol FROM regime_changes ORDER BY seq")] == [
            "AAPL",
            "BRK.B",
        ]
    assert await stop(process) == 0


@pytest.mark.parametrize("instance", ["sqlite"], indirect=True)
async def test_a_process_that_reads_ahead_changes_no_row_and_is_missed_when_it_dies(instance, journal):
    await write(journal, list(events(1_200, PAPER)))
    seeds = instance.server.seeds
    alone, ahead = (Location(account=PAPER, path=instance.home / name) for name in ("alone", "ahead"))
    one, other = opened(alone), opened(ahead)
    await build(journal, one, 1_200, lambda _: None)
    address = JournalAddress(instance.server.url, "operator", seeds["operator"], PAPER)
    await build_quickly(address, other, 1_200, lambda _: None)
    one.close()
    other.close()
    assert content(alone) == content(ahead)
    lost = opened(Location(account=PAPER, path=instance.home / "lost"))
    with pytest.raises(PreparationError, match="after sequence 0"):
        await build_quickly(
            JournalAddress(instance.server.url, "operator", seeds["eve"], PAPER), lost, 9, lambda _: None
        )
    lost.close()


@pytest.mark.parametrize("instance", ["sqlite"], indirect=True)
async def test_a_row_that_somebody_changed_is_found_and_a_rebuild_puts_it_right(instance, journal, capfd):
    await write(journal, list(events(500, PAPER)))
    process = instance.start()
    await instance.stands_at(journal)
    assert await stop(process) == 0
    store = opened(instance.location)
    store.database.execute(
        "UPDATE orders SET filled_qty = '99' WHERE decision_seq = (SELECT min(decision_seq) FROM orders)"
    )
    store.database.execute("DELETE FROM fills WHERE seq = (SELECT max(seq) FROM fills)")
    store.close()
    assert await instance.lockgate("compare") == FAILED
    shown = capfd.readouterr().out
    assert "filled_qty: live 99" in shown
    assert "1 rows of fills differ" in shown
    assert await instance.lockgate("rebuild") == OK
    assert await instance.lockgate("compare") == OK


@pytest.mark.parametrize("instance", ["sqlite"], indirect=True)
async def test_what_cannot_be_compared_is_said_to_be_so(instance):
    assert await instance.lockgate("compare") == CANNOT_RUN  # nothing is there
    opened(instance.location).close()
    instance.server.kill()
    assert await instance.lockgate("compare") == CANNOT_RUN  # nobody can be asked


@pytest.mark.parametrize("instance", ["postgresql"], indirect=True)
async def test_audit_killed_while_it_fills_its_read_models_loses_and_doubles_nothing(instance, journal):
    await write(journal, list(events(LONG, PAPER)))
    for kill_at in (1, LONG // 2):
        process = instance.start()
        await until(lambda at=kill_at: instance.stored() >= at)
        process.kill()
        process.wait()
    instance.start()
    await whole(instance, journal)


async def test_a_rebuild_that_is_killed_leaves_the_live_ones_alone_and_can_be_begun_again(instance, journal):
    await write(journal, list(events(LONG, PAPER)))
    process = instance.start()
    await instance.stands_at(journal)
    before = content(instance.location)
    rebuild = instance.command("rebuild")
    await until(lambda: building(instance) or rebuild.poll() is not None)
    rebuild.kill()
    assert await asyncio.to_thread(rebuild.wait, WAIT_S) == -signal.SIGKILL
    assert content(instance.location)["trail"][: len(before["trail"])] == before["trail"]
    assert await instance.lockgate("rebuild") == OK
    await whole(instance, journal)
    assert await stop(process) == 0


def building(instance: Instance) -> bool:
    """Whether read models are being built beside the live ones."""
    if instance.url is None:
        return bool(list(instance.location.path.parent.glob("trail.[0-9]*.sqlite3")))
    with psycopg.connect(instance.url) as connection:
        found = connection.execute(
            "SELECT to_regclass(%s)", [f'"{instance.location.schema}_rebuild".trail']
        ).fetchone()
    return found is not None and found[0] is not None


@pytest.mark.parametrize("instance", ["postgresql"], indirect=True)
async def test_postgresql_killed_during_a_batch_loses_and_doubles_nothing(instance, journal, request):
    server = request.getfixturevalue("own_postgres_server")
    day: list[Any] = list(events(LONG, PAPER))
    await write(journal, day[: LONG // 3])
    process = instance.start()
    writing = asyncio.ensure_future(write(journal, day[LONG // 3 :]))
    for kill_at in (500, LONG // 2):
        await until(lambda at=kill_at: instance.stored() >= at)
        server.kill()
        await asyncio.to_thread(server.start)
    await writing
    await whole(instance, journal)
    assert process.poll() is None  # it waited for the database, and went on by itself
    assert await stop(process) == 0


@pytest.mark.parametrize("instance", ["postgresql"], indirect=True)
async def test_a_reader_s_login_reads_and_only_reads_and_a_writer_s_owns_what_it_makes(instance, journal, request):
    server = request.getfixturevalue("own_postgres_server")
    opened(instance.location).close()
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute("CREATE ROLE bob LOGIN IN ROLE lockgate_reader")
        admin.execute("CREATE ROLE audit LOGIN IN ROLE lockgate_writer")
    writer = Location(account=PAPER, path=instance.home / "x", url=server.url(user="audit"))
    opened(writer).close()
    reader = Location(account=PAPER, path=instance.home / "x", url=server.url(user="bob"))
    with closing(reader.open_reader()) as asking:
        assert position(asking) == 0
    with psycopg.connect(server.url(user="bob"), autocommit=True) as own:
        own.execute(f"SET search_path TO {instance.location.schema}")
        assert own.execute("SELECT count(*) FROM orders").fetchone() == (0,)
        for forbidden in (
            "DELETE FROM trail",
            "DROP TABLE orders",
            "CREATE TABLE mine (n INT)",
            "DELETE FROM fold_state",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                own.execute(forbidden)

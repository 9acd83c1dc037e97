"""The audit process against a real NATS server: followed, deleted under its feet, killed, contradicted."""

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from contracts import subjects
from projections.sql.sqlite import open_reader
from projections.sql.story import story
from services.audit.verification import verify
from services.runtime.jetstream import JetStreamJournal
from services.runtime.keys import write_private
from tests.nats_server import PAPER, NatsServer
from tests.story_events import kill, limits_set, order_id, position_adopted, resume, short_day
from tests.waiting import until

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).resolve().parents[2]
EXIT_CLEAN, EXIT_BROKEN = 0, 1
WAIT_S = 30
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class AuditHome:
    """A home folder with audit processes that can be started and killed."""

    def __init__(self, server: NatsServer, home: Path) -> None:
        self.server = server
        self.home = home
        self.trail = home / "audit" / "trail.sqlite3"
        self._started: list[subprocess.Popen[bytes]] = []
        write_private(home / "credentials" / "processes" / "audit.seed", server.seeds["audit"])

    def start(self) -> subprocess.Popen[bytes]:
        environ = os.environ | {"LOCKGATE_NATS_URL": self.server.url, "LOG_FORMAT": "json", "DATABASE_URL": ""}
        with (self.home / "audit.log").open("ab") as log:
            command = [sys.executable, "-m", "services.audit", "--home", str(self.home)]
            process = subprocess.Popen(command, env=environ, stdout=log, stderr=log, cwd=ROOT)
        self._started.append(process)
        return process

    def log(self) -> str:
        return (self.home / "audit.log").read_text()

    def rows(self) -> list[tuple[object, ...]]:
        with suppress(FileNotFoundError, sqlite3.OperationalError):
            reader = open_reader(self.trail)
            try:
                return [tuple(row) for row in reader.execute("SELECT * FROM trail ORDER BY seq")]
            finally:
                reader.close()
        return []

    async def stands_at(self, journal: JetStreamJournal) -> int:
        """Wait until the trail has everything the journal has, checkpoints drawn meanwhile included."""
        while True:
            last_seq = await journal.last_seq()
            await until(lambda at=last_seq: len(self.rows()) >= at)
            if last_seq == await journal.last_seq():
                return last_seq

    def end(self) -> None:
        for process in self._started:
            process.kill()
            process.wait()


@pytest.fixture
def home(own_nats_server: NatsServer, tmp_path: Path) -> Iterator[AuditHome]:
    made = AuditHome(own_nats_server, tmp_path)
    yield made
    made.end()


@pytest.fixture
async def journal(home: AuditHome) -> AsyncIterator[JetStreamJournal]:
    """The journal as the admin sees it, over a link that survives the server."""
    connection = await home.server.connect(reconnect=True)
    yield JetStreamJournal(connection, PAPER)
    await connection.close()


async def stop(process: subprocess.Popen[bytes]) -> int:
    process.send_signal(signal.SIGTERM)
    return await asyncio.to_thread(process.wait, WAIT_S)


async def write_day(journal: JetStreamJournal) -> None:
    for subject, event in short_day():
        await journal.append(subject, event, traceparent=TRACE)


async def write_many(journal: JetStreamJournal, count: int) -> None:
    subject, event = kill()
    for _ in range(0, count, 500):
        await asyncio.gather(*(journal.append(subject, event) for _ in range(500)))


async def test_audit_tells_stories_of_what_stands_in_the_journal_and_proves_it(home, journal):
    await write_day(journal)
    process = home.start()
    seq = await home.stands_at(journal)
    assert seq >= 20  # the day, and the audit's own epoch
    reader = open_reader(home.trail)
    told = story(reader, order_id("i1"))
    verdict = await verify(journal, reader)
    reader.close()
    assert [fill.fill_id for fill in told.fills] == ["x1", "x2"]
    assert told.asked.traceparent == TRACE
    assert verdict.is_clean
    assert verdict.events == await journal.last_seq()
    assert await stop(process) == EXIT_CLEAN
    assert home.rows()


async def test_trail_deleted_under_a_running_audit_comes_back_equal_and_goes_on(home, journal):
    await write_day(journal)
    home.start()
    await home.stands_at(journal)
    before = home.rows()
    shutil.rmtree(home.trail.parent)
    await until(lambda: len(home.rows()) >= len(before))
    assert home.rows()[: len(before)] == before
    await journal.append(*resume())
    await home.stands_at(journal)


async def test_audit_killed_during_a_rebuild_loses_and_doubles_nothing(home, journal):
    await write_day(journal)
    await write_many(journal, 3_000)
    for kill_at in (1, 1_000, 2_000):
        process = home.start()
        await until(lambda at=kill_at: len(home.rows()) >= at)
        process.kill()
        process.wait()
    process = home.start()
    await home.stands_at(journal)
    assert await stop(process) == EXIT_CLEAN
    survived = home.rows()
    assert [row[0] for row in survived] == list(range(1, len(survived) + 1))
    home.trail.unlink()
    home.start()
    await home.stands_at(journal)
    assert home.rows()[: len(survived)] == survived
    reader = open_reader(home.trail)
    verdict = await verify(journal, reader)
    reader.close()
    assert verdict.is_clean
    assert verdict.checkpoints >= 1


async def test_nats_killed_under_a_running_audit_leaves_a_trail_that_goes_on(home, journal):
    await write_day(journal)
    process = home.start()
    await home.stands_at(journal)
    home.server.kill()
    home.server.start()
    connection = await home.server.connect()
    restored = JetStreamJournal(connection, PAPER)
    await restored.append(*limits_set())
    last_seq = await restored.last_seq()

    def goes_on() -> bool:
        nonlocal process
        if process.poll() is not None:
            process = home.start()  # what a supervisor does
        return len(home.rows()) >= last_seq

    await until(goes_on)
    reader = open_reader(home.trail)
    assert (await verify(restored, reader)).is_clean
    reader.close()
    await connection.close()


async def test_trail_of_another_journal_stops_audit_with_a_plain_word(home, journal, tmp_path_factory):
    await write_day(journal)
    process = home.start()
    await home.stands_at(journal)
    assert await stop(process) == EXIT_CLEAN
    other = NatsServer(tmp_path_factory.mktemp("other-nats"))
    other.start()
    try:
        await other.ensure()
        await _refuses_the_trail_of_a_shorter_then_another_journal(home, other)
    finally:
        other.kill()


async def _refuses_the_trail_of_a_shorter_then_another_journal(home: AuditHome, other: NatsServer) -> None:
    before = home.rows()
    elsewhere = AuditHome(other, home.home)
    process = elsewhere.start()
    assert await asyncio.to_thread(process.wait, WAIT_S) == EXIT_BROKEN
    assert "the journal ends at" in home.log()
    connection = await other.connect()
    journal = JetStreamJournal(connection, PAPER)
    for _ in range(30):
        await journal.append(*position_adopted("1", "1"))
    process = elsewhere.start()
    assert await asyncio.to_thread(process.wait, WAIT_S) == EXIT_BROKEN
    assert "gives the digest" in home.log()
    assert home.rows() == before
    assert await journal.last_on(subjects.audit(PAPER)) is None
    await connection.close()

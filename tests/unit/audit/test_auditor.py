"""The auditor on an in-memory journal: follows, rebuilds, draws checkpoints, and stops on contradictions."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from contracts.audit import ChainCheckpoint
from projections.sql.location import Location
from projections.sql.sqlite import open_reader
from services.audit.auditor import Auditor, Outside
from services.audit.decider import Cadence
from services.audit.folding import ContradictionError
from services.audit.verification import Verdict, verify
from services.runtime.memory import ManualClock, MemoryJournal, MemoryLease
from services.runtime.ports import LeaseLostError
from tests.story_events import ACCOUNT, OPEN, approved, kill, short_day

DEADLINE_S = 20.0
QUIET = Cadence(events_max=10_000, age_max_ms=60_000)


@dataclass
class Desk:
    """An account's journal with everything an auditor needs."""

    trail: Path
    clock: ManualClock = field(default_factory=lambda: ManualClock(OPEN))
    lease: MemoryLease = field(default_factory=lambda: MemoryLease(1))
    facts: dict[str, Any] = field(default_factory=dict)
    journal: MemoryJournal = field(init=False)

    def __post_init__(self) -> None:
        self.journal = MemoryJournal(ACCOUNT, self.clock)

    async def write(self, *written: Any) -> None:
        for subject, event in written:
            await self.journal.append(subject, event)

    @asynccontextmanager
    async def audited(self, cadence: Cadence = QUIET) -> AsyncGenerator[asyncio.Task[None]]:
        stopping = asyncio.Event()
        outside = Outside(
            journal=self.journal,
            lease=self.lease,
            clock=self.clock,
            report=self.report,
            ready=lambda: self.report(ready=True),
        )
        location = Location(account=ACCOUNT, path=self.trail)
        task = asyncio.ensure_future(Auditor(outside, location, cadence).run(stopping))
        try:
            yield task
        finally:
            stopping.set()
            await asyncio.wait({task}, timeout=DEADLINE_S)
        task.result()

    def report(self, **facts: Any) -> None:
        self.facts.update(facts)

    def rows(self) -> list[tuple[Any, ...]]:
        reader = open_reader(self.trail)
        try:
            return [tuple(row) for row in reader.execute("SELECT * FROM trail ORDER BY seq")]
        finally:
            reader.close()

    def checkpoints(self) -> list[ChainCheckpoint]:
        return [r.event for r in self.journal.events if isinstance(r.event, ChainCheckpoint)]

    async def verdict(self) -> Verdict:
        reader = open_reader(self.trail)
        try:
            return await verify(self.journal, reader)
        finally:
            reader.close()

    async def followed_to(self, seq: int) -> None:
        await until(lambda: self.facts.get("last_seq") == seq)

    def tamper(self, seq: int, **changes: Any) -> None:
        self.journal.events[seq - 1] = replace(self.journal.events[seq - 1], **changes)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - nobody tells us when
            await asyncio.sleep(0.005)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "audit" / "trail.sqlite3")


@pytest.mark.anyio
async def test_auditor_catches_up_follows_and_reports(desk):
    await desk.write(*short_day())
    async with desk.audited():
        await desk.followed_to(19)
        assert desk.facts["ready"]
        await desk.write(kill())
        await desk.followed_to(20)
    assert len(desk.rows()) == desk.facts["rows"] == 20
    assert desk.facts["lag"] == 0
    verdict = await desk.verdict()
    assert verdict.is_clean
    assert verdict.digest == desk.facts["digest"]


@pytest.mark.anyio
async def test_auditor_goes_on_where_it_stopped(desk):
    await desk.write(*short_day())
    async with desk.audited():
        await desk.followed_to(19)
    before = desk.rows()
    await desk.write(kill(), approved("late"))
    async with desk.audited():
        await desk.followed_to(21)
    assert desk.rows()[:19] == before
    assert (await desk.verdict()).is_clean


@pytest.mark.anyio
async def test_deleted_trail_is_rebuilt_equal_row_by_row_while_audit_runs(desk):
    await desk.write(*short_day())
    async with desk.audited():
        await desk.followed_to(19)
        before = desk.rows()
        desk.trail.unlink()
        await until(desk.trail.exists)
        await until(lambda: len(desk.rows()) == 19)
        assert desk.rows() == before
        await desk.write(kill())
        await desk.followed_to(20)
    assert desk.rows()[:19] == before


@pytest.mark.anyio
async def test_trail_deleted_between_runs_is_rebuilt_equal(desk):
    await desk.write(*short_day())
    async with desk.audited():
        await desk.followed_to(19)
    before = desk.rows()
    desk.trail.unlink()
    async with desk.audited():
        await until(lambda: desk.trail.exists() and len(desk.rows()) == 19)
    assert desk.rows() == before


@pytest.mark.anyio
async def test_checkpoints_come_by_count_and_cover_the_chain(desk):
    async with desk.audited(Cadence(events_max=5, age_max_ms=10**9)):
        await desk.write(*short_day())
        await until(lambda: bool(desk.checkpoints()))
    assert desk.checkpoints()[0].upto_seq >= 5
    assert desk.checkpoints()[0].epoch == 1
    verdict = await desk.verdict()
    assert verdict.is_clean
    assert verdict.checkpoints == len(desk.checkpoints())


@pytest.mark.anyio
async def test_checkpoints_come_by_time_once_and_not_again_without_news(desk):
    await desk.write(*short_day())
    async with desk.audited():
        await desk.followed_to(19)
        assert desk.checkpoints() == []
        desk.clock.advance(timedelta(seconds=60))
        await desk.followed_to(20)
        desk.clock.advance(timedelta(hours=1))
        await desk.write(kill())
        desk.clock.set(OPEN)  # the news is young again
        await desk.followed_to(21)
        desk.clock.set(OPEN + timedelta(seconds=61))
        await desk.followed_to(22)
    assert [c.upto_seq for c in desk.checkpoints()] == [19, 21]


@pytest.mark.anyio
async def test_restart_writes_no_second_checkpoint_for_the_same_stretch(desk):
    await desk.write(*short_day())
    desk.clock.advance(timedelta(seconds=60))
    async with desk.audited():
        await desk.followed_to(20)
    for _ in range(2):
        desk.facts.clear()
        async with desk.audited():
            await until(lambda: bool(desk.facts.get("ready")))
    assert len(desk.checkpoints()) == 1


@pytest.mark.anyio
async def test_auditor_writes_no_checkpoint_without_its_lease(desk):
    await desk.write(*short_day())
    desk.clock.advance(timedelta(seconds=60))
    desk.lease.take_away()
    with pytest.raises(LeaseLostError):
        async with desk.audited() as task:
            await asyncio.wait({task}, timeout=DEADLINE_S)
    assert desk.checkpoints() == []


async def refused(desk: Desk, match: str) -> None:
    with pytest.raises(ContradictionError, match=match):
        async with desk.audited() as task:
            await asyncio.wait({task}, timeout=DEADLINE_S)


@pytest.mark.anyio
async def test_trail_ahead_of_the_journal_stops_the_auditor(desk):
    await desk.write(*short_day())
    async with desk.audited():
        await desk.followed_to(19)
    before = desk.rows()
    del desk.journal.events[10:]
    await refused(desk, "stands at 19, but the journal ends at 10")
    assert desk.rows() == before


@pytest.mark.anyio
@pytest.mark.parametrize(
    "change",
    [
        lambda event: {"body": event.body.replace(b"over", b"0ver")},
        lambda event: {"subject": event.subject + "x"},
        lambda _: {"headers": (("traceparent", "00-forged-01"),)},
    ],
    ids=["body", "subject", "header"],
)
async def test_journal_that_contradicts_the_trail_stops_the_auditor(desk, change):
    await desk.write(*short_day())
    async with desk.audited():
        await desk.followed_to(19)
    desk.tamper(19, **change(desk.journal.events[18]))
    await desk.write(kill())
    await refused(desk, "journal event 19 gives the digest")


@pytest.mark.anyio
async def test_rebuild_stops_at_a_checkpoint_that_the_journal_contradicts(desk):
    await desk.write(*short_day())
    desk.clock.advance(timedelta(seconds=60))
    async with desk.audited():
        await desk.followed_to(20)
    desk.trail.unlink()
    desk.tamper(3, body=desk.journal.events[2].body + b" ")
    await refused(desk, "checkpoint 20 says that the journal up to 19")


@pytest.mark.anyio
async def test_verification_names_the_first_bad_event(desk):
    await desk.write(*short_day())
    async with desk.audited():
        await desk.followed_to(19)
    desk.tamper(7, body=desk.journal.events[6].body + b" ")
    verdict = await desk.verdict()
    assert (verdict.is_clean, verdict.bad_seq) == (False, 7)
    assert "the journal gives" in verdict.fault


@pytest.mark.anyio
async def test_verification_finds_two_events_that_changed_places(desk):
    await desk.write(*short_day())
    async with desk.audited():
        await desk.followed_to(19)
    one, other = desk.journal.events[4], desk.journal.events[6]
    desk.journal.events[4], desk.journal.events[6] = replace(other, seq=one.seq), replace(one, seq=other.seq)
    assert (await desk.verdict()).bad_seq == 5


@pytest.mark.anyio
async def test_verification_finds_a_tail_that_was_cut_off(desk):
    await desk.write(*short_day())
    async with desk.audited():
        await desk.followed_to(19)
    del desk.journal.events[15:]
    verdict = await desk.verdict()
    assert (verdict.bad_seq, verdict.events) == (16, 15)


@pytest.mark.anyio
async def test_verification_finds_a_false_checkpoint_without_any_trail(desk):
    await desk.write(*short_day())
    desk.clock.advance(timedelta(seconds=60))
    async with desk.audited():
        await desk.followed_to(20)
    assert (await verify(desk.journal)).is_clean
    desk.tamper(2, body=desk.journal.events[1].body + b" ")
    verdict = await verify(desk.journal)
    assert (verdict.bad_seq, verdict.checkpoints) == (20, 1)


@pytest.mark.anyio
async def test_verification_of_an_empty_journal_is_clean(desk):
    assert (await verify(desk.journal)).is_clean

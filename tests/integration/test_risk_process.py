"""The risk process against a real NATS server: started, fed, killed, paused."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from contracts import codec, subjects
from contracts.broker import AccountObserved
from contracts.controls import EpochTaken, LimitsSet
from contracts.decisions import Decision
from contracts.enums import Outcome, Role
from contracts.ids import AgentId, IntentId, Symbol
from contracts.limits import LimitSet
from contracts.market import Quote
from services.risk.rederive import Rederivation
from services.runtime.connection import Connection
from services.runtime.jetstream import JetStreamJournal
from services.runtime.ports import Recorded
from tests.nats_server import PAPER, NatsServer
from tests.waived_rails import ALL_WAIVED

DEADLINE_S = 30
DEMO = AgentId("demo")
WIDE = LimitSet(
    order_rate_per_min=100_000,
    max_daily_trades=100_000,
    max_gross_exposure_usd=Decimal(10_000_000),
    waivers=ALL_WAIVED,
)


class World:
    """A server, a home, and risk processes that can be started and killed."""

    def __init__(self, server: NatsServer, home: Path) -> None:
        self.server = server
        self.home = home
        seeds = home / "credentials" / "processes"
        seeds.mkdir(parents=True)
        (seeds / "risk.seed").write_text(server.seeds["risk"])
        self._running: list[subprocess.Popen[bytes]] = []

    def start_risk(self) -> subprocess.Popen[bytes]:
        environ = os.environ | {"LOCKGATE_NATS_URL": self.server.url, "LOG_FORMAT": "json"}
        with (self.home / "risk.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "services.risk", "--home", str(self.home)],
                env=environ,
                stdout=log,
                stderr=log,
                cwd=Path(__file__).parents[2],
            )
        self._running.append(process)
        return process

    def end(self) -> None:
        for process in self._running:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()


@pytest.fixture
def world(own_nats_server: NatsServer, tmp_path: Path):
    made = World(own_nats_server, tmp_path)
    yield made
    made.end()


async def begin_account(admin: Connection, limits: LimitSet = WIDE) -> JetStreamJournal:
    """Write what the supervisor and oms write before anything may trade: limits, and the broker's figures."""
    journal = JetStreamJournal(admin, PAPER)
    now = datetime.now(UTC)
    control = LimitsSet(epoch=0, at=now, version=1, limits=limits, by="test", reason="test")
    await journal.append(subjects.control(PAPER), control)
    taken = EpochTaken(epoch=1, at=now, role=Role.OMS, owner="test", code_version="test")
    await journal.append(subjects.epoch(PAPER, Role.OMS), taken)
    seen = AccountObserved(
        epoch=1,
        at=now,
        trading_day=now.date(),
        equity_usd=Decimal(100_000),
        last_equity_usd=Decimal(100_000),
        cash_usd=Decimal(100_000),
        buying_power_usd=Decimal(400_000),
        trading_blocked=False,
    )
    await journal.append(subjects.broker(PAPER), seen)
    return journal


async def quote(admin: Connection, price: str = "100") -> None:
    """Publish one fresh quote, as regime does."""
    bid = Decimal(price)
    message = Quote(
        symbol=Symbol("AAPL"),
        bid_price=bid - Decimal("0.01"),
        ask_price=bid,
        bid_size=Decimal(100),
        ask_size=Decimal(100),
        at=datetime.now(UTC),
        seq=1,
        source="test",
    )
    await admin.publish(subjects.quote(Symbol("AAPL")), codec.encode(message))


def intent(intent_id: str, qty: str = "40", price: str = "100") -> bytes:
    return (
        f'{{"type":"intent.submit.v1","intent_id":"{intent_id}","symbol":"AAPL","side":"buy","qty":"{qty}",'
        f'"order_type":"limit","limit_price":"{price}"}}'
    ).encode()


async def state_intent(connection: Connection, intent_id: str, body: bytes) -> None:
    await connection.jetstream().publish(subjects.intent(PAPER, DEMO, IntentId(intent_id)), body)


async def read_until(journal: JetStreamJournal, enough: Callable[[list[Recorded]], bool]) -> list[Recorded]:
    """Read the journal from its beginning until a condition holds."""
    seen: list[Recorded] = []
    async with asyncio.timeout(DEADLINE_S):
        async for recorded in journal.read():
            seen.append(recorded)
            if enough(seen):
                return seen
    raise AssertionError("the journal ended")


def decisions(seen: list[Recorded]) -> list[Decision]:
    return [r.event for r in seen if isinstance(r.event, Decision)]


async def keep_quoting(admin: Connection) -> None:
    while True:
        await quote(admin)
        await asyncio.sleep(0.2)


def assert_all_rederive(seen: list[Recorded]) -> None:
    again = Rederivation(PAPER)
    for recorded in seen:
        for divergence in again.take(recorded.seq, recorded.event, recorded.body):
            raise AssertionError(f"{divergence.seq}:\n{divergence.stored.decode()}\n{divergence.derived.decode()}")
    assert again.decisions == len(decisions(seen))


def test_risk_approves_exactly_as_many_working_buys_as_the_position_limit_holds(world: World) -> None:
    async def scenario() -> None:
        admin = await world.server.connect()
        journal = await begin_account(admin)
        await quote(admin)
        world.start_risk()
        quoting = asyncio.create_task(keep_quoting(admin))
        for number in range(8):
            await state_intent(admin, f"i{number}", intent(f"i{number}"))
        seen = await read_until(journal, lambda s: len(decisions(s)) == 8)
        quoting.cancel()
        outcomes = [d.outcome for d in decisions(seen)]
        assert outcomes == [Outcome.APPROVED] * 2 + [Outcome.DENIED] * 6
        denied = decisions(seen)[2].reason
        assert denied is not None
        assert (denied.code, denied.limit, denied.attempted, denied.headroom, denied.max_acceptable_qty) == (
            "MAX_POSITION_NOTIONAL",
            Decimal(10_000),
            Decimal(12_000),
            Decimal(2_000),
            Decimal(20),
        )
        assert_all_rederive(seen)
        await admin.close()

    asyncio.run(scenario())


def test_risk_killed_again_and_again_decides_every_intent_exactly_once(world: World) -> None:
    async def scenario() -> None:
        admin = await world.server.connect()
        journal = await begin_account(admin)
        await quote(admin)
        quoting = asyncio.create_task(keep_quoting(admin))
        risk = world.start_risk()
        for number in range(90):
            await state_intent(admin, f"k{number}", intent(f"k{number}", qty="1"))
            if number % 30 == 15:
                answered = number - 5
                await read_until(journal, lambda s, n=answered: len(decisions(s)) >= n)
                risk.kill()
                risk.wait()
                risk = world.start_risk()
        seen = await read_until(journal, lambda s: len(decisions(s)) == 90)
        quoting.cancel()
        assert [d.intent_id for d in decisions(seen)] == [f"k{n}" for n in range(90)]
        assert_all_rederive(seen)
        await admin.close()

    asyncio.run(scenario())


def test_risk_survives_every_kind_of_nonsense_and_says_what_was_wrong(world: World) -> None:
    nonsense = {
        "n0": b"not json",
        "n1": b"\xff\xfe\x00",
        "n2": b"",
        "n3": b"[" * 20_000,
        "n4": intent("n4", qty="ten"),
        "n5": intent("n5", qty="NaN"),
        "n6": intent("n6", qty="-10"),
        "n7": intent("n7", qty="1e400"),
        "n8": intent("other-id"),
        "n9": b'{"type":"intent.unknown.v9","intent_id":"n9"}',
    }

    async def scenario() -> None:
        admin = await world.server.connect()
        journal = await begin_account(admin)
        world.start_risk()
        for intent_id, body in nonsense.items():
            await state_intent(admin, intent_id, body)
        seen = await read_until(journal, lambda s: len(decisions(s)) == len(nonsense))
        codes = {d.intent_id: d.reason.code for d in decisions(seen) if d.reason}
        malformed = dict.fromkeys(("n0", "n1", "n2", "n3", "n4", "n9"), "MALFORMED")
        assert codes == malformed | dict.fromkeys(("n5", "n6", "n7"), "INVALID_QTY") | {"n8": "INTENT_ID_MISMATCH"}
        assert_all_rederive(seen)
        await admin.close()

    asyncio.run(scenario())


def test_a_paused_risk_that_wakes_up_after_its_successor_began_decides_nothing(world: World) -> None:
    async def scenario() -> None:
        admin = await world.server.connect()
        journal = await begin_account(admin)
        await quote(admin)
        quoting = asyncio.create_task(keep_quoting(admin))
        first = world.start_risk()
        await state_intent(admin, "z0", intent("z0", qty="1"))
        await read_until(journal, lambda s: len(decisions(s)) == 1)
        first.send_signal(signal.SIGSTOP)
        world.start_risk()
        await state_intent(admin, "z1", intent("z1", qty="1"))
        seen = await read_until(journal, lambda s: len(decisions(s)) == 2)
        first.send_signal(signal.SIGCONT)
        assert await asyncio.to_thread(first.wait, DEADLINE_S) == 75
        await state_intent(admin, "z2", intent("z2", qty="1"))
        seen = await read_until(journal, lambda s: len(decisions(s)) == 3)
        quoting.cancel()
        assert [(d.intent_id, d.epoch) for d in decisions(seen)] == [("z0", 1), ("z1", 2), ("z2", 2)]
        assert msgspec.json.decode(seen[-1].body)["epoch"] == 2
        await admin.close()

    asyncio.run(scenario())

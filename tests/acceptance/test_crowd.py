"""Twenty agents state five thousand intents at once, and no limit of any layer is exceeded at any place of a journal.

The journal is judged by `tests.acceptance.offline_reader`, which shares no code with the system.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from contracts import subjects
from contracts.ids import AccountId, AgentId, IntentId, order_id_for
from services.runtime.connection import Connection, connect
from services.runtime.jetstream import JetStreamJournal
from services.runtime.nats_rights import ADMIN
from tests.acceptance.offline_reader import ZERO, Ledger, Order, Stake, events_of, in_risks_order
from tests.acceptance.running_system import System

pytestmark = [pytest.mark.timeout(300)]

PAPER = AccountId("paper")
AGENTS = [f"agent{number:02}" for number in range(20)]
INTENTS_EACH = 250
DECIDED_S_MAX = 120
SYMBOLS = ("AAPL", "MSFT", "XOM", "JPM", "SPY")
MARKET_MOVE = Decimal("1.01")
"""Between two decisions prices may move what is held by so much: that exceeds no limit."""
LIMITS = {
    "MAX_ORDER_NOTIONAL": "2500",
    "MAX_POSITION_SIZE": "15000",
    "MAX_GROSS_EXPOSURE": "40000",
    "MAX_NET_EXPOSURE": "30000",
    "MAX_OPEN_ORDERS": "60",
    "MAX_TURNOVER_USD": "900000",
    "MAX_LEVERAGE": "0.38",
    "MAX_CONCENTRATION_PCT": "14",
    "MIN_BUYING_POWER_USD": "300000",
    "MIN_CASH_USD": "50000",
    "SELF_TRADE_PREVENTED": "true",
}
OUT_OF_THE_WAY = {
    "MAX_DAILY_LOSS": "1000000",
    "MAX_DRAWDOWN": "1000000",
    "MAX_DAILY_TRADES": "1000000",
    "ORDER_RATE_LIMIT": "1000000",
    "MESSAGE_RATE_PER_MIN": "1000000",
    "REPLACE_RATE_PER_MIN": "1000000",
    "MAX_DUPLICATES": "1000000",
    "DUPLICATE_WINDOW_MS": "1000",
    "MAX_LOOP_REPEATS": "1000000",
    "MAX_REPEATS": "1000000",
    "MAX_REJECT_STREAK": "1000000",
    "MANDATES_REQUIRED": "false",
    "MAX_SPREAD_BPS": "1000",
    "ALPACA_REQUESTS_PER_MIN": "1000000",
}
LAYERS = """
[firm]
max_gross_exposure_usd = "37000"

[agents.agent03]
max_gross_exposure_usd = "3000"
max_open_orders = 4
max_turnover_usd = "20000"

[agents.agent07]
max_position_notional_usd = "1200"

[strategies.momo]
max_net_exposure_usd = "6000"
max_open_orders = 12

[symbols.JPM]
max_position_notional_usd = "5000"
"""


@pytest.fixture
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    home = tmp_path_factory.mktemp("crowd") / "home"
    home.mkdir(mode=0o700)
    (home / "lockgate.toml").write_text(LAYERS)
    running = System(home, **LIMITS, **OUT_OF_THE_WAY)
    running.up()
    yield running
    running.down()


class Agent:
    """One of many: states orders that rest, orders that trade, changes and cancels, as a fixed seed has it."""

    def __init__(self, name: str, prices: dict[str, Decimal]) -> None:
        self.name = name
        self._prices = prices
        self._dice = random.Random(name)  # noqa: S311 - the same story in every run
        self._orders: list[str] = []

    def hear(self, intent_id: str, *, approved: bool) -> None:
        """Remember an order that it may change or cancel later."""
        if approved:
            self._orders.append(intent_id)

    def intents(self) -> Iterator[tuple[str, bytes]]:
        for number in range(INTENTS_EACH):
            intent_id = f"{self.name}-{number}"
            yield intent_id, json.dumps(self._intent(intent_id)).encode()

    def _intent(self, intent_id: str) -> dict[str, Any]:
        roll = self._dice.random()
        if roll < 0.12 and self._orders:
            return self._about("cancel", intent_id)
        if roll < 0.22 and self._orders:
            worse = {"qty": str(self._dice.randint(1, 12))}
            return self._about("replace", intent_id) | worse
        if roll < 0.28:
            return {"type": "intent.cancel_all.v1", "intent_id": intent_id}
        symbol = self._dice.choice(SYMBOLS)
        side = "buy" if roll < 0.75 else "sell"
        trades = self._dice.random() < 0.3
        off = Decimal("0.003") if trades else -Decimal(self._dice.randint(50, 150)) / 1000
        price = self._prices[symbol] * (1 + off if side == "buy" else 1 - off)
        usd = self._dice.choice((200, 300, 500, 900, 2_600))
        return {
            "type": "intent.submit.v1",
            "intent_id": intent_id,
            "symbol": symbol,
            "side": side,
            "qty": str(max(int(usd / price), 1)),
            "order_type": "limit",
            "limit_price": str(price.quantize(Decimal("0.01"))),
            "meta": {"strategy": "momo"} if self._dice.random() < 0.3 else {},
        }

    def _about(self, what: str, intent_id: str) -> dict[str, Any]:
        earlier = IntentId(self._dice.choice(self._orders[-3:]))
        order_id = order_id_for(PAPER, AgentId(self.name), earlier)
        return {"type": f"intent.{what}.v1", "intent_id": intent_id, "order_id": order_id}


async def prices_of(admin: Connection) -> dict[str, Decimal]:
    """Read the newest quote of each symbol."""
    found: dict[str, Decimal] = {}
    heard = asyncio.Event()

    def take(subject: bytes, _reply: bytes, body: bytes, _headers: Any) -> None:
        found[subject.decode().removeprefix("quote.")] = Decimal(json.loads(body)["ask_price"])
        if set(SYMBOLS) <= found.keys():
            heard.set()

    await admin.subscribe_raw("quote.*", take)
    async with asyncio.timeout(30):
        await heard.wait()
    return found


class Answers:
    """Hears every decision, so that agents can go on once theirs is there, and know which orders they have."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, asyncio.Future[bool]] = {}

    async def listen(self, admin: Connection) -> None:
        await admin.subscribe_raw(f"acct.{PAPER}.decision.>", self._take)

    def _take(self, subject: bytes, _reply: bytes, body: bytes, _headers: Any) -> None:
        waiting = self._waiting.pop(subject.rsplit(b".", 1)[1], None)
        if waiting is not None and not waiting.done():
            waiting.set_result(b'"outcome":"approved"' in body)

    def expect(self, intent_id: str) -> asyncio.Future[bool]:
        self._waiting[intent_id.encode()] = asyncio.get_running_loop().create_future()
        return self._waiting[intent_id.encode()]


async def state_all(admin: Connection, agent: Agent, answers: Answers) -> None:
    """State one intent after the other, each once the last one is decided; all agents at the same time."""
    for intent_id, body in agent.intents():
        approved = answers.expect(intent_id)
        subject = subjects.intent(PAPER, AgentId(agent.name), IntentId(intent_id))
        await admin.jetstream().publish(subject, body, timeout=30)
        async with asyncio.timeout(DECIDED_S_MAX):
            agent.hear(intent_id, approved=await approved)


async def journal_of(admin: Connection, decisions: int) -> list[bytes]:
    """Read the journal from its beginning until so many decisions stand there."""
    bodies: list[bytes] = []
    async with asyncio.timeout(DECIDED_S_MAX):
        async for recorded in JetStreamJournal(admin, PAPER).read():
            bodies.append(recorded.body)
            decisions -= recorded.body.startswith(b'{"type":"decision.v1"')
            if not decisions:
                return bodies
    raise AssertionError("the journal ended")


async def run_crowd(system: System) -> list[bytes]:
    seed = (system.home / "credentials" / "processes" / f"{ADMIN}.seed").read_text().strip()
    admin = await connect(f"nats://127.0.0.1:{system.nats_port}", ADMIN, seed, reconnect=False)
    try:
        prices = await prices_of(admin)
        answers = Answers()
        await answers.listen(admin)
        await asyncio.gather(*(state_all(admin, Agent(name, prices), answers) for name in AGENTS))
        return await journal_of(admin, len(AGENTS) * INTENTS_EACH)
    finally:
        await admin.close()


def test_no_limit_of_any_layer_is_exceeded_whatever_twenty_agents_state_at_once(system: System) -> None:
    events = events_of(asyncio.run(run_crowd(system)))
    decided = [event for event in events if event["type"] == "decision.v1"]
    outcomes = Counter((event["action"], event["outcome"]) for event in decided)
    codes = Counter(event["reason"]["code"] for event in decided if event["reason"])
    kinds = Counter(event["type"] for event in events)
    assert len(decided) == 5_000
    assert {event["agent"] for event in decided} == set(AGENTS)
    assert outcomes["submit", "approved"] > 100, (outcomes, codes, kinds)
    assert min(kinds["order.filled.v1"], kinds["order.canceled.v1"]) > 5, kinds
    assert codes["MAX_GROSS_EXPOSURE"] + codes["MAX_OPEN_ORDERS"] > 200, codes
    judge_as_risk_knew(events)
    judge_every_prefix(events)


def judge_as_risk_knew(events: list[dict[str, Any]]) -> None:
    """Right after each approval of new risk everything that it makes larger is within its limit, to the cent."""
    ledger = Ledger()
    for event in in_risks_order(events):
        ledger.take(event)
        reserved = event.get("reservation")
        if event["type"] == "decision.v1" and event["outcome"] == "approved" and reserved and not reserved["reduces"]:
            assert_approved(ledger, event)


def assert_approved(ledger: Ledger, event: dict[str, Any]) -> None:
    order, stakes = ledger.orders[event["order_id"]], ledger.stakes()
    equity = Decimal(ledger.observed["equity_usd"])
    position = stakes[order.symbol].long if order.side == "buy" else stakes[order.symbol].short
    net = sum((one.net_long if order.side == "buy" else one.net_short for one in stakes.values()), ZERO)
    assert order.left_usd <= 2_500
    assert position <= min(Decimal(5_000 if order.symbol == "JPM" else 15_000), Decimal("0.14") * equity), event
    assert gross_of(stakes) <= min(37_000, Decimal("0.38") * equity), event
    assert net <= 30_000, event
    assert event["action"] == "replace" or ledger.open_orders() <= 60, event
    assert ledger.turnover[None] <= 900_000, event
    assert_own(ledger, order, event)


def assert_own(ledger: Ledger, order: Order, event: dict[str, Any]) -> None:
    """What an agent's or a strategy's own layer bounds; its book is valued at marks that are a little older."""
    is_new = event["action"] == "submit"
    if order.agent == "agent03":
        assert gross_of(ledger.stakes("agent03")) <= 3_000 * MARKET_MOVE, event
        assert not is_new or ledger.open_orders("agent03") <= 4, event
        assert ledger.turnover["agent03"] <= 20_000, event
    if order.agent == "agent07":
        stake = ledger.stakes("agent07")[order.symbol]
        assert (stake.long if order.side == "buy" else stake.short) <= 1_200 * MARKET_MOVE, event
    if order.strategy == "momo":
        stakes = ledger.stakes("strategy momo").values()
        net = sum((one.net_long if order.side == "buy" else one.net_short for one in stakes), ZERO)
        assert net <= 6_000 * MARKET_MOVE, event
        assert not is_new or ledger.open_orders("strategy momo") <= 12, event


def judge_every_prefix(events: list[dict[str, Any]]) -> None:
    """After every single event of the journal as it stands, too, but for what the market moved meanwhile.

    Net exposure is left out here: an exit that covers a short may raise it, and no limit may stand in its way.
    """
    ledger = Ledger()
    for event in events:
        ledger.take(event)
        stakes = ledger.stakes()
        assert gross_of(stakes) <= 37_000 * MARKET_MOVE, event
        for symbol, stake in stakes.items():
            limit = 5_000 if symbol == "JPM" else 15_000
            assert max(stake.long, stake.short) <= limit * MARKET_MOVE, (symbol, event)
        assert ledger.turnover[None] <= 900_000, event
        assert ledger.open_orders() <= 60 + reducing(ledger), event


def reducing(ledger: Ledger) -> int:
    """Count the open orders against what is held: exits are held against no limit on how many may work."""
    held = ledger.positions[None]
    against = {"buy": -1, "sell": 1}
    return sum(not one.over and held[one.symbol] * against[one.side] > 0 for one in ledger.orders.values())


def gross_of(stakes: dict[str, Stake]) -> Decimal:
    return sum((max(stake.long, stake.short) for stake in stakes.values()), ZERO)


def test_the_reader_itself_counts_reservations_fills_changes_and_ends() -> None:
    def approval(order_id: str, qty: int, price: int, action: str = "submit") -> dict[str, Any]:
        reserved = {"symbol": "AAPL", "side": "buy", "qty": str(qty), "price_usd": str(price), "reduces": False}
        quote = {"symbol": "AAPL", "bid_price": "99", "ask_price": "101"}
        return {
            "type": "decision.v1",
            "outcome": "approved",
            "action": action,
            "agent": "ada",
            "strategy": None,
            "order_id": order_id,
            "reservation": reserved,
            "evidence": {"quote": quote},
        }

    def at_stake(*events: dict[str, Any]) -> tuple[Decimal, int, Decimal]:
        ledger = Ledger()
        for event in events:
            ledger.take(event)
        return gross_of(ledger.stakes()), ledger.open_orders(), ledger.turnover["ada"]

    fill = {"type": "order.filled.v1", "order_id": "o", "fill_id": "f", "qty": "4", "price": "90"}
    gone = {"type": "order.canceled.v1", "order_id": "o"}
    assert at_stake(approval("o", 10, 100), approval("p", 5, 100)) == (1500, 2, 1500)
    assert at_stake(approval("o", 10, 100), fill, fill) == (600 + 360, 1, 1000)
    assert at_stake(approval("o", 10, 100), fill, gone) == (360, 0, 1000)
    assert at_stake(approval("o", 10, 100), approval("o", 20, 90, "replace")) == (2000, 1, 1800)

"""Small words for tests of the risk core: a state that allows trading, intents, quotes, decisions."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from contracts.broker import AccountObserved
from contracts.controls import KillEngaged, LimitsSet
from contracts.decisions import Decision, Evidence
from contracts.enums import KillMode, Side
from contracts.ids import AccountId, AgentId, FillId, IntentId, OrderId, Symbol
from contracts.limits import LimitSet
from contracts.market import Quote
from contracts.orders import OrderFilled
from projections import account
from projections.account import AccountState
from services.risk.decider import Stamp, Stated, decide

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
PAPER, DEMO, AAPL = AccountId("paper"), AgentId("demo"), Symbol("AAPL")
STAMP = Stamp(1, "test", 9)


def limits_set(version: int = 1, **limits: Any) -> LimitsSet:
    return LimitsSet(epoch=0, at=NOW, version=version, limits=LimitSet(**limits), by="test", reason="test")


def observed(equity: str = "100000", at: datetime = NOW, last_equity: str = "100000") -> AccountObserved:
    return AccountObserved(
        epoch=1,
        at=at,
        trading_day=NOW.date(),
        equity_usd=Decimal(equity),
        last_equity_usd=Decimal(last_equity),
        cash_usd=Decimal(equity),
        buying_power_usd=Decimal(equity),
        trading_blocked=False,
    )


def kill(mode: KillMode = KillMode.BLOCK_NEW) -> KillEngaged:
    return KillEngaged(epoch=0, at=NOW, mode=mode, by="test", reason="test")


def bought(qty: str, price: str = "100", side: Side = Side.BUY) -> OrderFilled:
    """A fill that makes a position, of an order nobody follows any more."""
    return OrderFilled(
        epoch=1,
        at=NOW,
        order_id=OrderId("earlier"),
        fill_id=FillId("earlier"),
        symbol=AAPL,
        side=side,
        qty=Decimal(qty),
        price=Decimal(price),
        cum_qty=Decimal(qty),
        filled_at=NOW,
    )


def state_of(*events: Any) -> AccountState:
    state = account.EMPTY
    for seq, event in enumerate(events, 1):
        state = account.evolve(state, event, seq)
    return state


def quote(bid: str = "99.99", ask: str = "100.00", at: datetime = NOW) -> Quote:
    return Quote(
        symbol=AAPL,
        bid_price=Decimal(bid),
        ask_price=Decimal(ask),
        bid_size=Decimal(100),
        ask_size=Decimal(100),
        at=at,
        seq=1,
        source="test",
    )


def evidence(seen: Quote | None = None, at: datetime = NOW, received_at: datetime | None = None) -> Evidence:
    return Evidence(received_at=received_at or at, decided_at=at, trading_day=NOW.date(), quote=seen)


def body(intent_id: str = "i", **fields: Any) -> bytes:
    base = {"type": "intent.submit.v1", "intent_id": intent_id, "symbol": "AAPL", "side": "buy", "qty": "10"}
    base |= {"order_type": "limit", "limit_price": "100.00"}
    return json.dumps({k: v for k, v in (base | fields).items() if v is not None}).encode()


def intent(kind: str, intent_id: str = "i", **fields: Any) -> bytes:
    """An intent of another kind than submit, with the fields that are given."""
    return json.dumps({"type": f"intent.{kind}.v1", "intent_id": intent_id} | fields).encode()


def stated(content: bytes, intent_id: str = "i", agent: str = DEMO) -> Stated:
    return Stated(PAPER, AgentId(agent), IntentId(intent_id), content, 1)


def answer(state: AccountState, content: bytes, seen: Evidence | None = None, agent: str = DEMO) -> Decision:
    return decide(state, stated(content, agent=agent), seen or evidence(quote()), STAMP)

"""Samples of what the broker says of the account as a whole."""

from datetime import date
from decimal import Decimal
from typing import Any

from contracts.base import Message
from contracts.broker import (
    AccountObserved,
    BreakFound,
    BreakHealed,
    BrokerLinkChanged,
    CashMoved,
    ObservedPosition,
    PositionAdopted,
    Reconciled,
)
from contracts.enums import BreakKind
from tests.wire.intent_samples import AAPL
from tests.wire.market_samples import AT

DAY = date(2026, 11, 23)
STAMP: dict[str, Any] = {"epoch": 5, "at": AT, "correlation_id": "7f0c", "causation_seq": 811}

ACCOUNT_EVENTS: list[Message] = [
    AccountObserved(
        **STAMP,
        trading_day=DAY,
        equity_usd=Decimal("100012.34"),
        last_equity_usd=Decimal(100_000),
        cash_usd=Decimal("98109.98"),
        buying_power_usd=Decimal("198109.98"),
        trading_blocked=False,
        positions=(
            ObservedPosition(
                symbol=AAPL,
                qty=Decimal(-10),
                avg_entry_price=Decimal("189.11"),
                current_price=Decimal("189.12"),
            ),
        ),
    ),
    BrokerLinkChanged(**STAMP, up=False, detail="socket closed"),
    Reconciled(**STAMP, orders_compared=3, orders_adopted=1, fills_recovered=2, position_breaks=("AAPL 10 ≠ 12",)),
    CashMoved(
        **STAMP,
        activity_id="20261123000000000::0b9d5c5e",
        kind="DIV",
        amount_usd=Decimal("-1.02"),
        symbol=AAPL,
        detail="dividend on a short",
    ),
    CashMoved(**STAMP, activity_id="", kind="opening", amount_usd=Decimal("98109.98")),
    BreakFound(**STAMP, kind=BreakKind.POSITION, key="AAPL", ours="10", theirs="12", since=AT),
    BreakFound(**STAMP, kind=BreakKind.ORPHAN, key="ext-91e69015", ours="nothing", theirs="buy 1 AAPL", since=AT),
    BreakHealed(**STAMP, kind=BreakKind.CASH, key="paper", detail="they agree again"),
    PositionAdopted(**STAMP, symbol=AAPL, qty=Decimal(-2), price=Decimal("189.11"), detail="held before us"),
]

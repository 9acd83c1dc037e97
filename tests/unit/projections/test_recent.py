"""An agent's last orders: the same again is told from another, within a window and a bounded memory."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from contracts.enums import OrderType, Side
from contracts.ids import Symbol
from contracts.orders import OrderTerms
from projections import recent
from projections.recent import KEPT_MAX, Recent
from tests.risk_world import NOW

MS = timedelta(milliseconds=1)


def terms(**other: Any) -> OrderTerms:
    base = {"symbol": Symbol("AAPL"), "side": Side.BUY, "order_type": OrderType.LIMIT, "qty": Decimal(1)}
    return OrderTerms(**(base | {"limit_price": Decimal(100)} | other))


def test_the_same_order_is_found_as_long_as_it_is_within_the_window() -> None:
    known = recent.with_order((), NOW, terms())
    assert recent.repeats(known, NOW + 999 * MS, terms(), 1000) == (999,)
    assert recent.repeats(known, NOW + 1000 * MS, terms(), 1000) == ()


@pytest.mark.parametrize(
    "other",
    [
        {"symbol": Symbol("SPY")},
        {"side": Side.SELL},
        {"qty": Decimal(2)},
        {"limit_price": Decimal(101)},
        {"order_type": OrderType.STOP_LIMIT, "stop_price": Decimal(99)},
        {"qty": Decimal(0), "notional_usd": Decimal(1)},
    ],
)
def test_an_order_that_differs_in_anything_that_counts_is_another(other: dict[str, Any]) -> None:
    known = recent.with_order((), NOW, terms())
    assert recent.repeats(known, NOW, terms(**other), 1000) == ()


def test_an_order_for_an_amount_is_the_same_whatever_shares_it_may_become() -> None:
    known = recent.with_order((), NOW, terms(qty=Decimal("1.5"), notional_usd=Decimal(150)))
    assert recent.repeats(known, NOW, terms(qty=Decimal("1.4"), notional_usd=Decimal(150)), 1000) == (0,)


def test_memory_is_bounded() -> None:
    known: Recent = ()
    for number in range(KEPT_MAX + 5):
        known = recent.with_order(known, NOW + number * MS, terms(qty=Decimal(number + 1)))
    assert len(known) == KEPT_MAX
    assert recent.repeats(known, NOW + 60 * MS, terms(qty=Decimal(1)), 1000) == ()
    assert recent.repeats(known, NOW + 60 * MS, terms(qty=Decimal(KEPT_MAX + 5)), 1000) == (8,)

"""What the broker's new order makes of the whole: it carries the old totals on, or it does not."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from contracts.enums import OrderStatus, Side
from contracts.ids import OrderId, Symbol
from projections.order_state import OrderState, Replacement
from services.oms.brokers.port import BrokerOrder
from services.oms.succession import replacement_id, succeeded
from tests.unit.oms.order_stories import terms

ASKED = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
MS = timedelta(milliseconds=1)
WHOLE = terms(16, limit="150.04")
ORDER = OrderState(
    order_id=OrderId("lg-1"),
    agent="grid",  # type: ignore[arg-type]
    intent_id=None,
    terms=replace(WHOLE, qty=Decimal(9)),
    worst_price=Decimal("150.04"),
    reduces=False,
    status=OrderStatus.PENDING_REPLACE,
    resting=OrderStatus.PARTIALLY_FILLED,
    decision_seq=17,
    valid_until=None,
    broker_order_id="old",
    filled_qty=Decimal(5),
    filled_notional_usd=Decimal("750.10"),
    replacement=Replacement(
        terms=WHOLE,
        worst_price=Decimal("150.04"),
        requested_by="grid",
        decision_seq=36,
        valid_until=None,  # type: ignore[arg-type]
    ),
)


def shown(broker_order_id: str, filled: int, **facts: object) -> BrokerOrder:
    return BrokerOrder(
        broker_order_id=broker_order_id,
        client_order_id=str(replacement_id(ORDER)),
        status="new",
        symbol=Symbol("AAPL"),
        side=Side.BUY,
        terms=WHOLE,
        filled_qty=Decimal(filled),
        **facts,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("filled_ms", "replaced_ms", "carried"),
    [
        (20, 50, 5),  # it filled after the new terms were asked for, and before they took its place
        (50, 50, 5),
        (60, 50, 0),  # nobody else can count what filled once it was replaced
        (20, None, 0),  # who does not say when cannot be believed to have counted it
        (-1, None, 5),
    ],
)
def test_what_the_old_order_filled_until_it_was_replaced_is_in_the_new_ones_totals(
    filled_ms: int, replaced_ms: int | None, carried: int
) -> None:
    replaced_at = None if replaced_ms is None else ASKED + replaced_ms * MS
    old = shown("old", 5, filled_at=ASKED + filled_ms * MS, replaced_at=replaced_at)
    new = shown("new", 12, submitted_at=ASKED)
    assert succeeded(ORDER, new, old).carried_qty == carried

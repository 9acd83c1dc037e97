"""Rows of an intent's own conditions: met exactly they let it pass, one step beyond or without a fact they deny."""

from datetime import timedelta
from typing import Any

from contracts.ids import OrderId
from contracts.orders import OrderWorking
from contracts.reasons import DenialCode as C
from tests.risk_world import NOW, answer, body, bought, evidence, intent, kill, limits_set, quote, state_of
from tests.unit.risk.row import READY, Row, ready

OPEN = evidence(quote())
STALE = evidence(quote(at=NOW - timedelta(milliseconds=5_001)))
LONG = state_of(*READY, bought("10"))
APPROVED = answer(ready(), body())
ORDER = OrderId(str(APPROVED.order_id))
WORKING = OrderWorking(epoch=1, at=NOW, order_id=ORDER, broker_status="new")
WAITING = state_of(*READY, APPROVED)
WORKS = state_of(*READY, APPROVED, WORKING)
"""The order's newest report stands at 4."""


def priced(expected: str, tolerance: str, **fields: Any) -> bytes:
    return body(expected_price=expected, price_tolerance_bps=tolerance, **fields)


def closing(**fields: Any) -> bytes:
    return intent("close", symbol="AAPL", **fields)


def changing(**fields: Any) -> bytes:
    return intent("replace", order_id=ORDER, limit_price="99.00", **fields)


PASSING = [
    ("nothing held", ready(), body(if_position="0"), OPEN),
    ("held exactly", LONG, body(if_position="10.0"), OPEN),
    ("held by who closes", LONG, closing(if_position=10), OPEN),
    ("nothing since", WORKS, body(if_state_seq=4), OPEN),
    ("nothing since, replace", WORKS, changing(if_state_seq=4), OPEN),
    ("risk has read so far", ready(), body(if_state_seq=9), OPEN),
    ("price at the tolerance", ready(), priced("99.50", "50.26"), OPEN),
    ("price better than expected", ready(), priced("101", "0"), OPEN),
    ("price as expected", ready(), priced("100", "0"), OPEN),
    ("price for who sells", LONG, priced("99.99", "0", side="sell"), OPEN),
]
ROWS = [
    Row(C.INVALID_QTY, ready(), body(if_position="NaN"), OPEN),
    Row(C.INVALID_QTY, ready(), body(if_position="1e400"), OPEN),
    Row(C.INVALID_COMBINATION, ready(), body(if_state_seq=-1), OPEN),
    Row(C.INVALID_COMBINATION, ready(), body(if_state_seq=2**63), OPEN),
    Row(C.INVALID_COMBINATION, ready(), body(expected_price="100"), OPEN),
    Row(C.INVALID_COMBINATION, ready(), changing(price_tolerance_bps="1"), OPEN),
    Row(C.INVALID_PRICE, ready(), priced("0", "1"), OPEN),
    Row(C.INVALID_PRICE, ready(), priced("100", "-1"), OPEN),
    Row(C.INVALID_PRICE, ready(), closing(expected_price="sNaN", price_tolerance_bps="1"), OPEN),
    Row(C.POSITION_CHANGED, ready(), body(if_position="1"), OPEN, "0", "1"),
    Row(C.POSITION_CHANGED, LONG, body(if_position="-10"), OPEN, "10", "-10"),
    Row(C.POSITION_CHANGED, LONG, closing(if_position="9.999999999"), OPEN, "10", "9.999999999"),
    Row(C.POSITION_CHANGED, WORKS, changing(if_position="1"), OPEN, "0", "1"),
    Row(C.STATE_CHANGED, WORKS, body(if_state_seq=3), OPEN, "4", "3"),
    Row(C.STATE_CHANGED, WORKS, changing(if_state_seq=3), OPEN, "4", "3"),
    Row(C.STATE_CHANGED, LONG, closing(if_state_seq=2), OPEN, "3", "2"),
    Row(C.STATE_CHANGED, WAITING, body(if_state_seq=9), OPEN, "1", "9"),
    Row(C.STATE_CHANGED, state_of(*READY, kill()), body(if_state_seq=2), OPEN, "3", "2"),
    Row(C.STATE_CHANGED, state_of(*READY, limits_set(2)), body(if_state_seq=2), OPEN, "3", "2"),
    Row(C.STATE_CHANGED, ready(), body(if_state_seq=10), OPEN, "9", "10"),
    Row(C.PRICE_MOVED, ready(), priced("99.50", "50.25"), OPEN, "50.25", "50.26"),
    Row(C.PRICE_MOVED, LONG, priced("100", "0.99", side="sell"), OPEN, "0.99", "1.00"),
    Row(C.PRICE_MOVED, WORKS, changing(expected_price="99", price_tolerance_bps="1"), OPEN, "1", "101.02"),
    Row(C.PRICE_MOVED, LONG, closing(expected_price="200", price_tolerance_bps="1"), OPEN, "1", "5000.50"),
    Row(C.PRICE_MOVED, ready(), priced("100", "1"), evidence(), "1"),
    Row(C.PRICE_MOVED, ready(), priced("100", "1"), STALE, "1"),
    Row(C.PRICE_MOVED, LONG, closing(expected_price="1", price_tolerance_bps="1"), evidence(), "1"),
]

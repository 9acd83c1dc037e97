"""Rows of the loop breaker: one repeat less, or a moment later, and the intent is decided again."""

from datetime import timedelta
from decimal import Decimal

from contracts.decisions import Evidence
from contracts.reasons import DenialCode as C
from projections import account
from projections.account import AccountState
from tests.risk_world import NOW, answer, body, bought, evidence, intent, quote
from tests.unit.risk.row import Row, ready

LIMITS = {"max_loop_repeats": 3, "loop_cooldown_ms": 10_000, "max_order_notional_usd": Decimal(100)}
COOL = 10_000


def seen(after_ms: int = 0) -> Evidence:
    at = NOW + timedelta(milliseconds=after_ms)
    return evidence(quote(at=at), at=at)


def denied(times: int, content: bytes, *, every_ms: int = 1, **limits: object) -> AccountState:
    """Have an intent denied so many times, one denial after the other."""
    state = ready(**(LIMITS | limits))
    for number in range(times):
        decision = answer(state, content, seen((number - times + 1) * every_ms))
        state = account.evolve(state, decision, number)
    return state


MISSING = intent("replace", order_id="lg-nobody", limit_price="99.00")
LONG = account.evolve(denied(3, body(side="sell", qty="5")), bought("10"), 9)
PASSING = [
    ("a repeat that is no loop yet is heard", denied(2, body()), body(qty="1"), seen()),
    ("another intent is heard", denied(3, body()), body(qty="1"), seen()),
    ("an exit is heard every time", LONG, body(side="sell", qty="5"), seen()),
]
ROWS = [
    Row(C.LOOP_BREAKER, denied(3, body()), body(), seen(), "3", "4"),
    Row(C.LOOP_BREAKER, denied(3, body()), body(), seen(COOL - 1), "3", "4"),
    Row(C.LOOP_BREAKER, denied(3, MISSING), MISSING, seen(), "3", "4"),
    Row(C.LOOP_BREAKER, denied(3, body(), max_loop_repeats=0), body(), seen(), "0", "2"),
    Row(C.MAX_ORDER_NOTIONAL, denied(2, body()), body(), seen(), "100", "1000", "1", "100"),
    Row(C.MAX_ORDER_NOTIONAL, denied(3, body()), body(), seen(COOL), "100", "1000", "1", "100"),
    Row(C.MAX_ORDER_NOTIONAL, denied(3, body(), every_ms=COOL), body(), seen(), "100", "1000", "1", "100"),
    Row(C.MAX_ORDER_NOTIONAL, denied(3, body(), max_loop_repeats=None), body(), seen(), "100", "1000", "1", "100"),
    Row(C.NO_POSITION, denied(3, intent("close", symbol="AAPL")), intent("close", symbol="AAPL"), seen()),
]

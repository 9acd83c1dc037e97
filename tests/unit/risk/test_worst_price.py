"""What each type of order costs at its worst, and how many shares an amount may become."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from contracts.decisions import Decision, Reservation
from contracts.enums import LegRole, Outcome, Side
from contracts.ids import OrderId, leg_id_for
from contracts.orders import OrderLegAdded, OrderTerms, OrderWorking
from contracts.reasons import DenialCode as C
from projections import account
from tests.risk_world import AAPL, DEMO, NOW, answer, body, bought, evidence, limits_set, observed, quote, state_of

D = Decimal
READY = (limits_set(), observed())
FLAT, LONG = state_of(*READY), state_of(*READY, bought("10"))
SHORT = state_of(*READY, bought("10", side=Side.SELL))


def reserved(decision: Decision) -> Reservation:
    assert decision.reservation is not None, decision.reason
    return decision.reservation


TRAIL = {"order_type": "trailing_stop", "limit_price": None}
STOP = {"order_type": "stop", "limit_price": None}
MARKET = {"order_type": "market", "limit_price": None}
BRACKET = {"order_class": "bracket", "take_profit": {"limit_price": "150"}, "stop_loss": {"stop_price": "90"}}
OCO = {"order_class": "oco", "limit_price": None}


@pytest.mark.parametrize(
    ("terms", "price"),
    [
        ({"limit_price": "99.5"}, "99.5"),
        ({"order_type": "stop_limit", "limit_price": "103", "stop_price": "101"}, "103"),
        ({**STOP, "stop_price": "49.99"}, "51.9896"),
        ({**STOP, "stop_price": "50"}, "51.25"),
        ({**STOP, "stop_price": "101"}, "103.525"),
        ({**TRAIL, "trail_price": "2"}, "104.55"),
        ({**TRAIL, "trail_percent": "1.5"}, "104.0375"),
        (MARKET, "101"),
        ({"side": "sell"}, "103"),
        ({"side": "sell", "limit_price": "104"}, "104"),
        ({**STOP, "side": "sell", "stop_price": "99"}, "103"),
        ({**TRAIL, "side": "sell", "trail_price": "2"}, "103"),
        ({**MARKET, "side": "sell"}, "103"),
        ({"limit_price": "99.5", **BRACKET}, "99.5"),
        ({**MARKET, **BRACKET}, "101"),
    ],
)
def test_an_order_that_opens_is_reserved_at_the_worst_price_of_its_type(terms: Any, price: str) -> None:
    reservation = reserved(answer(FLAT, body(**terms)))
    assert (reservation.price_usd, reservation.notional_usd) == (D(price), D(price) * 10)
    assert not reservation.reduces


@pytest.mark.parametrize(
    ("held", "terms", "price"),
    [
        (LONG, {"side": "sell", "limit_price": "90"}, "100"),
        (LONG, {"side": "sell", "limit_price": "120"}, "120"),
        (LONG, {**STOP, "side": "sell", "stop_price": "95"}, "100"),
        (LONG, {**MARKET, "side": "sell"}, "100"),
        (SHORT, {**STOP, "stop_price": "130"}, "130"),
        (
            LONG,
            {**OCO, "side": "sell", "take_profit": {"limit_price": "120"}, "stop_loss": {"stop_price": "90"}},
            "120",
        ),
        (SHORT, {**OCO, "take_profit": {"limit_price": "90"}, "stop_loss": {"stop_price": "130"}}, "130"),
    ],
)
def test_an_order_that_reduces_counts_at_its_prices_or_the_mark(held: Any, terms: Any, price: str) -> None:
    reservation = reserved(answer(held, body(**terms)))
    assert (reservation.reduces, reservation.price_usd) == (True, D(price))


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_what_takes_the_market_needs_a_quote(side: str) -> None:
    for terms in (MARKET, {**TRAIL, "trail_price": "2"}):
        reason = answer(FLAT, body(side=side, **terms), evidence()).reason
        assert reason is not None
        assert reason.code is C.NO_QUOTE


AMOUNT = {**MARKET, "qty": None, "notional_usd": "1000"}
MOST = D("10.102020304")
"""1,000 USD ÷ (bid 99.99 less the collar of 1 %), rounded up."""


def test_a_buy_for_an_amount_is_reserved_at_that_amount_for_the_most_shares_it_may_become() -> None:
    state = state_of(limits_set(max_order_notional_usd=D(1000), max_position_notional_usd=D(1000)), observed())
    decision = answer(state, body(**AMOUNT))
    reservation = reserved(decision)
    assert decision.terms is not None
    assert (decision.terms.notional_usd, decision.terms.qty, reservation.qty) == (D(1000), MOST, MOST)
    assert reservation.notional_usd == D(1000)
    assert D(1000) - D("0.0001") < reservation.price_usd * reservation.qty <= D(1000)
    after = account.evolve(state, decision, 9)
    assert after.exposure.of(AAPL).buy_notional_usd == reservation.price_usd * MOST
    reason = answer(state, body(**AMOUNT | {"notional_usd": "1000.01"})).reason
    assert reason is not None
    assert reason.code is C.MAX_ORDER_NOTIONAL


def test_a_sale_for_an_amount_passes_when_its_most_shares_strictly_reduce() -> None:
    held, sale = state_of(*READY, bought(str(MOST))), body(side="sell", **AMOUNT)
    assert reserved(answer(held, sale)).reduces
    reason = answer(state_of(*READY, bought("10.1")), sale).reason
    assert reason is not None
    assert (reason.code, reason.max_acceptable_qty) == (C.CROSSES_ZERO, D("10.1"))


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_an_amount_is_not_measured_by_an_old_quote(side: str) -> None:
    old = evidence(quote(at=NOW - timedelta(milliseconds=5_001)))
    held = state_of(*READY, bought("20")) if side == "sell" else FLAT
    for seen, code in ((old, C.STALE_QUOTE), (evidence(), C.NO_QUOTE)):
        reason = answer(held, body(side=side, **AMOUNT), seen).reason
        assert reason is not None
        assert reason.code is code


def test_a_collar_of_everything_bounds_no_amount() -> None:
    state = state_of(limits_set(market_collar_bps=D(10_000)), observed())
    assert answer(state, body(**AMOUNT)).outcome is Outcome.DENIED


def test_exits_that_an_entry_brings_count_at_the_entrys_price_or_their_own() -> None:
    entry = answer(FLAT, body(**BRACKET))
    parent = OrderId(str(entry.order_id))
    legs = [
        OrderLegAdded(
            epoch=1,
            at=NOW,
            order_id=leg_id_for(parent, role),
            agent=DEMO,
            parent_id=parent,
            role=role,
            client_order_id="c",
            broker_order_id=f"b-{role}",
            broker_status="held",
            terms=OrderTerms(symbol=AAPL, side=Side.SELL, order_type=kind, qty=D(10), **{price: D(at)}),
        )
        for role, kind, price, at in [
            (LegRole.TAKE_PROFIT, "limit", "limit_price", "150"),
            (LegRole.STOP_LOSS, "stop", "stop_price", "90"),
        ]
    ]
    working = [OrderWorking(epoch=1, at=NOW, order_id=leg.order_id, broker_status="new") for leg in legs]
    state = state_of(*READY, entry, bought("10"), *legs, *working)
    assert [state.orders[leg.order_id].worst_price for leg in legs] == [D(150), D(100)]
    assert (state.exposure.of(AAPL).sell_qty, state.exposure.of(AAPL).sell_notional_usd) == (D(10), D(1500))

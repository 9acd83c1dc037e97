"""Advice on sizes, worked out by hand; it is given, and binds nobody."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from contracts import codec
from contracts.decisions import Evidence, Sizing
from contracts.enums import Outcome
from tests.risk_world import answer, body, bought, evidence, limits_set, observed, quote, state_of
from tests.unit.risk.row import ready
from tests.unit.risk.rows_market import STATS, seen, under

D = Decimal
CALM = replace(STATS, atr_usd=D("1.5"))


def advised(content: bytes, at: Evidence, **limits: Any) -> Sizing:
    found = answer(ready(risk_per_trade_pct=D(1), **limits), content, at)
    assert found.sizing is not None, found.reason
    assert codec.encode(codec.decode_event(codec.encode(found))) == codec.encode(found)
    return found.sizing


def told(sizing: Sizing) -> dict[str, Decimal]:
    return {one.name: one.factor for one in sizing.adjustments}


def test_one_percent_of_equity_is_what_a_loss_at_the_stop_costs() -> None:
    # 100,000 × 1 % = 1,000; the range of 1.50 is more than 1 % of 100.00: floor(1,000 / 1.5) = 666
    # 1.50 is within 2 % of the price: factor 1; 2,000 quoted are more than twice 666: factor 1
    deep = seen(stats=CALM, quote=replace(quote(), ask_size=D(2000)))
    sizing = advised(body(), deep)
    assert (sizing.requested_qty, sizing.recommended_qty) == (10, 666)
    assert (sizing.risk_usd, sizing.stop_distance_usd) == (1000, D("1.5"))
    assert told(sizing) == {"volatility": 1, "liquidity": 1}


def test_a_narrow_range_still_keeps_one_percent_of_the_price_away() -> None:
    deep = seen(stats=replace(STATS, atr_usd=D("0.25")), quote=replace(quote(), ask_size=D(5000)))
    sizing = advised(body(), deep)
    assert (sizing.stop_distance_usd, sizing.recommended_qty) == (1, 1000)


def test_a_wide_range_and_a_thin_quote_make_it_smaller() -> None:
    # range 5 of 100: floor(1,000 / 5) = 200; volatility 1 / (5 / 2) = 0.4 leaves 80; 100 quoted: 100 / 160 = 0.625
    sizing = advised(body(), seen(stats=replace(STATS, atr_usd=D(5))))
    assert told(sizing) == {"volatility": D("0.4"), "liquidity": D("0.625")}
    assert sizing.recommended_qty == 50


def test_the_orders_own_stop_is_the_distance() -> None:
    content = body(order_class="oto", stop_loss={"stop_price": "96.00"})
    sizing = advised(content, seen(stats=CALM))
    # 1,000 / 4 = 250, and 100 quoted of twice 250: 0.2
    assert (sizing.stop_distance_usd, sizing.recommended_qty) == (4, 50)


def test_a_sale_is_measured_at_the_bid() -> None:
    sizing = advised(body(side="sell"), seen(stats=CALM, quote=replace(quote(), bid_size=D(333))))
    assert told(sizing)["liquidity"] == D("0.25")  # 333 / (2 × 666)
    assert sizing.recommended_qty == 166


def test_what_a_limit_on_size_denied_is_advised_within_that_limit() -> None:
    denied = answer(
        ready(risk_per_trade_pct=D(1), max_order_qty=D(20)), body(qty="30"), seen(stats=replace(STATS, atr_usd=D(5)))
    )
    assert denied.outcome is Outcome.DENIED
    assert denied.sizing is not None
    assert denied.sizing.recommended_qty == 20
    assert told(denied.sizing)["limits"] == D("0.4")


def test_advice_never_binds() -> None:
    found = answer(ready(risk_per_trade_pct=D("0.001")), body(qty="40"), seen(stats=CALM))
    assert found.outcome is Outcome.APPROVED
    assert found.sizing is not None
    assert found.sizing.recommended_qty == 0
    assert found.terms is not None
    assert found.terms.qty == 40


RISKY = ready(risk_per_trade_pct=D(1))


@pytest.mark.parametrize(
    ("state", "content", "at"),
    [
        pytest.param(ready(), body(), seen(stats=CALM), id="no rail"),
        pytest.param(RISKY, body(), seen(), id="no statistics"),
        pytest.param(RISKY, body(), seen(stats=replace(STATS, atr_usd=None)), id="no range"),
        pytest.param(RISKY, body(), seen(stats=replace(STATS, atr_usd=D("NaN"))), id="a range that is none"),
        pytest.param(RISKY, body(symbol="MSFT"), seen(stats=CALM), id="denied, not for its size"),
        pytest.param(RISKY, body(), replace(evidence(), stats=CALM), id="no quote"),
        pytest.param(under(bought("10"), risk_per_trade_pct=D(1)), body(side="sell"), seen(stats=CALM), id="an exit"),
    ],
)
def test_without_its_facts_no_advice_is_given(state: Any, content: bytes, at: Evidence) -> None:
    assert answer(state, content, at).sizing is None


def test_an_account_that_lost_everything_is_advised_to_trade_nothing() -> None:
    state = state_of(limits_set(risk_per_trade_pct=D(1)), observed("-5", last_equity="-5"))
    found = answer(state, body(), seen(stats=CALM))
    assert found.sizing is not None
    assert found.sizing.recommended_qty == 0

"""Alpaca's form rules, one row each: what breaks a rule is denied with its code, what keeps it is not."""

from typing import Any

import pytest

from contracts.enums import Outcome, Side
from contracts.reasons import DenialCode as C
from tests.risk_world import answer, body, bought, limits_set, observed, state_of

READY = (limits_set(), observed())
FLAT, LONG = state_of(*READY), state_of(*READY, bought("10"))
SHORT = state_of(*READY, bought("10", side=Side.SELL))
ANY_TIME = ("day", "gtc", "opg", "cls", "ioc", "fok")

MARKET = {"order_type": "market", "limit_price": None}
LIMIT = {"order_type": "limit", "limit_price": "100.00"}
STOP = {"order_type": "stop", "limit_price": None, "stop_price": "101.00"}
STOP_LIMIT = {"order_type": "stop_limit", "limit_price": "102.00", "stop_price": "101.00"}
TRAIL = {"order_type": "trailing_stop", "limit_price": None, "trail_percent": "1"}
AMOUNT = {**MARKET, "qty": None, "notional_usd": "500"}
TAKE, LOSS = {"take_profit": {"limit_price": "110.00"}}, {"stop_loss": {"stop_price": "90.00"}}
BRACKET = {**LIMIT, "order_class": "bracket", **TAKE, **LOSS}
OTO = {**LIMIT, "order_class": "oto", **TAKE}
OCO = {"side": "sell", "order_type": "limit", "limit_price": None, "order_class": "oco", **TAKE, **LOSS}
SHORT_BRACKET = {
    "side": "sell",
    "order_class": "bracket",
    "take_profit": {"limit_price": "90"},
    "stop_loss": {"stop_price": "110"},
}
COVER = {
    **OCO,
    "side": "buy",
    "take_profit": {"limit_price": "90"},
    "stop_loss": {"stop_price": "110", "limit_price": "111"},
}


def said(state: Any, *terms: dict[str, Any], **more: Any) -> C | None:
    """State an order of these terms, and give the code of the denial."""
    fields: dict[str, Any] = {}
    for one in (*terms, more):
        fields |= one
    decision = answer(state, body(**fields))
    if decision.outcome is Outcome.APPROVED:
        return None
    assert decision.reason is not None
    assert len(decision.reason.message) > 20
    return decision.reason.code


GOOD = [
    *[(FLAT, {**MARKET, "time_in_force": time}) for time in ANY_TIME],
    *[(FLAT, {**LIMIT, "time_in_force": time}) for time in ANY_TIME],
    *[(FLAT, {**kind, "time_in_force": time}) for kind in (STOP, STOP_LIMIT, TRAIL) for time in ("day", "gtc")],
    (FLAT, {**TRAIL, "trail_percent": None, "trail_price": "2.50"}),
    (FLAT, {**LIMIT, "extended_hours": True}),
    (FLAT, {**LIMIT, "extended_hours": True, "time_in_force": "gtc"}),
    *[(FLAT, {**kind, "qty": "0.5"}) for kind in (MARKET, LIMIT, STOP, STOP_LIMIT)],
    (FLAT, {"limit_price": "0.9999", "qty": "1"}),
    (FLAT, AMOUNT),
    (LONG, {**AMOUNT, "side": "sell"}),
    (LONG, {**MARKET, "side": "sell", "qty": "0.5"}),
    (SHORT, {**MARKET, "qty": "2"}),
    (FLAT, BRACKET),
    (FLAT, {**BRACKET, **MARKET}),
    (FLAT, {**BRACKET, **STOP, "time_in_force": "gtc"}),
    (FLAT, {**BRACKET, "stop_loss": {"stop_price": "99.99", "limit_price": "99.00"}}),
    (FLAT, {**BRACKET, "take_profit": {"limit_price": "100.01"}}),
    (FLAT, SHORT_BRACKET),
    (LONG, BRACKET),
    (FLAT, OTO),
    (FLAT, {**OTO, "take_profit": None, **LOSS}),
    (LONG, OCO),
    (LONG, {**OCO, "limit_price": "110.0"}),
    (LONG, {**OCO, "qty": "4", "time_in_force": "gtc"}),
    (SHORT, COVER),
]


@pytest.mark.parametrize(("state", "terms"), GOOD)
def test_an_order_that_keeps_the_rules_passes(state: Any, terms: dict[str, Any]) -> None:
    assert said(state, terms) is None


COMBINATION = [
    # prices by type
    (FLAT, {**MARKET, "limit_price": "100.00"}),
    (FLAT, {**MARKET, "stop_price": "100.00"}),
    (FLAT, {**MARKET, "trail_price": "1"}),
    (FLAT, {**LIMIT, "limit_price": None}),
    (FLAT, {**LIMIT, "stop_price": "99.00"}),
    (FLAT, {**STOP, "stop_price": None}),
    (FLAT, {**STOP, "limit_price": "102.00"}),
    (FLAT, {**STOP_LIMIT, "limit_price": None}),
    (FLAT, {**STOP_LIMIT, "stop_price": None}),
    (FLAT, {**TRAIL, "trail_percent": None}),
    (FLAT, {**TRAIL, "trail_price": "1.00"}),
    (FLAT, {**TRAIL, "stop_price": "99.00"}),
    (FLAT, {**TRAIL, "limit_price": "99.00"}),
    # times by type
    *[
        (FLAT, {**kind, "time_in_force": t})
        for kind in (STOP, STOP_LIMIT, TRAIL)
        for t in ("opg", "cls", "ioc", "fok")
    ],
    # hours
    *[(FLAT, {**kind, "extended_hours": True}) for kind in (MARKET, STOP, STOP_LIMIT, TRAIL)],
    *[(FLAT, {**LIMIT, "extended_hours": True, "time_in_force": time}) for time in ("opg", "cls", "ioc", "fok")],
    # amounts and fractions
    (FLAT, {**AMOUNT, **LIMIT}),
    *[(FLAT, {**AMOUNT, "time_in_force": time}) for time in ANY_TIME if time != "day"],
    *[(FLAT, {"qty": "0.5", "time_in_force": time}) for time in ANY_TIME if time != "day"],
    (FLAT, {**TRAIL, "qty": "1.5"}),
    # classes
    (FLAT, TAKE),
    (FLAT, LOSS),
    (FLAT, {**BRACKET, "take_profit": None}),
    (FLAT, {**BRACKET, "stop_loss": None}),
    (FLAT, {**OTO, **LOSS}),
    (FLAT, {**OTO, "take_profit": None}),
    (LONG, {**OCO, "stop_loss": None}),
    (LONG, {**OCO, "take_profit": None}),
    *[(FLAT, {**kind, "time_in_force": time}) for kind in (BRACKET, OTO) for time in ("opg", "cls", "ioc", "fok")],
    (LONG, {**OCO, "time_in_force": "ioc"}),
    *[(FLAT, {**kind, "extended_hours": True}) for kind in (BRACKET, OTO)],
    (LONG, {**OCO, "extended_hours": True}),
    *[(FLAT, {**kind, "qty": "1.5"}) for kind in (BRACKET, OTO)],
    (LONG, {**OCO, "qty": "1.5"}),
    (FLAT, {**BRACKET, **AMOUNT}),
    (FLAT, {**BRACKET, **TRAIL}),
    (LONG, {**OCO, **MARKET}),
    (LONG, {**OCO, **STOP}),
    (LONG, {**OCO, "limit_price": "109.00"}),
    # where exits stand
    (LONG, {**OCO, "take_profit": {"limit_price": "90.00"}}),
    (LONG, {**OCO, "take_profit": {"limit_price": "0.9950"}, "stop_loss": {"stop_price": "0.9900"}}),
    (SHORT, {**COVER, "take_profit": {"limit_price": "110"}}),
    (FLAT, {**BRACKET, "take_profit": {"limit_price": "89.00"}}),
    (FLAT, {**BRACKET, "take_profit": {"limit_price": "100.00"}}),
    (FLAT, {**BRACKET, "stop_loss": {"stop_price": "100.00"}}),
    (FLAT, {**OTO, "take_profit": None, "stop_loss": {"stop_price": "100.00"}}),
    (FLAT, {**SHORT_BRACKET, "take_profit": {"limit_price": "100.00"}}),
    (FLAT, {**SHORT_BRACKET, "stop_loss": {"stop_price": "100.00"}}),
    (FLAT, {**BRACKET, **STOP, "stop_loss": {"stop_price": "101.00"}}),
    (FLAT, {**BRACKET, **MARKET, "take_profit": {"limit_price": "100.00"}}),  # the ask
    (FLAT, {**SHORT_BRACKET, **MARKET, "stop_loss": {"stop_price": "99.99"}}),  # the bid
]


@pytest.mark.parametrize(("state", "terms"), COMBINATION)
def test_what_does_not_go_together_is_denied(state: Any, terms: dict[str, Any]) -> None:
    assert said(state, terms) is C.INVALID_COMBINATION


PRICES = ["0", "-1", "NaN", "Infinity", "100.001", "0.99999", "1e12"]
OWN_PRICES = [
    (LIMIT, lambda price: {"limit_price": price}),
    (STOP, lambda price: {"stop_price": price}),
    ({**TRAIL, "trail_percent": None}, lambda price: {"trail_price": price}),
    (BRACKET, lambda price: {"take_profit": {"limit_price": price}}),
    (BRACKET, lambda price: {"stop_loss": {"stop_price": price}}),
    (BRACKET, lambda price: {"stop_loss": {"stop_price": "90.00", "limit_price": price}}),
]


@pytest.mark.parametrize("price", PRICES)
@pytest.mark.parametrize(("terms", "priced"), OWN_PRICES)
def test_every_price_is_a_number_on_its_tick(terms: dict[str, Any], priced: Any, price: str) -> None:
    assert said(FLAT, terms, priced(price)) is C.INVALID_PRICE


@pytest.mark.parametrize("percent", ["0", "-1", "100", "NaN", "0.0000000001"])
def test_a_trail_in_percent_is_above_zero_and_below_a_hundred(percent: str) -> None:
    assert said(FLAT, TRAIL, trail_percent=percent) is C.INVALID_PRICE


@pytest.mark.parametrize(
    "amounts",
    [
        {"qty": None},
        {"qty": "1", "notional_usd": "100"},
        {**AMOUNT, "notional_usd": "0"},
        {**AMOUNT, "notional_usd": "-5"},
        {**AMOUNT, "notional_usd": "NaN"},
        {**AMOUNT, "notional_usd": "0.0000000001"},
    ],
)
def test_exactly_one_amount_above_zero_is_stated(amounts: dict[str, Any]) -> None:
    assert said(FLAT, amounts) is C.INVALID_QTY


@pytest.mark.parametrize("state", [FLAT, SHORT])
@pytest.mark.parametrize("terms", [{"qty": "1.5"}, AMOUNT])
def test_what_is_not_held_is_sold_in_whole_shares(state: Any, terms: dict[str, Any]) -> None:
    assert said(state, terms, side="sell") is C.INVALID_QTY


def test_an_oco_leaves_a_position_that_is_held() -> None:
    assert said(FLAT, OCO) is C.NO_POSITION
    assert said(SHORT, OCO) is C.NO_POSITION
    assert said(LONG, OCO, qty="11") is C.CROSSES_ZERO


@pytest.mark.parametrize("terms", [BRACKET, OTO])
def test_an_order_that_brings_exits_opens_and_never_leaves(terms: dict[str, Any]) -> None:
    decision = answer(SHORT, body(**terms, qty="2"))
    assert decision.reason is not None
    assert (decision.reason.code, decision.reason.max_acceptable_qty) == (C.CROSSES_ZERO, 0)
    assert "oco" in decision.reason.message


def test_a_crypto_pair_is_no_equity() -> None:
    assert said(FLAT, symbol="BTC/USD") is C.UNSUPPORTED

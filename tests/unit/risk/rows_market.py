"""Rows for the controls that lean on facts of the market and the instrument."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from contracts.broker import (
    AccountObserved,
    Asset,
    AssetsObserved,
    ObservedPosition,
    Session,
    SessionsObserved,
)
from contracts.decisions import Evidence
from contracts.ids import Symbol
from contracts.market import SymbolStats, SymbolStatus
from contracts.reasons import DenialCode as C
from projections.account import AccountState
from tests.risk_world import AAPL, NOW, body, bought, evidence, limits_set, observed, quote, state_of
from tests.unit.risk.row import Row, ready

D = Decimal
HOUR, MINUTE, DAY = timedelta(hours=1), timedelta(minutes=1), timedelta(days=1)
OPEN_AT = NOW - 30 * MINUTE
"""NOW is Monday, 10:00 in New York: half an hour after the opening."""
CLOSE_AT = OPEN_AT + 6.5 * HOUR
DAYS = tuple(
    Session(trading_day=(NOW + n * DAY).date(), open_at=OPEN_AT + n * DAY, close_at=CLOSE_AT + n * DAY)
    for n in range(2)
)
SESSIONS = SessionsObserved(epoch=1, at=NOW, sessions=DAYS)
STATS = SymbolStats(
    symbol=AAPL,
    last_price=D(100),
    last_at=NOW - MINUTE,
    prior_close=D(99),
    atr_usd=D(2),
    daily_volume=D(100_000),
    at=NOW,
    source="test",
)
HALT = SymbolStatus(
    symbol=AAPL, code="H", message="Trading Halt", reason_code="T1", reason="News", at=NOW, source="test"
)


def listed(**says: Any) -> AssetsObserved:
    asset = Asset(symbol=AAPL, tradable=True, shortable=True, easy_to_borrow=True, fractionable=True)
    return AssetsObserved(epoch=1, at=NOW, assets=(replace(asset, **says),))


def under(*events: Any, **limits: Any) -> AccountState:
    return state_of(limits_set(**limits), observed(), *events)


def shown_at(price: str) -> AccountObserved:
    position = ObservedPosition(symbol=AAPL, qty=D(10), avg_entry_price=D(100), current_price=D(price))
    return replace(observed(), positions=(position,))


def seen(bid: str = "99.99", ask: str = "100.00", **facts: Any) -> Evidence:
    return replace(evidence(quote(bid, ask)), **facts)


def at_time(moment: timedelta, **facts: Any) -> Evidence:
    """The market at a moment after NOW, as fresh as it was then."""
    at = NOW + moment
    return replace(evidence(quote(at=at), at=at), trading_day=at.date(), **facts)


def in_session(*events: Any, at: timedelta = timedelta(0), **limits: Any) -> AccountState:
    return state_of(limits_set(**limits), SESSIONS, observed(at=NOW + at), *events)


def market(side: str = "buy", **fields: Any) -> bytes:
    return body(side=side, order_type="market", limit_price=None, **fields)


CLOSED = CLOSE_AT - NOW
BEFORE = CLOSED - 15 * MINUTE
NIGHT: dict[str, Any] = {"max_overnight_exposure_usd": D("999.99"), "overnight_window_ms": 900_000}
EVENING = CLOSED + 3 * HOUR
"""19:00 in New York, when auctions take orders for the next day."""
QUIET = SymbolStatus(symbol=AAPL, code="T", message="", reason_code="", reason="", at=NOW, source="test")
OTHERS = replace(HALT, symbol=Symbol("MSFT"))
SHORT = body(side="sell")

ROWS = [
    Row(C.SYMBOL_NOT_ALLOWED, ready(symbol_denylist=("AAPL",)), body(), seen()),
    Row(C.NO_ASSET, under(assets_required=True), body(), seen()),
    Row(C.NOT_TRADABLE, under(listed(tradable=False), assets_required=True), body(), seen()),
    Row(C.NOT_TRADABLE, under(listed(fractionable=False), assets_required=True), body(qty="0.5"), seen()),
    Row(
        C.NOT_TRADABLE,
        under(listed(fractionable=False), assets_required=True),
        market(qty=None, notional_usd="100"),
        seen(),
    ),
    Row(C.SYMBOL_HALTED, ready(halts_respected=True), body(), seen(status=HALT)),
    Row(C.SYMBOL_HALTED, ready(halts_respected=True), body(), seen(status=replace(HALT, code="2"))),
    Row(C.NO_SESSION, ready(session_required=True), market(), seen()),
    Row(C.SESSION_CLOSED, in_session(at=CLOSED, session_required=True), market(), at_time(CLOSED)),
    Row(
        C.SESSION_CLOSED,
        in_session(at=CLOSED, session_required=True),
        body(order_type="stop", limit_price=None, stop_price="101.00"),
        at_time(CLOSED),
    ),
    Row(
        C.SESSION_CLOSED,
        in_session(at=CLOSED, session_required=True),
        body(order_type="trailing_stop", limit_price=None, trail_price="1.00"),
        at_time(CLOSED),
    ),
    Row(C.SESSION_CLOSED, in_session(session_required=True), market(time_in_force="opg"), seen()),
    Row(
        C.SESSION_CLOSED,
        in_session(at=CLOSED - 10 * MINUTE, session_required=True),
        body(time_in_force="cls"),
        at_time(CLOSED - 10 * MINUTE),
    ),
    Row(
        C.SESSION_CLOSED,
        in_session(at=EVENING - MINUTE, session_required=True),
        market(time_in_force="opg"),
        at_time(EVENING - MINUTE),
    ),
    Row(C.SHORT_NOT_ALLOWED, ready(shorts_allowed=False), SHORT, seen()),
    Row(C.NO_ASSET, under(shorts_allowed=True), SHORT, seen()),
    Row(C.NOT_BORROWABLE, under(listed(shortable=False), shorts_allowed=True), SHORT, seen()),
    Row(C.NOT_BORROWABLE, under(listed(easy_to_borrow=False), shorts_allowed=True), SHORT, seen()),
    Row(C.NO_QUOTE, ready(min_quote_size=D(1)), body(), evidence()),
    Row(C.SMALL_QUOTE, ready(min_quote_size=D("100.1")), body(), seen(), "100.1", "100"),
    Row(
        C.SMALL_QUOTE,
        ready(min_quote_size=D(1)),
        body(),
        evidence(replace(quote(), ask_size=D("sNaN"))),
        "1",
        "0",
    ),
    Row(C.NO_REFERENCE, ready(reference_collar_bps=D(500)), body(), seen()),
    Row(
        C.NO_REFERENCE,
        ready(reference_collar_bps=D(500)),
        body(),
        seen(stats=replace(STATS, symbol=Symbol("MSFT"))),
    ),
    Row(
        C.NO_REFERENCE,
        ready(reference_collar_bps=D(500)),
        body(),
        seen(stats=replace(STATS, last_price=D("sNaN"))),
    ),
    Row(
        C.REFERENCE_COLLAR,
        ready(reference_collar_bps=D(500)),
        body(),
        seen("104.99", "105.03", stats=STATS),
        "500",
        "501.00",
    ),
    Row(
        C.REFERENCE_COLLAR,
        ready(reference_collar_bps=D(500)),
        body(),
        seen("94.97", "95.01", stats=STATS),
        "500",
        "501.00",
    ),
    Row(
        C.FEED_DIVERGENCE,
        state_of(limits_set(feed_divergence_max_bps=D(50)), bought("10"), shown_at("101.00")),
        body(),
        seen("100.47", "100.49"),
        "50",
        "51.49",
    ),
    Row(
        C.FEED_DIVERGENCE,
        state_of(limits_set(feed_divergence_max_bps=D(50)), bought("10"), shown_at("0")),
        body(),
        seen("100.47", "100.49"),
    ),
    Row(C.PRICE_COLLAR, ready(limit_collar_bps=D(100)), body(limit_price="101.01"), seen(), "100", "101.00"),
    Row(
        C.PRICE_COLLAR,
        ready(limit_collar_bps=D(100)),
        body(side="sell", limit_price="98.99"),
        seen(),
        "100",
        "100.02",
    ),
    Row(
        C.PRICE_COLLAR,
        ready(limit_collar_bps=D(100)),
        body(order_type="stop_limit", stop_price="102.00", limit_price="103.03"),
        seen(),
        "100",
        "100.99",
    ),
    Row(C.PASSIVE_COLLAR, ready(passive_collar_bps=D(2000)), body(limit_price="79.99"), seen(), "2000", "2000.21"),
    Row(
        C.PASSIVE_COLLAR,
        ready(passive_collar_bps=D(2000)),
        body(side="sell", limit_price="120.01"),
        seen(),
        "2000",
        "2001.00",
    ),
    Row(C.MAX_ORDER_QTY, ready(max_order_qty=D(9)), body(), seen(), "9", "10", "9", "9"),
    Row(C.NO_REFERENCE, ready(max_order_adv_pct=D(1)), body(), seen()),
    Row(C.NO_REFERENCE, ready(max_order_adv_pct=D(1)), body(), seen(stats=replace(STATS, daily_volume=D(0)))),
    Row(
        C.MAX_ORDER_ADV,
        ready(max_order_adv_pct=D("0.0099")),
        body(),
        seen(stats=STATS),
        "0.0099",
        "0.0100",
        "9",
        "0.0099",
    ),
    Row(C.NO_SESSION, ready(**NIGHT), body(), seen()),
    Row(
        C.MAX_OVERNIGHT_EXPOSURE,
        in_session(at=BEFORE, **NIGHT),
        body(),
        at_time(BEFORE),
        "999.99",
        "1000",
        "9",
        "999.99",
    ),
    Row(
        C.MAX_OVERNIGHT_EXPOSURE,
        in_session(at=CLOSED, **NIGHT),
        body(extended_hours=True),
        at_time(CLOSED),
        "999.99",
        "1000",
        "9",
        "999.99",
    ),
]
"""One step above the limit, or without the fact."""

PASSING = [
    ("denied elsewhere", ready(symbol_denylist=("MSFT",)), body(), seen()),
    ("exit of a forbidden symbol", under(bought("10"), symbol_denylist=("AAPL",)), body(side="sell"), seen()),
    ("asset", under(listed(), assets_required=True), body(qty="0.5"), seen()),
    ("exit of an asset", under(bought("10"), listed(tradable=False), assets_required=True), SHORT, seen()),
    ("no halt heard", ready(halts_respected=True), body(), seen()),
    ("resumed", ready(halts_respected=True), body(), seen(status=QUIET)),
    ("another symbol's halt", ready(halts_respected=True), body(), seen(status=OTHERS)),
    ("at the opening", in_session(at=-30 * MINUTE, session_required=True), market(), at_time(-30 * MINUTE)),
    ("limit at night", in_session(at=CLOSED, session_required=True), body(), at_time(CLOSED)),
    (
        "stop-limit at night",
        in_session(at=CLOSED, session_required=True),
        body(order_type="stop_limit", stop_price="101.00", limit_price="101.00"),
        at_time(CLOSED),
    ),
    (
        "for the close in time",
        in_session(at=CLOSED - 11 * MINUTE, session_required=True),
        market(time_in_force="cls"),
        at_time(CLOSED - 11 * MINUTE),
    ),
    (
        "for tomorrow's opening",
        in_session(at=EVENING, session_required=True),
        market(time_in_force="opg"),
        at_time(EVENING),
    ),
    (
        "for the opening in time",
        in_session(at=-33 * MINUTE, session_required=True),
        market(time_in_force="opg"),
        at_time(-33 * MINUTE),
    ),
    ("exit at night", in_session(bought("10"), at=CLOSED, session_required=True), market("sell"), at_time(CLOSED)),
    ("short", under(listed(), shorts_allowed=True), SHORT, seen()),
    ("exit where shorts are forbidden", under(bought("10"), shorts_allowed=False), SHORT, seen()),
    ("quote size", ready(min_quote_size=D(100)), body(), seen()),
    ("reference", ready(reference_collar_bps=D(501)), body(), seen("104.99", "105.03", stats=STATS)),
    ("reference of the account's own", under(bought("1"), reference_collar_bps=D(5)), body(qty="1"), seen()),
    (
        "divergence",
        state_of(limits_set(feed_divergence_max_bps=D("51.49")), bought("10"), shown_at("101.00")),
        body(),
        seen("100.47", "100.49"),
    ),
    ("divergence of what is not held", ready(feed_divergence_max_bps=D(1)), body(), seen()),
    ("collar", ready(limit_collar_bps=D(100)), body(limit_price="101.00"), seen()),
    ("collar of a market order", ready(limit_collar_bps=D(0)), market(), seen()),
    ("collar far on the passive side", ready(limit_collar_bps=D(0)), body(limit_price="1.00"), seen()),
    ("passive collar", ready(passive_collar_bps=D(2000)), body(limit_price="80.00"), seen()),
    ("passive collar, aggressive side", ready(passive_collar_bps=D(0)), body(limit_price="110.00"), seen()),
    ("order qty", ready(max_order_qty=D(10)), body(), seen()),
    ("part of the volume", ready(max_order_adv_pct=D("0.01")), body(), seen(stats=STATS)),
    ("overnight", in_session(at=BEFORE, **NIGHT | {"max_overnight_exposure_usd": D(1000)}), body(), at_time(BEFORE)),
    ("long before the close", in_session(at=BEFORE - MINUTE, **NIGHT), body(), at_time(BEFORE - MINUTE)),
    ("at night for the day", in_session(at=CLOSED, **NIGHT), body(), at_time(CLOSED)),
]
"""At the limit, or where the control does not bind."""

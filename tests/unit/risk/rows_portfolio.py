"""Rows of the controls on what is sent and on the portfolio: own orders, repeats, rates, turnover, equity, money."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from contracts.ids import OrderId, Symbol
from contracts.limits import Sector
from contracts.orders import OrderAcknowledged, OrderWorking
from contracts.reasons import DenialCode as C
from projections import account
from projections.account import AccountState
from tests.risk_world import NOW, answer, body, bought, evidence, intent, limits_set, observed, quote, state_of
from tests.unit.risk.row import Row, ready

D = Decimal
MS = timedelta(milliseconds=1)
OPEN = evidence(quote())
TECH = (Sector(name="tech", symbols=(Symbol("AAPL"), Symbol("MSFT"))), Sector(name="other", symbols=(Symbol("XOM"),)))
LONG_SECTOR: dict[str, Any] = {"sectors": TECH, "max_sector_exposure_usd": D(1000)}
REPEATS: dict[str, Any] = {"max_duplicates": 1, "duplicate_window_ms": 1000}


def with_order(state: AccountState, number: int, at: Any = NOW, **fields: Any) -> AccountState:
    """Fold the approval of one more order, under a name of its own."""
    seen = replace(quote(at=at), symbol=fields.get("symbol", "AAPL"))
    decision = answer(state, body(**fields), evidence(seen, at=at))
    assert decision.order_id is not None, decision.reason
    return account.evolve(state, replace(decision, order_id=OrderId(f"lg-{number}")), 10 + number)


def with_orders(count: int, state: AccountState, **fields: Any) -> AccountState:
    for number in range(count):
        state = with_order(state, number, **fields)
    return state


def working(number: int) -> OrderWorking:
    return OrderWorking(epoch=1, at=NOW, order_id=OrderId(f"lg-{number}"), broker_status="new")


def resting(**fields: Any) -> AccountState:
    """An own order works in AAPL, and crossing it is a control's business."""
    return with_order(ready(self_trade_prevented=True), 0, **fields)


def changed(count: int, **limits: Any) -> AccountState:
    """An order works, and has had new terms so many times."""
    state = account.evolve(with_order(ready(**limits), 0), working(0), 20)
    for number in range(count):
        decision = answer(state, CHEAPER)
        state = account.evolve(state, decision, 30 + number)
        order = state.orders[OrderId("lg-0")]
        state = replace(state, orders=state.orders.set(order.order_id, replace(order, replacement=None)))
    return state


def canceled(count: int, **limits: Any) -> AccountState:
    """So many cancels were approved, and one order."""
    state = with_order(ready(**limits), 0)
    for _ in range(count):
        state = account.evolve(state, answer(state, intent("cancel", order_id="lg-0")), 30)
    return state


def seen_as(**figures: Any) -> Any:
    return replace(observed(), **figures)


CHEAPER = intent("replace", order_id="lg-0", limit_price="99.00")
MORE = intent("replace", order_id="lg-0", qty="20")
SELL_AT_100 = resting(side="sell", limit_price="100.50")
BUY_AT_99 = resting(limit_price="99.50")
STOP = {"order_type": "stop", "limit_price": None, "stop_price": "101.00"}
MARKET = {"order_type": "market", "limit_price": None}
BRACKET: dict[str, Any] = {
    "order_class": "bracket",
    "take_profit": {"limit_price": "120.00"},
    "stop_loss": {"stop_price": "80.00"},
}
TWICE = with_orders(2, ready(**REPEATS))
LONG_10 = bought("10")
POOR = seen_as(equity_usd=D(2_000), last_equity_usd=D(2_000))
BROKE = seen_as(equity_usd=D(-10), last_equity_usd=D(-10))
PRICELESS = evidence()


def under(*events: Any, **limits: Any) -> AccountState:
    return state_of(limits_set(**limits), *events)


def acknowledged(state: AccountState, number: int) -> AccountState:
    event = OrderAcknowledged(
        epoch=1, at=NOW, order_id=OrderId(f"lg-{number}"), broker_order_id=f"b{number}", broker_status="new"
    )
    return account.evolve(state, event, 40)


PASSING = [
    ("below an own sale", SELL_AT_100, body(limit_price="100.49"), OPEN),
    ("above an own buy", BUY_AT_99, body(side="sell", limit_price="99.51"), OPEN),
    ("own orders on one side", BUY_AT_99, body(limit_price="99.50"), OPEN),
    ("with exits, at the market", SELL_AT_100, body(**MARKET, **BRACKET), OPEN),
    (
        "exit into an own order",
        with_order(under(observed(), LONG_10, self_trade_prevented=True), 0),
        body(side="sell"),
        OPEN,
    ),
    ("repeats at the limit", with_order(ready(**REPEATS), 0), body(), OPEN),
    ("the same after the window", TWICE, body(), evidence(quote(at=NOW + 1000 * MS), at=NOW + 1000 * MS)),
    ("another order", TWICE, body(qty="9"), OPEN),
    ("messages", canceled(2, message_rate_per_min=4), body(), OPEN),
    ("messages, exit", under(observed(), LONG_10, message_rate_per_min=0), body(side="sell"), OPEN),
    ("changes", changed(2, replace_rate_per_min=3), CHEAPER, OPEN),
    ("new orders are no changes", changed(2, replace_rate_per_min=0), body(), OPEN),
    ("open orders", with_orders(2, ready(max_open_orders=3)), body(), OPEN),
    ("new terms add no order", changed(0, max_open_orders=1), CHEAPER, OPEN),
    ("turnover", with_order(ready(max_turnover_usd=D(2000)), 0), body(), OPEN),
    ("turnover of new terms", changed(0, max_turnover_usd=D(2000)), MORE, OPEN),
    ("sector", ready(**LONG_SECTOR), body(), OPEN),
    ("in no sector", ready(**LONG_SECTOR | {"max_sector_exposure_usd": D(0), "sectors": TECH[1:]}), body(), OPEN),
    ("concentration", under(POOR, max_concentration_pct=D(50)), body(), OPEN),
    ("leverage", under(POOR, max_leverage=D("0.5")), body(), OPEN),
    ("buying power", under(seen_as(buying_power_usd=D(1500)), min_buying_power_usd=D(500)), body(), OPEN),
    ("cash", under(seen_as(cash_usd=D(1500)), min_cash_usd=D(500)), body(), OPEN),
    ("cash, short sale", under(seen_as(cash_usd=D(0)), min_cash_usd=D(500)), body(side="sell"), OPEN),
]
SPENT = with_order(under(seen_as(buying_power_usd=D(2500), cash_usd=D(2500)), min_buying_power_usd=D(600)), 0)
CASHED = with_order(under(seen_as(buying_power_usd=D(2500), cash_usd=D(2500)), min_cash_usd=D(600)), 0)
ROWS = [
    Row(C.SELF_TRADE, SELL_AT_100, body(limit_price="100.50"), OPEN, "100.50", "100.5"),
    Row(C.SELF_TRADE, BUY_AT_99, body(side="sell", limit_price="99.50"), OPEN, "99.5", "99.5"),
    Row(C.SELF_TRADE, SELL_AT_100, body(**MARKET), OPEN, "100.5"),
    Row(C.SELF_TRADE, SELL_AT_100, body(**STOP), OPEN, "100.5"),
    Row(C.SELF_TRADE, resting(**STOP), body(side="sell", limit_price="200.00"), OPEN, None, "200"),
    Row(C.SELF_TRADE, SELL_AT_100, body(limit_price="101.00", **BRACKET), OPEN, "100.5", "101"),
    Row(C.DUPLICATE_ORDER, TWICE, body(), OPEN, "1", "2", headroom="0"),
    Row(C.DUPLICATE_ORDER, TWICE, body(), evidence(quote(at=NOW + 999 * MS), at=NOW + 999 * MS), "1", "2", None, "0"),
    Row(C.MESSAGE_RATE, canceled(3, message_rate_per_min=4), body(), OPEN, "4", "5", headroom="0"),
    Row(C.MESSAGE_RATE, ready(message_rate_per_min=0), body(), OPEN, "0", "1", headroom="0"),
    Row(C.REPLACE_RATE, changed(3, replace_rate_per_min=3), CHEAPER, OPEN, "3", "4", headroom="0"),
    Row(C.MAX_OPEN_ORDERS, with_orders(3, ready(max_open_orders=3)), body(), OPEN, "3", "4", headroom="0"),
    Row(C.MAX_TURNOVER, with_order(ready(max_turnover_usd=D(1999)), 0), body(), OPEN, "1999", "2000", "9", "999"),
    Row(C.MAX_TURNOVER, changed(0, max_turnover_usd=D(1999)), MORE, OPEN, "1999", "2000", "19", "1999"),
    Row(C.NO_QUOTE, ready(max_turnover_usd=D(1999)), body(**MARKET), PRICELESS),
    Row(
        C.MAX_SECTOR_EXPOSURE,
        with_order(ready(**LONG_SECTOR), 0, symbol="MSFT", qty="1"),
        body(),
        OPEN,
        "1000",
        "1100",
        "9",
        "900",
    ),
    Row(C.NO_QUOTE, ready(**LONG_SECTOR), body(**MARKET), PRICELESS),
    Row(
        C.MAX_CONCENTRATION,
        under(POOR, max_concentration_pct=D("49.99")),
        body(),
        OPEN,
        "999.8",
        "1000",
        "9",
        "999.8",
    ),
    Row(
        C.MAX_CONCENTRATION,
        under(seen_as(equity_usd=D(100), last_equity_usd=D(100)), max_concentration_pct=D(9999)),
        body(),
        OPEN,
        "600",
        "1000",
        "6",
        "600",
    ),
    Row(C.MAX_CONCENTRATION, under(BROKE, max_concentration_pct=D(50)), body(), OPEN, "0", "1000", "0", "0"),
    Row(C.NO_ACCOUNT, under(max_concentration_pct=D(50)), body(), OPEN),
    Row(C.NO_ACCOUNT, under(seen_as(equity_usd=D("NaN")), max_leverage=D(1)), body(), OPEN),
    Row(C.MAX_LEVERAGE, under(POOR, max_leverage=D("0.4999")), body(), OPEN, "999.8", "1000", "9", "999.8"),
    Row(C.BUYING_POWER, SPENT, body(), OPEN, "600", "500", "9", "900"),
    Row(C.BUYING_POWER, acknowledged(SPENT, 0), body(), OPEN, "600", "500", "9", "900"),
    Row(C.NO_ACCOUNT, under(seen_as(buying_power_usd=D("Infinity")), min_buying_power_usd=D(0)), body(), OPEN),
    Row(C.CASH_FLOOR, CASHED, body(), OPEN, "600", "500", "9", "900"),
    Row(C.NO_ACCOUNT, under(seen_as(cash_usd=D("NaN")), min_cash_usd=D(0)), body(), OPEN),
]

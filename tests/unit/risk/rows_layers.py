"""Rows of the controls on what belongs to one layer: an agent's own book, and limits that a layer tightens."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from contracts.controls import LayerSet, MandateGranted
from contracts.ids import AgentId, OrderId
from contracts.limits import LimitOverride, Waiver
from contracts.mandates import Mandate
from contracts.reasons import DenialCode as C
from contracts.scopes import Scope
from projections.account import AccountState
from tests.risk_world import DEMO, NOW, answer, body, evidence, limits_set, observed, quote, state_of
from tests.unit.risk.row import Row

D = Decimal
AGENT, STRATEGY, SYMBOL = Scope("agent.demo"), Scope("strategy.momo"), Scope("symbol.AAPL")
OPEN = evidence(quote())


def layer(scope: str, version: int = 1, **limits: Any) -> LayerSet:
    override = LimitOverride(**limits)
    return LayerSet(epoch=0, at=NOW, scope=Scope(scope), version=version, limits=override, by="ada", reason="test")


def granted(agent: AgentId = DEMO, **mandate: Any) -> MandateGranted:
    mine = Mandate(**({"expires_at": NOW.replace(year=2030)} | mandate))
    return MandateGranted(epoch=0, at=NOW, agent=agent, version=1, mandate=mine, by="ada", reason="test")


def under(*events: Any) -> AccountState:
    return state_of(limits_set(), observed(), *events)


def after_orders(count: int, *events: Any, agent: str = DEMO, **fields: Any) -> AccountState:
    """The state after so many orders of one share each, stated under the events' limits."""
    state = under(*events)
    told: list[Any] = []
    for number in range(count):
        content = body("i", qty="1", meta={"strategy": "momo", "reason": str(number)}, **fields)
        told.append(replace(answer(state, content, agent=agent), order_id=OrderId(f"lg-{number}")))
        state = under(*events, *told)
    return state


def waived(until: datetime, rail: str = "max_loss_week_usd", **limits: Any) -> AccountState:
    waiver = Waiver(rail=rail, until=until, by="ada", reason="no history yet")
    return state_of(limits_set(waivers=(waiver,), **limits), observed())


MOMO = body(meta={"strategy": "momo"})
ROWS = [
    Row(C.MAX_OPEN_ORDERS, after_orders(2, layer(AGENT, max_open_orders=2)), MOMO, OPEN, "2", "3", headroom="0"),
    Row(C.MAX_OPEN_ORDERS, after_orders(2, layer(STRATEGY, max_open_orders=2)), MOMO, OPEN, "2", "3", headroom="0"),
    Row(
        C.MAX_TURNOVER,
        after_orders(2, layer(AGENT, max_turnover_usd=D(1199))),
        MOMO,
        OPEN,
        "1199",
        "1200",
        "9",
        "999",
    ),
    Row(C.MAX_TURNOVER, after_orders(2, granted(budget_per_day_usd=D(1199))), MOMO, OPEN, "1199", "1200", "9", "999"),
    Row(C.MAX_TURNOVER, under(layer(AGENT, max_turnover_usd=D(9))), body(), OPEN, "9", "1000", "0", "9"),
    Row(C.ORDER_RATE, after_orders(2, layer(AGENT, order_rate_per_min=2)), MOMO, OPEN, "2", "3", headroom="0"),
    Row(C.MAX_DAILY_TRADES, after_orders(2, layer(STRATEGY, max_daily_trades=2)), MOMO, OPEN, "2", "3", headroom="0"),
    Row(
        C.MAX_POSITION_NOTIONAL,
        after_orders(2, layer(AGENT, max_position_notional_usd=D(1199))),
        MOMO,
        OPEN,
        "1199",
        "1200",
        "9",
        "999",
    ),
    Row(
        C.MAX_GROSS_EXPOSURE,
        after_orders(2, layer(STRATEGY, max_gross_exposure_usd=D(1199))),
        MOMO,
        OPEN,
        "1199",
        "1200",
        "9",
        "999",
    ),
    Row(
        C.MAX_NET_EXPOSURE,
        after_orders(2, layer(AGENT, max_net_exposure_usd=D(1199))),
        MOMO,
        OPEN,
        "1199",
        "1200",
        "9",
        "999",
    ),
    Row(
        C.MAX_ORDER_NOTIONAL,
        under(layer("firm", max_order_notional_usd=D(999))),
        MOMO,
        OPEN,
        "999",
        "1000",
        "9",
        "999",
    ),
    Row(C.MAX_SPREAD, under(layer(SYMBOL, max_spread_bps=D(1))), MOMO, OPEN, "1", "1.01"),
    Row(C.RAIL_MISSING, waived(NOW), MOMO, OPEN),
    Row(C.SYMBOL_NOT_ALLOWED, under(layer(AGENT, symbol_allowlist=())), MOMO, OPEN),
]

"""The shapes of answers, which are also the schemas of the OpenAPI document.

Money and quantities are decimal strings; only the names that older clients read as numbers (in camelCase, under
`headroom`) are JSON numbers, written digit by digit from exact decimals.
"""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from contracts.decisions import Check, Headroom, Reservation, Sizing
from contracts.enums import (
    Action,
    KillMode,
    LegRole,
    OrderClass,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
    TradingState,
)
from contracts.ids import AccountId, AgentId, IntentId, OrderId, Symbol
from contracts.intents import StopLoss, TakeProfit
from contracts.limits import LimitSet
from contracts.orders import OrderTerms
from contracts.reasons import Reason
from contracts.scopes import Scope
from projections.margin_watch import MarginWarning
from services.gateway.scope_answers import BookAnswer, ScopeAnswer

Number = Annotated[
    msgspec.Raw,
    msgspec.Meta(description="USD as a JSON number, exact in its text.", extra_json_schema={"type": "number"}),
]

Status = Literal["accepted", "rejected", "held", "would_accept"]
"""How an intent was decided; a dry run that passes every control would be accepted, and nothing is sent."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Anything the gateway answers with."""


class RiskHeadroom(Headroom, frozen=True, kw_only=True):
    """What is left under each limit: decimal strings, and beside them the names and numbers that older clients read.

    `orders_this_minute` and `ordersThisMinute` count the orders of the last minute; all else is what is left.
    """

    remaining_daily_trades: int | None = msgspec.field(name="remainingDailyTrades", default=None)
    remaining_daily_loss: Number | None = msgspec.field(name="remainingDailyLoss", default=None)
    remaining_drawdown: Number | None = msgspec.field(name="remainingDrawdown", default=None)
    remaining_gross_exposure: Number | None = msgspec.field(name="remainingGrossExposure", default=None)
    remaining_net_exposure: Number | None = msgspec.field(name="remainingNetExposure", default=None)
    seed_orders_this_minute: int | None = msgspec.field(name="ordersThisMinute", default=None)
    order_rate_remaining: int | None = msgspec.field(name="orderRateRemaining", default=None)


class RiskAnswer(Answer, frozen=True, kw_only=True):
    """How the controls answered; `failed_check` names the one whose reason won, `sizing` is advice alone."""

    checks_passed: bool
    failed_check: str | None = None
    sizing: Sizing | None = None
    headroom: RiskHeadroom


class IntentAnswer(Answer, frozen=True, kw_only=True):
    """The decision on an intent: accepted means approved by risk, rejected means denied, held awaits a person.

    A dry run is answered `would_accept` with the reservation that would be made, or `rejected`; nothing is sent.
    """

    status: Status
    intent_id: IntentId
    order_id: OrderId | None
    risk: RiskAnswer
    reason: Reason | None = None
    reservation: Reservation | None = None
    decision_seq: int
    held_until: datetime | None = None
    message: str | None = None


class HeartbeatAnswer(Answer, frozen=True, kw_only=True):
    """The agent was heard; when nothing is heard for `lease_ms` its entries are canceled, null when never."""

    status: Literal["ok"] = "ok"
    agent: AgentId
    lease_ms: int | None


class PendingAnswer(Answer, frozen=True, kw_only=True):
    """The intent is on record and its decision was not seen yet; look for it at `location`."""

    status: Literal["pending"] = "pending"
    intent_id: IntentId
    location: str
    message: str | None = None


class LegAnswer(Answer, frozen=True, kw_only=True):
    """An exit that an order brought with it; it is an order of its own, found under its id."""

    order_id: OrderId
    role: LegRole | None
    status: OrderStatus
    order_type: OrderType = msgspec.field(name="type")
    qty: Decimal
    filled_qty: Decimal
    limit_price: Decimal | None
    stop_price: Decimal | None


class ReplacementAnswer(Answer, frozen=True, kw_only=True):
    """New terms that risk approved and the broker has not answered; until then either terms may fill."""

    terms: OrderTerms
    requested_by: AgentId
    decision_seq: int
    valid_until: datetime | None


class OrderAnswer(Answer, frozen=True, kw_only=True):
    """One order as the journal tells it; quantities in shares, prices in USD per share.

    Where `notional_usd` is given, `qty` is the most shares that the amount may become. Exits of one group
    (`group_id`) cancel one another; `legs` are those that this order brought.
    """

    order_id: OrderId
    agent: AgentId
    intent_id: IntentId | None
    symbol: Symbol
    side: Side
    order_type: OrderType = msgspec.field(name="type")
    qty: Decimal
    limit_price: Decimal | None
    stop_price: Decimal | None
    notional_usd: Decimal | None
    trail_price: Decimal | None
    trail_percent: Decimal | None
    time_in_force: TimeInForce
    extended_hours: bool
    order_class: OrderClass
    take_profit: TakeProfit | None
    stop_loss: StopLoss | None
    status: OrderStatus
    filled_qty: Decimal
    filled_avg_price: Decimal | None
    working_qty: Decimal
    reduces: bool
    detail: str
    broker_order_id: str | None
    valid_until: datetime | None
    decision_seq: int
    last_seq: int
    group_id: OrderId | None
    role: LegRole | None
    legs: tuple[LegAnswer, ...]
    replacement: ReplacementAnswer | None


class IntentStory(IntentAnswer, frozen=True, kw_only=True):
    """A decision in full, and the order that came of it; `order` is null once its trading day is over.

    `order_ids` are the orders that a cancel of all named.
    """

    agent: AgentId
    action: Action | None
    decided_at: datetime
    state_seq: int
    limits_version: int
    valid_until: datetime | None
    terms: OrderTerms | None
    checks: tuple[Check, ...]
    order_ids: tuple[OrderId, ...]
    order: OrderAnswer | None


class CancelAnswer(Answer, frozen=True, kw_only=True):
    """The decision on a cancel: accepted means that the broker is asked, not that the order is gone."""

    status: Status
    intent_id: IntentId
    order_id: OrderId
    reason: Reason | None = None
    decision_seq: int
    order: OrderAnswer | None
    message: str | None = None


class ReplaceAnswer(IntentAnswer, frozen=True, kw_only=True):
    """The decision on a replace: accepted means that the broker is asked, not that the order has the terms."""

    terms: OrderTerms | None
    order: OrderAnswer | None


class CancelAllAnswer(Answer, frozen=True, kw_only=True):
    """The decision on a cancel of all: the broker is asked to cancel `order_ids`; `more` are open beyond those."""

    status: Status
    intent_id: IntentId
    order_ids: tuple[OrderId, ...]
    more: bool
    reason: Reason | None = None
    decision_seq: int
    message: str | None = None


class PositionClose(Answer, frozen=True, kw_only=True):
    """What was decided on closing one position; pending ones are found under their intent's id."""

    symbol: Symbol
    status: Status | Literal["pending"]
    intent_id: IntentId
    order_id: OrderId | None = None
    qty: Decimal | None = None
    reason: Reason | None = None
    decision_seq: int | None = None


class ClosesAnswer(Answer, frozen=True, kw_only=True):
    """One decision for each position; none when nothing is held."""

    intent_id: IntentId
    closes: tuple[PositionClose, ...]


class OrdersAnswer(Answer, frozen=True, kw_only=True):
    """Orders, newest first: every open one, and closed ones of the current trading day."""

    orders: tuple[OrderAnswer, ...]
    state_seq: int
    as_of: datetime | None


class PositionAnswer(Answer, frozen=True, kw_only=True):
    """One position; `qty` is negative for a short, values in USD at `mark_price`."""

    symbol: Symbol
    qty: Decimal
    avg_price: Decimal
    mark_price: Decimal
    market_value_usd: Decimal
    unrealized_usd: Decimal
    realized_usd: Decimal


class Balances(Answer, frozen=True, kw_only=True):
    """The broker's own figures in USD, null before it has reported; `last_equity` stood at the previous close."""

    cash: Decimal | None = None
    equity: Decimal | None = None
    last_equity: Decimal | None = None
    buying_power: Decimal | None = None
    as_of: datetime | None = None


class KillProof(Answer, frozen=True, kw_only=True):
    """What the broker showed of a kill; `flat_after_ms`, counted from the block on, is null while anything is left.

    `silent_after_ms` is null where it cannot be said from when on no new risk could reach the broker.
    """

    engaged_seq: int
    blocked_after_ms: Decimal | None
    silent_after_ms: Decimal | None
    flat_after_ms: Decimal | None
    orders_left: int
    positions_left: int
    at: datetime
    detail: str


class KillState(Answer, frozen=True, kw_only=True):
    """How a kill switch came to be on, and the proof that it works once there is one."""

    scope: Scope
    mode: KillMode
    by: str
    reason: str
    since: datetime
    seq: int
    proof: KillProof | None


class StateAnswer(Answer, frozen=True, kw_only=True):
    """The account as of journal sequence `state_seq`, which was stored at `as_of`."""

    mode: str
    account: AccountId
    trading_state: TradingState
    trading_state_reasons: tuple[str, ...]
    kill_switch: bool
    kill: KillState | None
    kills: tuple[KillState, ...]
    modes: tuple[ScopeAnswer, ...]
    agents: Mapping[str, BookAnswer]
    strategies: Mapping[str, BookAnswer]
    balances: Balances
    positions: tuple[PositionAnswer, ...]
    open_orders: tuple[OrderAnswer, ...]
    risk_headroom: RiskHeadroom
    warnings: tuple[MarginWarning, ...]
    broker_up: bool
    state_seq: int
    as_of: datetime | None


class SymbolExposureAnswer(Answer, frozen=True, kw_only=True):
    """One symbol's worst case in USD: what its position could become if all of one side filled."""

    position_qty: Decimal
    mark_price: Decimal
    working_buy_qty: Decimal
    working_sell_qty: Decimal
    long_usd: Decimal
    short_usd: Decimal
    exposure_usd: Decimal
    headroom_usd: Decimal | None


class ExposureAnswer(Answer, frozen=True, kw_only=True):
    """The account's worst case in USD."""

    gross_usd: Decimal
    net_usd: Decimal
    symbols: Mapping[Symbol, SymbolExposureAnswer]


class DayAnswer(Answer, frozen=True, kw_only=True):
    """What is counted per exchange day (New York)."""

    trading_day: date | None
    trades: int
    peak_equity_usd: Decimal | None
    loss_usd: Decimal | None
    drawdown_usd: Decimal | None


class RiskStateAnswer(Answer, frozen=True, kw_only=True):
    """Everything that risk measures new orders against, as of journal sequence `state_seq`."""

    account: AccountId
    trading_state: TradingState
    trading_state_reasons: tuple[str, ...]
    kill_switch: bool
    kill: KillState | None
    kills: tuple[KillState, ...]
    limits: LimitSet | None
    limits_version: int
    exposure: ExposureAnswer
    headroom: RiskHeadroom
    day: DayAnswer
    orders_this_minute: int
    unknown_orders: Mapping[Symbol, int]
    broker_up: bool
    account_as_of: datetime | None
    state_seq: int
    as_of: datetime | None


class KillAnswer(Answer, frozen=True, kw_only=True):
    """One kill switch as it now stands; `mode` is null when it is off, `seq` the journal sequence that says so.

    That it works is proved in `kills` of GET /v1/state, under the same scope.
    """

    status: Literal["ok"] = "ok"
    kill_switch: bool
    mode: KillMode | None
    scope: Scope
    seq: int
    message: str | None = None


class ProcessAnswer(Answer, frozen=True, kw_only=True):
    """How far one process has come: starting, ready, draining, or unreachable when it does not answer."""

    state: str


class HealthAnswer(Answer, frozen=True, kw_only=True):
    """Whether the whole system can trade: ok only when every process is ready."""

    status: Literal["ok", "degraded"]
    mode: str
    broker: str
    account: AccountId
    processes: Mapping[str, ProcessAnswer]
    not_ready: tuple[str, ...] = ()

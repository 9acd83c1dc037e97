"""Risk's answer, self-contained: from it and the journal before it anyone can decide again, byte for byte."""

from datetime import date
from decimal import Decimal

import msgspec

from contracts.base import Event, Moment, Value
from contracts.enums import Action, Outcome, Side
from contracts.ids import AgentId, IntentId, OrderId, Symbol
from contracts.market import Quote, RegimeChanged, SymbolStats, SymbolStatus
from contracts.orders import OrderTerms
from contracts.reasons import Reason

NO_INTENT = msgspec.Raw(b"null")
"""Stands where an intent's bytes were not JSON."""
NO_CHECKS = msgspec.Raw(b"[]")


class Check(Value, frozen=True, kw_only=True, omit_defaults=True):
    """One control as it was applied: the value measured against the limit, in the control's unit."""

    name: str
    passed: bool
    value: Decimal | None = None
    limit: Decimal | None = None
    note: str | None = None


_encoder = msgspec.json.Encoder()
_checks_decoder = msgspec.json.Decoder(tuple[Check, ...])


class Headroom(Value, frozen=True, kw_only=True):
    """What is left under each limit after this decision; derived, shown for the reader."""

    position_usd: Decimal | None = None
    gross_exposure_usd: Decimal | None = None
    net_exposure_usd: Decimal | None = None
    daily_loss_usd: Decimal | None = None
    drawdown_usd: Decimal | None = None
    daily_trades: int | None = None
    orders_this_minute: int | None = None


class Reservation(Value, frozen=True, kw_only=True):
    """Headroom an approval sets aside: the quantity at the worst price at which it may fill."""

    symbol: Symbol
    side: Side
    qty: Decimal
    price_usd: Decimal
    notional_usd: Decimal
    reduces: bool


class Evidence(Value, frozen=True, kw_only=True):
    """What the decision saw of the world outside the journal, with the times that say how old it was.

    `live` says that the broker moves real money.
    """

    received_at: Moment
    decided_at: Moment
    trading_day: date
    quote: Quote | None = None
    regime: RegimeChanged | None = None
    stats: SymbolStats | None = None
    status: SymbolStatus | None = None
    live: bool = False


class Adjustment(Value, frozen=True, kw_only=True):
    """One thing that makes an order smaller than was asked: by which factor, and why."""

    name: str
    factor: Decimal
    note: str = ""


class Sizing(Value, frozen=True, kw_only=True):
    """Advice on how many shares to trade; it binds nobody."""

    requested_qty: Decimal
    recommended_qty: Decimal
    risk_usd: Decimal
    stop_distance_usd: Decimal
    adjustments: tuple[Adjustment, ...] = ()


class Decision(Event, frozen=True, kw_only=True, tag="decision.v1"):
    """Whether an intent may become an order, and why; `intent` holds the agent's own bytes.

    `malformed` holds the bytes instead when they are not JSON. `state_seq` is the journal sequence up to
    which risk had folded what others wrote, `intent_seq` the intent's place in the stream of intents (0 when
    risk itself stated the intent, to flatten), from which risk goes on after a restart. `order_ids` are the orders
    that an approved cancel of all names. `on_behalf_of` is the agent whose held intent an operator let go: the order
    is that agent's. `digest` tells equal bodies of denied intents from others, `held_until` how long an intent
    waits for a person. `layers_version` counts what changed layers and mandates. `checks` holds every control as it
    was applied, unread until somebody asks (`checks_of`): whoever folds a journal does not.
    """

    agent: AgentId
    intent_id: IntentId
    action: Action | None
    outcome: Outcome
    order_id: OrderId | None = None
    order_ids: tuple[OrderId, ...] = ()
    reason: Reason | None = None
    terms: OrderTerms | None = None
    reservation: Reservation | None = None
    checks: msgspec.Raw = msgspec.field(default_factory=lambda: NO_CHECKS)
    headroom: Headroom = Headroom()
    evidence: Evidence
    state_seq: int
    limits_version: int
    code_version: str
    valid_until: Moment | None = None
    intent_seq: int = 0
    layers_version: int = 0
    on_behalf_of: AgentId | None = None
    strategy: str | None = None
    sizing: Sizing | None = None
    digest: str | None = None
    held_until: Moment | None = None
    intent: msgspec.Raw = msgspec.field(default_factory=lambda: NO_INTENT)
    malformed: bytes | None = None

    def __post_init__(self) -> None:
        """Refuse checks that are no list of text: unread as they are, they would break who asks, long after."""
        if not str(self.checks, "utf-8").startswith("["):
            raise ValueError("checks must be a list")


def written(checks: tuple[Check, ...]) -> msgspec.Raw:
    """Write checks as a decision holds them."""
    return msgspec.Raw(_encoder.encode(checks))


def checks_of(decision: Decision) -> tuple[Check, ...]:
    """Read the checks of a decision; raise `msgspec.ValidationError` when they are none."""
    return _checks_decoder.decode(decision.checks)

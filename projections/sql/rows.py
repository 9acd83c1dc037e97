"""One row for each thing: how events and states are written into the tables' columns, in their order."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from contracts.base import Event, Value
from contracts.broker import AccountObserved
from contracts.decisions import Decision
from contracts.enums import Outcome
from contracts.ids import Symbol
from contracts.market import RegimeChanged
from contracts.orders import OrderTerms
from contracts.values import ZERO
from projections.order_state import OrderState
from projections.positions import Position
from projections.sql.tables import Row
from projections.trail import Placed

_json = msgspec.json.Encoder()
_WHOLE_SECONDS_LENGTH = len('"2026-11-23T14:30:00Z"')


class DayPnl(Value, frozen=True, kw_only=True):
    """What one symbol's fills realised and moved on one day. Quantities are shares, the rest USD."""

    realized_usd: Decimal = ZERO
    bought_qty: Decimal = ZERO
    bought_usd: Decimal = ZERO
    sold_qty: Decimal = ZERO
    sold_usd: Decimal = ZERO
    fills: int = 0


class Execution(NamedTuple):
    """What one event did to a position: shares (signed), money (negative: paid out) and what it realised, in USD."""

    qty: Decimal
    cash_usd: Decimal
    realized_usd: Decimal


def time_text(at: datetime) -> str:
    """Write a moment in UTC, in the one form that SQLite's tables use, so that text order is time order.

    The form is `datetime.isoformat`'s with microseconds, which the encoder writes four times as fast.
    """
    written = _json.encode(at if at.tzinfo is UTC else at.astimezone(UTC)).decode()
    return f"{written[1:-2]}{'' if len(written) > _WHOLE_SECONDS_LENGTH else '.000000'}+00:00"


class TrailCells(NamedTuple):
    """A journal message's row on the trail, cell by cell."""

    seq: int
    subject: str
    type: str
    version: int
    at: str
    event_at: str
    agent: str | None
    intent_id: str | None
    order_id: str | None
    symbol: str | None
    epoch: int
    admitted: int
    correlation_id: str | None
    causation_seq: int
    traceparent: str | None
    digest: str
    body: bytes


_SYMBOL = TrailCells._fields.index("symbol")


def of_trail(placed: Placed, event: Event, at: datetime) -> TrailCells:
    """Write a journal message's row; `at` is the server's time."""
    link, about, kind, version, admitted, digest = placed
    return TrailCells(
        link.seq,
        link.subject,
        kind,
        version,
        time_text(at),
        time_text(event.at),
        about.agent,
        about.intent_id,
        about.order_id,
        about.symbol,
        event.epoch,
        int(admitted),
        event.correlation_id,
        event.causation_seq,
        dict(link.headers).get("traceparent") if link.headers else None,
        digest,
        link.body,
    )


def with_symbol(cells: TrailCells, symbol: str) -> TrailCells:
    """Write the same row about a symbol."""
    return TrailCells._make((*cells[:_SYMBOL], symbol, *cells[_SYMBOL + 1 :]))


def of_order(order: OrderState, at: datetime) -> Row:
    """Write an order as it stands after an event of a moment."""
    terms = order.terms
    return (
        order.order_id,
        order.agent,
        order.intent_id,
        terms.symbol,
        terms.side.value,
        terms.order_type.value,
        terms.time_in_force.value,
        str(terms.qty),
        _number(terms.limit_price),
        _number(terms.stop_price),
        int(terms.extended_hours),
        order.status.value,
        int(order.is_terminal),
        int(order.reduces),
        str(order.worst_price),
        str(order.filled_qty),
        str(order.filled_notional_usd),
        _number(order.avg_price),
        order.broker_order_id and _text(order.broker_order_id),
        _text(order.detail),
        terms_json(terms),
        None if order.valid_until is None else time_text(order.valid_until),
        order.decision_seq,
        order.last_seq or order.decision_seq,
        time_text(at),
    )


def of_position(day: date, position: Position, seq: int) -> Row:
    """Write what a symbol stands at on a day."""
    return (
        day.isoformat(),
        position.symbol,
        str(position.qty),
        str(position.avg_price),
        str(position.realized_usd),
        str(position.cash_usd),
        seq,
    )


def of_execution(day: date, event: Event, cells: TrailCells, change: Execution, new: Position) -> Row:
    """Write what moved a position; an event that tells no price or fill has none."""
    told = (getattr(event, name, None) for name in ("price", "filled_at", "fill_id"))
    price, filled_at, fill_id = told
    return (
        cells.seq,
        cells.type,
        day.isoformat(),
        time_text(event.at),
        None if filled_at is None else time_text(filled_at),
        cells.order_id,
        fill_id and _text(fill_id),
        cells.agent,
        new.symbol,
        str(change.qty),
        _number(price),
        str(change.cash_usd),
        str(change.realized_usd),
        str(new.qty),
        str(new.avg_price),
    )


def of_pnl(day: date, symbol: Symbol, pnl: DayPnl, seq: int) -> Row:
    """Write a day's sums for one symbol."""
    return (
        day.isoformat(),
        symbol,
        str(pnl.realized_usd),
        str(pnl.bought_qty),
        str(pnl.bought_usd),
        str(pnl.sold_qty),
        str(pnl.sold_usd),
        pnl.fills,
        seq,
    )


def of_decision(decision: Decision, seq: int, symbol: str | None) -> Row:
    """Write a decision; its parts stay in the form that they have in the journal."""
    evidence, terms = decision.evidence, decision.terms
    return (
        seq,
        time_text(evidence.decided_at),
        evidence.trading_day.isoformat(),
        time_text(evidence.received_at),
        decision.agent,
        decision.intent_id,
        decision.intent_seq,
        None if decision.action is None else decision.action.value,
        decision.outcome.value,
        None if decision.reason is None else decision.reason.code.value,
        decision.order_id,
        symbol,
        None if terms is None else terms.side.value,
        None if terms is None else str(terms.qty),
        _reserved_usd(decision),
        None if evidence.regime is None else evidence.regime.regime.value,
        decision.state_seq,
        decision.limits_version,
        decision.code_version,
        None if decision.reason is None else _json.encode(decision.reason).decode(),
        bytes(decision.checks).decode(),
        _json.encode(decision.headroom).decode(),
    )


def _reserved_usd(decision: Decision) -> str | None:
    """Write what an approval set aside; a dry run shows a reservation and makes none."""
    made = decision.reservation if decision.outcome is Outcome.APPROVED else None
    return None if made is None else str(made.notional_usd)


def of_control(event: Event, seq: int, kind: str, body: bytes) -> Row:
    """Write a control, also one that this module has never heard of: who, why and which version, if it says so."""
    told: Mapping[str, Any] = {name: getattr(event, name, None) for name in ("by", "owner", "reason", "version")}
    by, reason, version = told["by"] or told["owner"], told["reason"], told["version"]
    return (
        seq,
        time_text(event.at),
        kind,
        by and _text(by),
        reason and _text(reason),
        version,
        body.decode(),
    )


def of_account(seen: AccountObserved, seq: int) -> Row:
    """Write the broker's figures."""
    return (
        seq,
        time_text(seen.at),
        seen.trading_day.isoformat(),
        str(seen.equity_usd),
        str(seen.last_equity_usd),
        str(seen.cash_usd),
        str(seen.buying_power_usd),
        int(seen.trading_blocked),
        _json.encode(seen.positions).decode(),
    )


def of_regime(change: RegimeChanged, seq: int) -> Row:
    """Write a regime change."""
    return (
        seq,
        time_text(change.at),
        change.symbol,
        change.regime.value,
        None if change.previous is None else change.previous.value,
        str(change.confidence),
        _json.encode(change.reasons).decode(),
    )


def terms_json(terms: OrderTerms) -> str:
    """Write all of an order's terms."""
    return _json.encode(terms).decode()


def _number(number: Decimal | None) -> str | None:
    return None if number is None else str(number)


def _text(text: str) -> str:
    """Leave out the one character that PostgreSQL's texts cannot hold."""
    return text.replace("\x00", "")

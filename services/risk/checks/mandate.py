"""The control on what an agent may do at all: its mandate, as a person granted it.

A mandate that was granted binds, also where none is needed. People act without one, and so does what is booked from
outside. Orders that reduce are exempt: a mandate must never trap a position. What a mandate says of amounts, its
limits and its budget, binds as the agent's own layer of limits does.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from msgspec.structs import replace

from contracts.enums import Side
from contracts.ids import EXTERNAL, OPERATOR, AgentId
from contracts.mandates import AssetClass, Hours, Mandate, MandateSide, Venue
from contracts.market import NEW_YORK
from contracts.reasons import DenialCode, Reason
from contracts.scopes import agent_scope
from contracts.values import ZERO
from projections.standing import Granted
from services.risk.checks.findings import SHOWN_CHARS, Denial, Finding, clear, denied, exempt
from services.risk.situation import Situation

C = DenialCode
NAME = "mandate"
_UNBOUND = frozenset({OPERATOR, EXTERNAL})
_HOUR_MINUTES, _MINUTE_MS, _DAY_MINUTES = 60, 60_000, 1_440


def check_mandate(at: Situation) -> Finding:
    """An agent may take only such risk as its mandate allows, while it lasts; none at all where one is needed."""
    agent = AgentId(at.whose.agent)
    granted = at.state.standing.mandates.get(agent)
    if granted is None and not at.limits.mandates_required:
        return clear(NAME)
    if agent in _UNBOUND:
        return clear(NAME)
    if at.reduces:
        return exempt(NAME)
    if granted is None or granted.mandate is None:
        return _denied(at, Reason(code=C.NO_MANDATE, message=_none_told(agent, granted), needs_human=True))
    return _held_against(granted.mandate, at)


def _none_told(agent: AgentId, granted: Granted | None) -> str:
    told = "was never granted one" if granted is None else f"had it revoked (version {granted.version})"
    return f"{agent} has no mandate, it {told}: a person grants one (lockgate mandate grant {agent})"


def _held_against(mandate: Mandate, at: Situation) -> Finding:
    if at.evidence.decided_at >= mandate.expires_at:
        told = f"the mandate of {at.whose.agent} expired at {mandate.expires_at.isoformat()}: a person renews it"
        return _denied(at, Reason(code=C.MANDATE_EXPIRED, message=told, needs_human=True))
    for fault in _FAULTS:
        message = fault(mandate, at)
        if message is not None:
            return _denied(at, Reason(code=C.MANDATE_FORBIDS, message=message, needs_human=True))
    return _outside_hours(mandate.hours, at) or clear(NAME)


def _denied(at: Situation, reason: Reason) -> Denial:
    return denied(NAME, replace(reason, scope=agent_scope(at.whose.agent)))


def _forbidden(at: Situation, what: str, allowed: tuple[str, ...]) -> str:
    return f"the mandate of {at.whose.agent} does not allow {what}, only {', '.join(allowed) or 'nothing'}"


def _venue_fault(mandate: Mandate, at: Situation) -> str | None:
    venue = Venue.LIVE if at.evidence.live else Venue.PAPER
    return None if venue in mandate.venues else _forbidden(at, f"{venue} trading", mandate.venues)


def _class_fault(mandate: Mandate, at: Situation) -> str | None:
    """Every symbol that gets so far is an equity's."""
    if AssetClass.EQUITY in mandate.asset_classes:
        return None
    return _forbidden(at, f"the asset class {AssetClass.EQUITY}", mandate.asset_classes)


def _symbol_fault(mandate: Mandate, at: Situation) -> str | None:
    if mandate.symbols is None or at.terms.symbol in mandate.symbols:
        return None
    return _forbidden(at, f"the symbol {at.terms.symbol}", mandate.symbols)


def _side_fault(mandate: Mandate, at: Situation) -> str | None:
    side = _side_of(at)
    if side in mandate.sides:
        return None
    told = "a sale that opens a short" if side is MandateSide.SHORT else f"the side {side}"
    return _forbidden(at, told, mandate.sides)


def _side_of(at: Situation) -> MandateSide:
    """Name the side; who sells more than is theirs where the account holds none opens a short of their own."""
    if at.terms.side is Side.BUY:
        return MandateSide.BUY
    if at.held.position_qty > 0:  # more than there is would cross zero, which is another control's
        return MandateSide.SELL if at.mine.position_qty > 0 else MandateSide.SHORT
    asked = at.terms.qty - at.filled_qty
    return MandateSide.SELL if ZERO < asked <= at.mine.reducible_qty(Side.SELL) else MandateSide.SHORT


def _type_fault(mandate: Mandate, at: Situation) -> str | None:
    kind = at.terms.order_type
    return None if kind in mandate.order_types else _forbidden(at, f"the order type {kind}", mandate.order_types)


def _strategy_fault(mandate: Mandate, at: Situation) -> str | None:
    named = at.whose.strategy
    if mandate.strategies is None or named in mandate.strategies:
        return None
    told = "orders without a strategy" if named is None else f"the strategy {named[:SHOWN_CHARS]!r}"
    return _forbidden(at, told, mandate.strategies)


_FAULTS: tuple[Callable[[Mandate, Situation], str | None], ...] = (
    _venue_fault,
    _class_fault,
    _symbol_fault,
    _side_fault,
    _type_fault,
    _strategy_fault,
)
"""What a mandate may forbid of an order, whenever and however large."""


def _outside_hours(hours: Hours | None, at: Situation) -> Denial | None:
    if hours is None:
        return None
    minute = _minute_of(at.evidence.decided_at)
    if hours.from_minute <= minute < hours.to_minute:
        return None
    allowed = f"{_clock(hours.from_minute)} to {_clock(hours.to_minute)}"
    reason = Reason(
        code=C.MANDATE_FORBIDS,
        message=f"the mandate of {at.whose.agent} does not allow {_clock(minute)} New York time, only {allowed}",
        limit=Decimal(hours.from_minute if minute < hours.from_minute else hours.to_minute),
        attempted=Decimal(minute),
        retryable=True,
        retry_after_ms=(hours.from_minute - minute) % _DAY_MINUTES * _MINUTE_MS,
    )
    return _denied(at, reason)


def _minute_of(moment: datetime) -> int:
    """Give the minute of the exchange's day."""
    there = moment.astimezone(NEW_YORK)
    return there.hour * _HOUR_MINUTES + there.minute


def _clock(minute: int) -> str:
    return f"{minute // _HOUR_MINUTES:02}:{minute % _HOUR_MINUTES:02}"

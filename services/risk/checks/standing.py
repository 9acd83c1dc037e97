"""Controls on what may be traded at all: the kill switch, the allowlist, what is held, what is in doubt."""

from decimal import Decimal

from contracts.enums import OrderClass, OrderType, Side
from contracts.ids import OPERATOR
from contracts.reasons import DenialCode, Reason
from contracts.scopes import ACCOUNT
from contracts.values import ZERO
from projections.standing import kills_over, switch_of
from services.risk.checks.findings import SHOWN_CHARS, Finding, clear, denied, exempt, none_found
from services.risk.situation import Situation, reducible_qty

C = DenialCode


def check_kill_switch(at: Situation) -> Finding:
    """While a kill switch is on that binds the order, only what reduces a position passes; the widest is named.

    A flatten closes at the market. An agent's exit that rests would hold the shares that it wants to close, and as
    often as it were canceled the agent could state the next one: so agents leave at the market too.
    """
    kills = kills_over(at.state.standing, at.whose)
    if not kills:
        return clear("kill_switch")
    flattening = next((kill for kill in kills if kill.flattens), None)
    may_rest = flattening is None or at.terms.order_type is OrderType.MARKET or at.whose.agent == OPERATOR
    if at.reduces and may_rest:
        return exempt("kill_switch")
    found = kills[0] if flattening is None or not at.reduces else flattening
    kill, scope = found.event, switch_of(found.event.scope)
    message = f"the kill switch of {scope} is on ({kill.mode}) by {kill.by}: {kill.reason}"
    if at.reduces:
        message = f"{message}; while positions are being closed, orders that reduce pass at the market only"
    named = None if scope == ACCOUNT else scope
    return denied("kill_switch", Reason(code=C.KILL_SWITCH, message=message, needs_human=True, scope=named))


def check_symbol_allowlist(at: Situation) -> Finding:
    """Only listed symbols may be traded, and none that is forbidden; a held position may always be reduced."""
    symbol, is_forbidden = at.terms.symbol, at.terms.symbol in at.limits.symbol_denylist
    if not is_forbidden and symbol in at.limits.symbol_allowlist:
        return clear("symbol_allowlist")
    if at.reduces:
        return exempt("symbol_allowlist")
    if is_forbidden:
        message = f"{symbol} is among the forbidden symbols, whatever else is allowed"
        return denied("symbol_allowlist", Reason(code=C.SYMBOL_NOT_ALLOWED, message=message, needs_human=True))
    allowed = ", ".join(at.limits.symbol_allowlist) or "none"
    message = f"{symbol} is not among the allowed symbols: {allowed}"
    return denied("symbol_allowlist", Reason(code=C.SYMBOL_NOT_ALLOWED, message=message, needs_human=True))


def check_crosses_zero(at: Situation) -> Finding:
    """One order may open or reduce, never turn a long into a short or back (the broker refuses it too).

    An exit stays an exit when it is replaced, and exits follow an order that opens, never one that reduces.
    """
    if at.reduces or not _may_cross(at):
        return clear("crosses_zero")
    held = at.held.position_qty
    if at.terms.order_class in {OrderClass.BRACKET, OrderClass.OTO}:
        return _crossing(at, ZERO, f"{held} held; {at.terms.order_class} orders open positions, use oco to leave one")
    left = reducible_qty(at.held, at.mine, at.terms.side) + at.filled_qty
    told = f"{held} held; your order against it may be for {left} at most, what is yours less what works already"
    return _crossing(at, left, told)


def _may_cross(at: Situation) -> bool:
    held = at.held.position_qty
    against = held > 0 if at.terms.side is Side.SELL else held < 0
    was_exit = at.order is not None and at.order.reduces
    return (against or was_exit) and at.terms.qty > 0  # an amount of which nobody knows how many shares it makes


def _crossing(at: Situation, left: Decimal, message: str) -> Finding:
    reason = Reason(
        code=C.CROSSES_ZERO,
        message=message,
        limit=left,
        attempted=at.terms.qty,
        headroom=left,
        max_acceptable_qty=left,
    )
    return denied("crosses_zero", reason)


def check_unknown_orders(at: Situation) -> Finding:
    """While the fate of an order in this symbol is unknown, new risk in it waits."""
    waiting = at.state.unknown_orders.get(at.terms.symbol, 0)
    if not waiting:
        return none_found("unknown_orders")
    if at.reduces:
        return exempt("unknown_orders")
    reason = Reason(
        code=C.ORDER_UNKNOWN_PENDING,
        message=f"the broker has not yet said what became of {waiting} order(s) in {at.terms.symbol}",
        limit=ZERO,
        attempted=Decimal(waiting),
        retryable=True,
        retry_after_ms=2000,
    )
    return denied("unknown_orders", reason)


def check_breaks(at: Situation) -> Finding:
    """While our books and the broker's differ, nobody knows what is held: only exits pass."""
    count = len(at.state.breaks)
    if not count:
        return none_found("breaks")
    if at.reduces:
        return exempt("breaks")
    named = ", ".join(sorted(at.state.breaks))[:SHOWN_CHARS]
    reason = Reason(
        code=C.RECONCILIATION_BREAK,
        message=f"our books and the broker's differ in {named}: until they agree only orders that reduce pass",
        limit=ZERO,
        attempted=Decimal(count),
        needs_human=True,
    )
    return denied("breaks", reason)

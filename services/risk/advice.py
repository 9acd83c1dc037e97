"""What whoever was denied can do about it: one sentence for each code, put at the end of the reason's message.

Every denial is of one kind: it may pass as it is in a while (`retryable`), a person must act first (`needs_human`),
or the intent itself must be another one (neither). Where none is given here the code's messages say it themselves.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from contracts.reasons import DenialCode, Reason
from contracts.values import plain

C = DenialCode
_SMALLER = "state fewer shares, or reduce or cancel something first"
_LATER = "what reduces a position passes; for the rest wait"
_ASK = "ask the operator; what reduces a position passes"

ADVICE: Mapping[DenialCode, str | None] = {
    C.MALFORMED: "state it as `lockgate schema` shows, under a new intent id",
    C.INTENT_ID_MISMATCH: None,
    C.INVALID_SYMBOL: None,
    C.INVALID_QTY: "correct the quantity and state a new intent",
    C.INVALID_PRICE: "correct the price and state a new intent",
    C.INVALID_COMBINATION: "correct what does not go together and state a new intent",
    C.UNSUPPORTED: "leave it out, or trade something else",
    C.STALE_INTENT: None,
    C.LOOP_BREAKER: None,
    C.NO_LIMITS: "an operator sets them (`lockgate limits set`, or `lockgate up`)",
    C.RAIL_MISSING: "an operator sets or waives it (`lockgate limits set`)",
    C.NO_MANDATE: None,
    C.MANDATE_EXPIRED: None,
    C.MANDATE_FORBIDS: "stay within the mandate, or ask the operator for a wider one",
    C.NOT_HELD: "list what waits (`GET /v1/approvals`)",
    C.APPROVAL_EXPIRED: "its agent states a new intent",
    C.ORDER_NOT_FOUND: "list your orders (`GET /v1/orders`)",
    C.NOT_YOUR_ORDER: "act on what is your own, or ask the operator",
    C.ORDER_NOT_WORKING: "look at the order; if it has ended, state a new one",
    C.REPLACE_PENDING: None,
    C.NOTHING_CHANGES: None,
    C.NO_POSITION: "look at the positions; there is nothing to leave",
    C.POSITION_CHANGED: None,
    C.STATE_CHANGED: None,
    C.PRICE_MOVED: None,
    C.KILL_SWITCH: "an operator releases it (`lockgate resume`); until then only what reduces a position passes",
    C.TRIPPED: "until it is over, or an operator resets it, only what reduces a position passes",
    C.SYMBOL_NOT_ALLOWED: "trade an allowed symbol, or ask the operator",
    C.NO_ASSET: "state it again in a moment",
    C.NOT_TRADABLE: "trade another symbol, or whole shares",
    C.SYMBOL_HALTED: "wait until trading resumes",
    C.NO_SESSION: "state it again in a moment",
    C.SESSION_CLOSED: "choose another time in force, or wait for the session",
    C.SHORT_NOT_ALLOWED: "sell no more than you hold, or ask the operator",
    C.NOT_BORROWABLE: "sell no more than you hold",
    C.CROSSES_ZERO: "state so much at most, and the rest once nothing is held",
    C.SELF_TRADE: "cancel the order on the other side, or choose a price that does not meet it",
    C.DUPLICATE_ORDER: "if you mean it once more, state it again a little later",
    C.ORDER_UNKNOWN_PENDING: "wait until the broker has said; other symbols are not concerned",
    C.RECONCILIATION_BREAK: "an operator looks (`lockgate reconcile`)",
    C.STALE_RECONCILIATION: _LATER,
    C.STALE_AUDIT: _LATER,
    C.CLOCK_SKEW: _LATER,
    C.NO_ACCOUNT: _LATER,
    C.STALE_ACCOUNT: _LATER,
    C.ACCOUNT_BLOCKED: None,
    C.NO_QUOTE: _LATER,
    C.STALE_QUOTE: _LATER,
    C.CROSSED_QUOTE: _LATER,
    C.MAX_SPREAD: "wait until the market is tighter",
    C.SMALL_QUOTE: "state fewer shares, or wait for more to be quoted",
    C.NO_REGIME: "state it again in a moment",
    C.REGIME: "what reduces a position passes; for the rest wait for an allowed regime",
    C.NO_REFERENCE: _LATER,
    C.REFERENCE_COLLAR: "wait until the market is calmer",
    C.FEED_DIVERGENCE: "wait until both prices agree",
    C.PRICE_COLLAR: "choose a limit nearer to the market",
    C.PASSIVE_COLLAR: "choose a limit nearer to the market",
    C.MAX_DAILY_LOSS: _ASK,
    C.MAX_DRAWDOWN: _ASK,
    C.ORDER_RATE: _LATER,
    C.MESSAGE_RATE: _LATER,
    C.REPLACE_RATE: "wait, or cancel the order",
    C.MAX_OPEN_ORDERS: "cancel orders that you no longer want",
    C.MAX_DAILY_TRADES: "what reduces a position passes; the count begins anew with the exchange's next day",
    C.MAX_TURNOVER: "what reduces a position passes; the count begins anew with the exchange's next day",
    C.MAX_ORDER_QTY: "state fewer shares",
    C.MAX_ORDER_ADV: "state fewer shares",
    C.MAX_ORDER_NOTIONAL: "state fewer shares",
    C.MAX_POSITION_NOTIONAL: _SMALLER,
    C.MAX_GROSS_EXPOSURE: _SMALLER,
    C.MAX_NET_EXPOSURE: _SMALLER,
    C.MAX_SECTOR_EXPOSURE: _SMALLER,
    C.MAX_CONCENTRATION: _SMALLER,
    C.MAX_LEVERAGE: _SMALLER,
    C.MAX_OVERNIGHT_EXPOSURE: _SMALLER,
    C.BUYING_POWER: _SMALLER,
    C.CASH_FLOOR: _SMALLER,
    C.NEEDS_APPROVAL: "look at the intent's answer later, or state a smaller order",
}
"""Every code, with what its messages do not say themselves."""


def advised(reason: Reason | None) -> Reason | None:
    """Say at the end of a reason's message what can be done, and how many shares would pass."""
    if reason is None:
        return None
    advice, most = ADVICE.get(reason.code), reason.max_acceptable_qty
    if most:
        advice = f"{advice}, {plain(most):f} would pass" if advice else f"{plain(most):f} would pass"
    return reason if advice is None else replace(reason, message=f"{reason.message}; {advice}")

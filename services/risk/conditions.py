"""The conditions that an agent itself put on an intent: what it counts on must still be so.

They bind every intent that states them, also one that reduces. What cannot be told does not hold.
"""

from datetime import timedelta
from decimal import ROUND_UP, Decimal

from contracts.enums import Side
from contracts.intents import CloseIntent, ReplaceIntent, SubmitIntent
from contracts.reasons import DenialCode, Reason
from contracts.values import CENT
from services.risk.situation import Situation

C = DenialCode
_BPS_OF_ONE = 10_000
_MS = timedelta(milliseconds=1)
_AGAIN_MS = 1_000

type Conditional = SubmitIntent | CloseIntent | ReplaceIntent


def ahead(intent: Conditional, state_seq: int) -> Reason | None:
    """Refuse to say what happened since a sequence that risk has not read yet."""
    seq = intent.if_state_seq
    if seq is None or seq <= state_seq:
        return None
    message = f"risk has read the journal up to {state_seq} and cannot say what happened since {seq}: state it again"
    return _changed(message, seq, state_seq, retryable=True)


def unmet(at: Situation, intent: Conditional) -> Reason | None:
    """Find the first condition that does not hold; most intents have none."""
    if intent.if_position is None and intent.if_state_seq is None and intent.expected_price is None:
        return None
    return _position(at, intent) or _state(at, intent) or _price(at, intent)


def _position(at: Situation, intent: Conditional) -> Reason | None:
    wanted, held = intent.if_position, at.held.position_qty
    if wanted is None or wanted == held:
        return None
    message = f"{held} {at.terms.symbol} are held, if_position says {wanted}: look again and state a new intent"
    return Reason(code=C.POSITION_CHANGED, message=message, limit=held, attempted=wanted)


def _state(at: Situation, intent: Conditional) -> Reason | None:
    seq, symbol = intent.if_state_seq, at.terms.symbol
    if seq is None:
        return None
    changes = at.state.changes
    newest = changes.newest_seq(symbol)
    if newest > seq:
        what = "the account's limits or switches" if changes.controls_seq == newest else f"the orders in {symbol}"
        return _changed(f"{what} changed at {newest}: look again and state a new intent", seq, newest)
    if changes.awaited.get(symbol, 0):
        message = f"an order in {symbol} was approved and is not confirmed yet: look again and state a new intent"
        return _changed(message, seq, newest, retryable=True)
    return None


def _changed(message: str, seq: int, newest: int, *, retryable: bool = False) -> Reason:
    return Reason(
        code=C.STATE_CHANGED,
        message=message,
        limit=Decimal(newest),
        attempted=Decimal(seq),
        retryable=retryable,
        retry_after_ms=_AGAIN_MS if retryable else None,
    )


def _price(at: Situation, intent: Conditional) -> Reason | None:
    """The market's far side may be worse than expected by the tolerance: the ask for who buys, the bid else."""
    expected, tolerance_bps, quote = intent.expected_price, intent.price_tolerance_bps, at.quote
    if expected is None or tolerance_bps is None:
        return None
    if quote is None or abs(at.evidence.decided_at - quote.at) > at.limits.quote_age_max_ms * _MS:
        return _moved(f"no fresh quote says where {at.terms.symbol} trades: state it again", None, tolerance_bps)
    buys = at.terms.side is Side.BUY
    price = quote.ask_price if buys else quote.bid_price
    worse = price - expected if buys else expected - price
    if worse * _BPS_OF_ONE <= tolerance_bps * expected:
        return None
    moved_bps = (worse * _BPS_OF_ONE / expected).quantize(CENT, ROUND_UP)
    side = "ask" if buys else "bid"
    message = (
        f"the {side} of {at.terms.symbol} is {price}, {moved_bps} bps worse than {expected}: state it again at it"
    )
    return _moved(message, moved_bps, tolerance_bps)


def _moved(message: str, moved_bps: Decimal | None, tolerance_bps: Decimal) -> Reason:
    return Reason(
        code=C.PRICE_MOVED,
        message=message,
        limit=tolerance_bps,
        attempted=moved_bps,
        retryable=True,
        retry_after_ms=_AGAIN_MS,
    )

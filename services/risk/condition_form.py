"""Whether the conditions of an intent are well formed; whether they hold is for the state and the market to say."""

from contracts.intents import CloseIntent, ReplaceIntent, SubmitIntent
from contracts.reasons import DenialCode, Reason
from contracts.values import DECIMALS_MAX, MAGNITUDE_MAX, ZERO, is_exact
from services.risk.said import said, short

C = DenialCode
_SEQ_MAX = 2**63 - 1
"""The largest number that a journal could ever count to."""


def condition_fault(intent: SubmitIntent | CloseIntent | ReplaceIntent) -> Reason | None:
    """Find the first fault in an intent's conditions; most intents have none."""
    no_price = intent.expected_price is None and intent.price_tolerance_bps is None
    if no_price and intent.if_position is None and intent.if_state_seq is None:
        return None
    return _position_fault(intent) or _seq_fault(intent) or (None if no_price else _price_fault(intent))


def _position_fault(intent: SubmitIntent | CloseIntent | ReplaceIntent) -> Reason | None:
    held = intent.if_position
    if held is None or is_exact(held):
        return None
    message = f"if_position must be a number below 10^{MAGNITUDE_MAX} with at most {DECIMALS_MAX} decimals"
    return said(C.INVALID_QTY, f"{message}, not {short(held)}")


def _seq_fault(intent: SubmitIntent | CloseIntent | ReplaceIntent) -> Reason | None:
    seq = intent.if_state_seq
    if seq is None or 0 <= seq <= _SEQ_MAX:
        return None
    return said(C.INVALID_COMBINATION, "if_state_seq must be a state_seq that an answer showed")


def _price_fault(intent: SubmitIntent | CloseIntent | ReplaceIntent) -> Reason | None:
    price, tolerance_bps = intent.expected_price, intent.price_tolerance_bps
    if price is None or tolerance_bps is None:
        message = "expected_price and price_tolerance_bps belong together: state both, a tolerance of 0 is one too"
        return said(C.INVALID_COMBINATION, message)
    if not is_exact(price) or price <= ZERO:
        return said(C.INVALID_PRICE, f"expected_price must be a price above zero, not {short(price)}")
    if not is_exact(tolerance_bps) or tolerance_bps < ZERO:
        return said(C.INVALID_PRICE, f"price_tolerance_bps must be a number from zero up, not {short(tolerance_bps)}")
    return None

"""Whether an intent is well formed: what can be said of it without looking at the account or the market."""

from decimal import Decimal

from contracts.ids import IntentId, is_symbol
from contracts.intents import (
    ApprovalIntent,
    CancelAllIntent,
    CancelIntent,
    CloseIntent,
    Intent,
    ReplaceIntent,
    SubmitIntent,
)
from contracts.reasons import DenialCode, Reason
from contracts.values import DECIMALS_MAX, MAGNITUDE_MAX, has_price_step, is_exact
from services.risk.condition_form import condition_fault
from services.risk.order_form import combination_fault
from services.risk.said import said, short

C = DenialCode
_PERCENT = Decimal(100)
PAIR = "/"
"""Stands in the symbols of crypto pairs, which are no equities."""


def fault_of(intent: Intent, stated_id: IntentId) -> Reason | None:
    """Find the first fault in an intent's form; `stated_id` is the subject's id, which the server vouched for."""
    if intent.intent_id != stated_id:
        message = f"the body says intent_id {short(intent.intent_id)!r}, its subject says {stated_id!r}"
        return said(C.INTENT_ID_MISMATCH, f"{message}: they must be equal")
    match intent:
        case SubmitIntent():
            return _submit_fault(intent) or condition_fault(intent)
        case ReplaceIntent():
            return _qty_fault(intent.qty) or _replaced_prices_fault(intent) or condition_fault(intent)
        case CloseIntent():
            return _symbol_fault(intent.symbol) or _close_fault(intent) or condition_fault(intent)
        case CancelAllIntent():
            return None if intent.symbol is None else _symbol_fault(intent.symbol)
        case CancelIntent() | ApprovalIntent():
            return None


def _submit_fault(intent: SubmitIntent) -> Reason | None:
    return (
        _symbol_fault(intent.symbol)
        or _amount_fault(intent)
        or _submitted_prices_fault(intent)
        or combination_fault(intent)
    )


def _symbol_fault(symbol: str) -> Reason | None:
    if not is_symbol(symbol):
        return said(C.INVALID_SYMBOL, f"{short(symbol)!r} is not a symbol: use capital letters, as in AAPL or BRK.B")
    if PAIR in symbol:
        return said(C.UNSUPPORTED, f"{symbol} is a crypto pair: equities are offered")
    return None


def _amount_fault(intent: SubmitIntent) -> Reason | None:
    if (intent.qty is None) == (intent.notional_usd is None):
        return said(
            C.INVALID_QTY, "state how many shares as qty, or for how much as notional_usd: exactly one of them"
        )
    return _qty_fault(intent.qty) or _number_fault(C.INVALID_QTY, "notional_usd", intent.notional_usd)


def _qty_fault(qty: Decimal | None) -> Reason | None:
    return _number_fault(C.INVALID_QTY, "qty", qty)


def _close_fault(intent: CloseIntent) -> Reason | None:
    if intent.qty is not None and intent.percent is not None:
        return said(C.INVALID_QTY, "state qty or percent, or neither to close all: not both")
    fault = _qty_fault(intent.qty) or _number_fault(C.INVALID_QTY, "percent", intent.percent)
    if fault is None and intent.percent is not None and intent.percent > _PERCENT:
        return said(C.INVALID_QTY, f"percent must be 100 at most, not {short(intent.percent)}", intent.percent)
    return fault


def _number_fault(code: DenialCode, name: str, number: Decimal | None) -> Reason | None:
    if number is None:
        return None
    if not number.is_finite() or number <= 0:
        return said(code, f"{name} must be a number above zero, not {short(number)}", number)
    if not is_exact(number):
        return said(code, f"{name} must be below 10^{MAGNITUDE_MAX} with at most {DECIMALS_MAX} decimals")
    return None


def _price_fault(name: str, price: Decimal | None) -> Reason | None:
    if price is None:
        return None
    fault = _number_fault(C.INVALID_PRICE, name, price)
    if fault is None and not has_price_step(price):
        message = f"{name} {short(price)} is off its tick: 2 decimals from 1 USD up, 4 below"
        return said(C.INVALID_PRICE, message, price)
    return fault


def _submitted_prices_fault(intent: SubmitIntent) -> Reason | None:
    """Find the first price that is none; most orders have one price at most."""
    return (
        _price_fault("limit_price", intent.limit_price)
        or _price_fault("stop_price", intent.stop_price)
        or _price_fault("trail_price", intent.trail_price)
        or _percent_fault("trail_percent", intent.trail_percent)
        or _exit_prices_fault(intent)
    )


def _exit_prices_fault(intent: SubmitIntent) -> Reason | None:
    profit, stop = intent.take_profit, intent.stop_loss
    fault = None if profit is None else _price_fault("take_profit.limit_price", profit.limit_price)
    if fault is not None or stop is None:
        return fault
    return _price_fault("stop_loss.stop_price", stop.stop_price) or _price_fault(
        "stop_loss.limit_price", stop.limit_price
    )


def _percent_fault(name: str, percent: Decimal | None) -> Reason | None:
    fault = _number_fault(C.INVALID_PRICE, name, percent)
    if fault is None and percent is not None and percent >= _PERCENT:
        return said(C.INVALID_PRICE, f"{name} must be below 100, not {short(percent)}", percent)
    return fault


def _replaced_prices_fault(intent: ReplaceIntent) -> Reason | None:
    """Find the first price that is none; whether a trail is on its tick depends on the order's own unit."""
    return (
        _price_fault("limit_price", intent.limit_price)
        or _price_fault("stop_price", intent.stop_price)
        or _number_fault(C.INVALID_PRICE, "trail", intent.trail)
    )

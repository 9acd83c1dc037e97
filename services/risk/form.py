"""Whether an intent is well formed: what can be said of it without looking at the account or the market."""

from decimal import Decimal

from contracts.enums import OrderType, TimeInForce
from contracts.ids import IntentId, is_symbol
from contracts.intents import Intent, SubmitIntent
from contracts.reasons import DenialCode, Reason
from contracts.values import DECIMALS_MAX, MAGNITUDE_MAX, has_price_step, is_exact

C = DenialCode
OFFERED_TYPES = (OrderType.MARKET, OrderType.LIMIT)
OFFERED_TIMES = (TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK)
EXTENDED_TIMES = (TimeInForce.DAY, TimeInForce.GTC)
_SHOWN_CHARS = 40
"""So much of what an agent wrote is repeated to it."""


def _reason(code: DenialCode, message: str, attempted: Decimal | None = None) -> Reason:
    finite = attempted if attempted is not None and is_exact(attempted) else None
    return Reason(code=code, message=message, attempted=finite)


def fault_of(intent: Intent, stated_id: IntentId) -> Reason | None:
    """Find the first fault in an intent's form; `stated_id` is the subject's id, which the server vouched for."""
    if intent.intent_id != stated_id:
        said = _short(intent.intent_id)
        message = f"the body says intent_id {said!r}, its subject says {stated_id!r}: they must be equal"
        return _reason(C.INTENT_ID_MISMATCH, message)
    return _submit_fault(intent) if isinstance(intent, SubmitIntent) else None


def _submit_fault(intent: SubmitIntent) -> Reason | None:
    if not is_symbol(intent.symbol):
        return _reason(
            C.INVALID_SYMBOL, f"{_short(intent.symbol)!r} is not a symbol: use capital letters, as in AAPL or BRK.B"
        )
    return _qty_fault(intent) or _price_fault(intent) or _combination_fault(intent)


def _qty_fault(intent: SubmitIntent) -> Reason | None:
    if intent.notional_usd is not None:
        return _reason(C.UNSUPPORTED, "notional_usd is not offered: state qty in shares")
    qty = intent.qty
    if qty is None:
        return _reason(C.INVALID_QTY, "qty is missing: state how many shares")
    if not qty.is_finite() or qty <= 0:
        return _reason(C.INVALID_QTY, f"qty must be a number above zero, not {_short(qty)}", qty)
    if not is_exact(qty):
        return _reason(C.INVALID_QTY, f"qty must be below 10^{MAGNITUDE_MAX} with at most {DECIMALS_MAX} decimals")
    return None


def _price_fault(intent: SubmitIntent) -> Reason | None:
    price = intent.limit_price
    if price is None:
        return None
    if not price.is_finite() or price <= 0:
        return _reason(C.INVALID_PRICE, f"limit_price must be a number above zero, not {_short(price)}", price)
    if not is_exact(price) or not has_price_step(price):
        message = f"limit_price {_short(price)} is off its tick: 2 decimals from 1 USD up, 4 below"
        return _reason(C.INVALID_PRICE, message, price)
    return None


def _combination_fault(intent: SubmitIntent) -> Reason | None:
    if intent.order_type not in OFFERED_TYPES:
        return _unsupported("order_type", intent.order_type, OFFERED_TYPES)
    if intent.time_in_force not in OFFERED_TIMES:
        return _unsupported("time_in_force", intent.time_in_force, OFFERED_TIMES)
    has_limit, is_limit = intent.limit_price is not None, intent.order_type is OrderType.LIMIT
    if has_limit != is_limit or intent.stop_price is not None:
        return _reason(C.INVALID_COMBINATION, "a limit order has a limit_price, a market order has no price")
    if intent.extended_hours and not (is_limit and intent.time_in_force in EXTENDED_TIMES):
        return _reason(C.INVALID_COMBINATION, "extended_hours takes limit orders with time_in_force day or gtc")
    if _is_fractional(intent.qty) and intent.time_in_force is not TimeInForce.DAY:
        return _reason(C.INVALID_COMBINATION, "a fractional qty takes time_in_force day")
    return None


def _unsupported(field: str, value: str, offered: tuple[str, ...]) -> Reason:
    return _reason(C.UNSUPPORTED, f"{field} {value} is not offered; offered are {', '.join(offered)}")


def _is_fractional(qty: Decimal | None) -> bool:
    return qty is not None and qty != qty.to_integral_value()


def _short(stated: Decimal | str) -> str:
    return str(stated)[:_SHOWN_CHARS]

"""The rules of single numbers: quantities, dollars and prices."""

from decimal import Decimal

from services.simulator.core.errors import malformed, unprocessable
from services.simulator.core.numbers import LARGEST, ONE_DOLLAR, ZERO, decimals, nanos


def check_amount(name: str, value: Decimal) -> None:
    """Refuse a quantity or dollar amount that is not a finite number above zero in a sane range."""
    if not value.is_finite() or value > LARGEST:
        raise malformed(f"invalid {name}")
    if nanos(value) <= ZERO:
        raise malformed(f"{name} must be > 0")


def check_price(name: str, value: Decimal) -> None:
    """Refuse a price that is not finite, not above zero, or finer than its tick allows."""
    check_amount(name, value)
    if decimals(value) > tick_decimals(value):
        raise unprocessable(f"invalid {name} {value}. sub-penny increment does not fulfill minimum pricing criteria")


def tick_decimals(price: Decimal) -> int:
    """Return how many decimals a price may have: cents from one dollar on, four below."""
    return 2 if price >= ONE_DOLLAR else 4


def to_tick(price: Decimal) -> Decimal:
    """Return a computed price on its tick, rounded half up."""
    return price.quantize(Decimal(1).scaleb(-tick_decimals(price)), "ROUND_HALF_UP")

"""Decimal values and the bounds inside which arithmetic on them is exact."""

from decimal import Decimal

ZERO = Decimal(0)
CENT = Decimal("0.01")
BPS = Decimal("0.0001")
DECIMALS_MAX = 9
"""Alpaca takes quantities and notionals with up to nine decimals (POST /v2/orders)."""
MAGNITUDE_MAX = 12
"""Numbers of 10^12 and more are nonsense for one account, and would cost the exactness of 28 digits."""


def is_exact(number: Decimal) -> bool:
    """Say whether a number is finite, has at most nine decimals and less than twelve digits before them."""
    if not number.is_finite():
        return False
    if not number:
        return True
    exponent = number.normalize().as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -DECIMALS_MAX and number.adjusted() < MAGNITUDE_MAX


def price_decimals(price: Decimal) -> int:
    """Give the decimals a limit price may have: 2 from one dollar up, 4 below (SEC Rule 612, Alpaca orders)."""
    return 2 if price >= 1 else 4


def has_price_step(price: Decimal) -> bool:
    """Say whether a price lies on its tick."""
    exponent = price.normalize().as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -price_decimals(price)


def plain(number: Decimal) -> Decimal:
    """Write a number the one canonical way: no exponent, no trailing zeros, so equal values are equal bytes."""
    if not number:
        return ZERO
    short = number.normalize()
    exponent = short.as_tuple().exponent
    return short.quantize(Decimal(1)) if isinstance(exponent, int) and exponent > 0 else short

"""Decimal values and the bounds inside which arithmetic on them is exact."""

from decimal import Decimal

ZERO = Decimal(0)
CENT = Decimal("0.01")
_ONE = Decimal(1)
BPS = Decimal("0.0001")
DECIMALS_MAX = 9
"""Alpaca takes quantities and notionals with up to nine decimals (POST /v2/orders)."""
MAGNITUDE_MAX = 12
"""Numbers of 10^12 and more are nonsense for one account, and would cost the exactness of 28 digits."""
_SMALLEST = Decimal(1).scaleb(-DECIMALS_MAX)
_SUB_DOLLAR_TICK = Decimal("0.0001")


def is_plain_number(text: str) -> bool:
    """Say whether a text is a number as programs write it: no other script's digits, no underscores, no spaces."""
    return text.isascii() and "_" not in text and text == text.strip()


def is_exact(number: Decimal) -> bool:
    """Say whether a number is finite, has at most nine decimals and at most twelve digits before them."""
    if not number.is_finite() or number.adjusted() >= MAGNITUDE_MAX:
        return False
    return number == number.quantize(_SMALLEST)


def has_price_step(price: Decimal) -> bool:
    """Say whether an exact price lies on its tick: 2 decimals from one dollar up, 4 below (SEC Rule 612)."""
    return price == price.quantize(CENT if price >= 1 else _SUB_DOLLAR_TICK)


def plain(number: Decimal) -> Decimal:
    """Write a number the one canonical way, without exponent and trailing zeros, so equal values are equal bytes."""
    short = number.normalize()
    return short.quantize(_ONE) if "E+" in str(short) else short

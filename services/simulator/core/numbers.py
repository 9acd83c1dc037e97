"""Decimal habits of the wire: plain notation, at most nine decimals, nothing unbounded."""

from decimal import ROUND_HALF_UP, Decimal

ZERO = Decimal(0)
CENT = Decimal("0.01")
NANO = Decimal("0.000000001")
ONE_DOLLAR = Decimal(1)
LARGEST = Decimal(10) ** 12


def plain(value: Decimal) -> Decimal:
    """Return the same number without trailing zeros and without an exponent, as Alpaca writes it."""
    trimmed = value.normalize()
    _, _, exponent = trimmed.as_tuple()
    return trimmed.quantize(Decimal(1)) if isinstance(exponent, int) and exponent > 0 else trimmed


def cents(value: Decimal) -> Decimal:
    """Return a dollar amount rounded half up to the cent, without trailing zeros."""
    return plain(value.quantize(CENT, ROUND_HALF_UP))


def nanos(value: Decimal) -> Decimal:
    """Return a quantity or price rounded half up to the nine decimals Alpaca keeps."""
    return plain(value.quantize(NANO, ROUND_HALF_UP))


def decimals(value: Decimal) -> int:
    """Return how many digits stand after the decimal point once trailing zeros are gone."""
    _, _, exponent = value.normalize().as_tuple()
    return max(0, -exponent) if isinstance(exponent, int) else 0

"""Reasons about what an agent wrote: its own words repeated shortened, its own numbers only when they are exact."""

from decimal import Decimal

from contracts.reasons import DenialCode, Reason
from contracts.values import is_exact

_SHOWN_CHARS = 40


def said(code: DenialCode, message: str, attempted: Decimal | None = None) -> Reason:
    """Make a reason; a number that is none, or too long to be kept, is told in the message alone."""
    return Reason(
        code=code, message=message, attempted=attempted if attempted is not None and is_exact(attempted) else None
    )


def short(stated: Decimal | str) -> str:
    """Shorten what an agent wrote."""
    return str(stated)[:_SHOWN_CHARS]

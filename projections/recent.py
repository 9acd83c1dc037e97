"""An agent's last approved orders, in short, so that the same one stated again can be told from another."""

from datetime import UTC, datetime, timedelta

from contracts.orders import OrderTerms

KEPT_MAX = 48
"""So many orders of one agent are remembered: what is older counts as new."""
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)

type Recent = tuple[tuple[int, str], ...]
"""Pairs of (millisecond since 1970, what was asked), oldest first."""


def asked(terms: OrderTerms) -> str:
    """Write what an order asks for as one text: terms are canonical, so equal orders give equal texts."""
    amount = terms.qty if terms.notional_usd is None else f"{terms.notional_usd} USD"
    prices = f"{terms.limit_price} {terms.stop_price} {terms.trail_price} {terms.trail_percent}"
    return f"{terms.symbol} {terms.side} {terms.order_type} {terms.order_class} {amount} {prices}"


def with_order(recent: Recent, at: datetime, terms: OrderTerms) -> Recent:
    """Remember one more, and forget the oldest of too many."""
    return (*recent[1 - KEPT_MAX :], ((at - _BEGINNING) // _MS, asked(terms)))


def repeats(recent: Recent, at: datetime, terms: OrderTerms, window_ms: int) -> tuple[int, ...]:
    """Give how long ago (ms) the same order was approved within a window, the longest first."""
    now, wanted = (at - _BEGINNING) // _MS, asked(terms)
    found = [now - then for then, what in recent if now - then < window_ms and what == wanted]
    return tuple(found)

"""What forbids trading a symbol, judged by thresholds, and the words in which that goes on record.

The reasons of a regime are made here and read again here, from the same wordings, so that a what-if can ask
whether a reason would still be one under other thresholds.
"""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import ROUND_UP, Decimal
from typing import NamedTuple

from msgspec.structs import replace

from contracts.market import Quote
from contracts.thresholds import DEFAULTS, Thresholds
from contracts.values import BPS, CENT, ZERO, plain

AGE, SPREAD = "quote_age_max_ms", "spread_max_bps"
JUDGED_BY = (AGE, SPREAD)
"""The thresholds by which a quote is judged; the others say how a symbol recovers."""
UNTOLD = Thresholds(quote_age_max_ms=5_000, spread_max_bps=Decimal(50))
"""What was in force where nothing tells: there were no others before regimes told by which they are judged."""
_MS = timedelta(milliseconds=1)


class Fault(NamedTuple):
    """One thing that forbids trading; without a threshold no number would allow it.

    `told` is its reason on record, `measured` (ms or bps) what broke the `threshold`, `limit` what that stood at.
    """

    told: str
    threshold: str | None = None
    measured: Decimal = ZERO
    limit: Decimal | None = None


class _Wording(NamedTuple):
    """How a broken threshold is told; the limit is not in all of them."""

    text: str
    threshold: str

    def fault(self, measured: Decimal, limit: Decimal) -> Fault:
        told = self.text.format(measured=f"{measured:f}", limit=f"{plain(limit):f}")
        return Fault(told, self.threshold, measured, limit)


_OLD = _Wording("quote_age_ms {measured} > {limit}", AGE)
_AHEAD = _Wording("quote {measured} ms in the future", AGE)
_SILENT = _Wording("no quote for {measured} ms", AGE)
_WIDE = _Wording("spread_bps {measured} > {limit}", SPREAD)
_IN_FORCE = "judged by quote_age_max_ms {age} and spread_max_bps {spread}"


def _pattern(text: str) -> re.Pattern[str]:
    """Make the pattern that reads what a wording writes."""
    number = r"[0-9]{1,18}(?:\\.[0-9]{1,18})?"
    return re.compile(re.sub(r"\\\{(\w+)\\\}", rf"(?P<\1>{number})", re.escape(text)))


_READ = tuple((_pattern(one.text), one.threshold) for one in (_OLD, _AHEAD, _SILENT, _WIDE))
_READ_IN_FORCE = _pattern(_IN_FORCE)


def quote_faults(quote: Quote, now: datetime, thresholds: Thresholds = DEFAULTS) -> tuple[Fault, ...]:
    """List what is wrong with a quote at a moment: its age (ms), either way, and its spread (bps of the mid)."""
    age_ms, age_max_ms = (now - quote.at) // _MS, thresholds.quote_age_max_ms
    found: list[Fault] = []
    if age_ms > age_max_ms:
        found.append(_OLD.fault(Decimal(age_ms), Decimal(age_max_ms)))
    elif -age_ms > age_max_ms:
        found.append(_AHEAD.fault(Decimal(-age_ms), Decimal(age_max_ms)))
    if quote.bid_price <= 0 or quote.ask_price <= 0:
        found.append(Fault(f"one-sided {quote.bid_price} x {quote.ask_price}"))
    elif quote.bid_price > quote.ask_price:
        found.append(Fault(f"crossed {quote.bid_price} x {quote.ask_price}"))
    elif (spread := spread_bps(quote)) > thresholds.spread_max_bps:
        # Rounded up, so that no reason ever says that a number is above itself.
        found.append(_WIDE.fault(spread.quantize(CENT, ROUND_UP), thresholds.spread_max_bps))
    return tuple(found)


def silence_fault(waited_ms: int, thresholds: Thresholds) -> Fault | None:
    """Say whether a symbol without any quote has been waited for too long, in ms."""
    if waited_ms <= thresholds.quote_age_max_ms:
        return None
    return _SILENT.fault(Decimal(waited_ms), Decimal(thresholds.quote_age_max_ms))


def halt_fault(halt: str) -> Fault:
    """Tell a halt, by the venue's own codes."""
    return Fault(f"halted {halt}")


def spread_bps(quote: Quote) -> Decimal:
    """Give the spread in basis points of the mid price: (ask − bid) ÷ mid; both prices must be positive."""
    mid = (quote.bid_price + quote.ask_price) / 2
    return (quote.ask_price - quote.bid_price) / mid / BPS


def fault_told(reason: str) -> Fault:
    """Read a reason on record; one that tells of no threshold is a fault that no threshold would allow."""
    for pattern, threshold in _READ:
        found = pattern.fullmatch(reason)
        if found is not None:
            limit = found.groupdict().get("limit")
            return Fault(reason, threshold, Decimal(found["measured"]), None if limit is None else Decimal(limit))
    return Fault(reason)


def threshold_of(thresholds: Thresholds, name: str) -> Decimal:
    """Give one of the thresholds by which quotes are judged, in ms or bps."""
    return Decimal(thresholds.quote_age_max_ms) if name == AGE else thresholds.spread_max_bps


def told_in_force(thresholds: Thresholds) -> str:
    """Tell by which thresholds a symbol was found tradeable; a fault tells its own."""
    return _IN_FORCE.format(age=thresholds.quote_age_max_ms, spread=f"{plain(thresholds.spread_max_bps):f}")


def in_force(reasons: Iterable[str], known: Thresholds = UNTOLD) -> Thresholds:
    """Give the thresholds that reasons on record tell; what they leave open is as known before."""
    for reason in reasons:
        both, fault = _READ_IN_FORCE.fullmatch(reason), fault_told(reason)
        if both is not None:
            known = replace(known, quote_age_max_ms=int(Decimal(both["age"])), spread_max_bps=Decimal(both["spread"]))
        elif fault.limit is not None and fault.threshold == AGE:
            known = replace(known, quote_age_max_ms=int(fault.limit))
        elif fault.limit is not None:
            known = replace(known, spread_max_bps=fault.limit)
    return known

"""Names the condition of one symbol from what is heard of it.

UNTRADEABLE is entered at once and left slowly: only after several sound quotes in a row over some time, so that a
flickering quote does not make the regime flicker. Everything else is CHOP until bars give evidence of a trend.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import assert_never

from msgspec.structs import replace

from contracts.base import Value
from contracts.enums import Regime
from contracts.ids import Symbol
from contracts.market import (
    Bar,
    MarketMessage,
    Quote,
    RegimeChanged,
    SymbolStats,
    SymbolStatus,
    is_decisive,
    says_halted,
)
from contracts.thresholds import DEFAULTS, Thresholds
from projections.quote_faults import Fault, halt_fault, quote_faults, silence_fault, told_in_force

CERTAIN = Decimal(1)
NO_EVIDENCE = Decimal("0.5")
NO_TREND = "no trend evidence"
_MS = timedelta(milliseconds=1)


class Condition(Value, frozen=True, kw_only=True):
    """What is known of one symbol; `sound_quotes` counts the sound quotes in a row, `sound_since` their first."""

    symbol: Symbol
    watched_since: datetime
    regime: Regime | None = None
    quote: Quote | None = None
    halt: str | None = None
    sound_since: datetime | None = None
    sound_quotes: int = 0


def decide(condition: Condition, now: datetime, thresholds: Thresholds = DEFAULTS) -> RegimeChanged | None:
    """Say whether, at this moment, the symbol's regime is another one than the one on record."""
    regime, confidence, reasons = _judge(condition, now, thresholds)
    if regime is None or regime is condition.regime:
        return None
    return RegimeChanged(
        symbol=condition.symbol,
        regime=regime,
        previous=condition.regime,
        confidence=confidence,
        reasons=reasons,
        at=now,
    )


def evolve(
    condition: Condition,
    heard: MarketMessage | RegimeChanged,
    now: datetime,
    thresholds: Thresholds = DEFAULTS,
) -> Condition:
    """Fold what was heard at a moment; a quote older than the one known changes nothing."""
    match heard:
        case Quote():
            return _after_quote(condition, heard, now, thresholds)
        case SymbolStatus(code=code, reason_code=reason_code):
            if not is_decisive(heard):
                return condition
            return replace(condition, halt=f"{code}/{reason_code}" if says_halted(heard) else None)
        case RegimeChanged(regime=regime):
            return replace(condition, regime=regime)
        case Bar() | SymbolStats():
            return condition  # no signal is computed from bars yet, so none may be claimed
        case _:
            assert_never(heard)


def faults(condition: Condition, now: datetime, thresholds: Thresholds = DEFAULTS) -> tuple[Fault, ...]:
    """List what forbids trading the symbol at this moment, each with what was measured."""
    halted = () if condition.halt is None else (halt_fault(condition.halt),)
    if condition.quote is not None:
        return halted + quote_faults(condition.quote, now, thresholds)
    silence = silence_fault((now - condition.watched_since) // _MS, thresholds)
    return halted if silence is None else (*halted, silence)


def is_outdated(condition: Condition, quote: Quote) -> bool:
    """Say whether a newer quote than this one is known already."""
    return condition.quote is not None and quote.at < condition.quote.at


def _judge(
    condition: Condition, now: datetime, thresholds: Thresholds
) -> tuple[Regime | None, Decimal, tuple[str, ...]]:
    found = faults(condition, now, thresholds)
    if found:
        return Regime.UNTRADEABLE, CERTAIN, tuple(fault.told for fault in found)
    still_recovering = condition.regime is Regime.UNTRADEABLE and not _has_recovered(condition, now, thresholds)
    if condition.quote is None or still_recovering:
        return condition.regime, NO_EVIDENCE, ()
    return Regime.CHOP, NO_EVIDENCE, (NO_TREND, told_in_force(thresholds))


def _has_recovered(condition: Condition, now: datetime, thresholds: Thresholds) -> bool:
    if condition.sound_since is None or condition.sound_quotes < thresholds.recovery_quotes:
        return False
    return now - condition.sound_since >= thresholds.recovery_ms * _MS


def _after_quote(condition: Condition, quote: Quote, now: datetime, thresholds: Thresholds) -> Condition:
    before = condition.quote
    if is_outdated(condition, quote):
        return condition
    if quote_faults(quote, now, thresholds):
        return replace(condition, quote=quote, sound_since=None, sound_quotes=0)
    # A silence in which the last quote grew stale breaks the row, though no bad quote stands in it.
    in_a_row = condition.sound_since is not None and before is not None and not quote_faults(before, now, thresholds)
    return replace(
        condition,
        quote=quote,
        sound_since=condition.sound_since if in_a_row else now,
        sound_quotes=condition.sound_quotes + 1 if in_a_row else 1,
    )

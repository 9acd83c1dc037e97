"""Names the condition of the market as a whole: the one that most tradeable symbols are in."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from contracts.enums import Regime
from contracts.market import RegimeChanged
from contracts.subjects import MARKET_WIDE
from contracts.values import CENT

CAUTION = (Regime.UNTRADEABLE, Regime.VOL_EXPANSION, Regime.CHOP, Regime.TREND)
"""The most cautious first: it wins when as many symbols are in one regime as in another."""


def decide(regimes: Iterable[Regime], previous: Regime | None, now: datetime) -> RegimeChanged | None:
    """Say whether the market's regime is another one than the one on record.

    It is the plurality of the symbols whose regime is known, UNTRADEABLE ones aside unless all are; the
    confidence is its share among those that are counted. Without any known symbol nothing is said.
    """
    known = Counter(regimes)
    counted = {regime: n for regime, n in known.items() if regime is not Regime.UNTRADEABLE} or known
    if not counted:
        return None
    regime = min(counted, key=lambda r: (-counted[r], CAUTION.index(r)))
    if regime is previous:
        return None
    share = (Decimal(counted[regime]) / sum(counted.values())).quantize(CENT)
    breadth = tuple(f"{r} {known[r]}" for r in CAUTION if known[r])
    return RegimeChanged(
        symbol=MARKET_WIDE, regime=regime, previous=previous, confidence=share, reasons=breadth, at=now
    )

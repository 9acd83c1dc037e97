"""Which regime a decision would have seen under other thresholds, as far as its own evidence tells.

Pure. Market data is not in the journal: each decision holds the quote and the regime that it saw, and the regime the
reasons for which it began. Only a threshold that is tried at another number can turn anything, so that the
thresholds of then turn nothing: a lower one makes a symbol UNTRADEABLE, a higher one takes back that it was.
"""

from datetime import datetime
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from contracts.base import Value
from contracts.decisions import Evidence
from contracts.enums import Regime
from contracts.market import Quote, RegimeChanged, says_halted
from contracts.thresholds import Thresholds
from projections.differences import Difference, differences
from projections.quote_faults import JUDGED_BY, UNTOLD, Fault, fault_told, in_force, quote_faults, threshold_of

ASSUMED_OF_REGIMES = (
    "Other regime thresholds judge the quote that a decision saw, and the reasons for which its regime began.",
    "UNTRADEABLE that would have begun as well lasts as long as it did then.",
    "Quotes between decisions are unknown, so recovery (by default 3 sound quotes over 2 s) is not replayed.",
    "A symbol that would not have become UNTRADEABLE is in the regime before that one, in CHOP where there was none.",
    "The thresholds then are those that the newest regime told; 5,000 ms and 50 bps where none has told yet.",
)
LIFTED = "not UNTRADEABLE under the thresholds tried"
_CERTAIN, _NO_EVIDENCE = Decimal(1), Decimal("0.5")


class ThresholdsTried(Value, frozen=True, kw_only=True, omit_defaults=True):
    """Thresholds to be tried; one that is not named stays as it was."""

    quote_age_max_ms: int | None = None
    spread_max_bps: Decimal | None = None

    def over(self, then: Thresholds) -> Thresholds:
        """Give the thresholds of then with these in their place."""
        named = {name: given for name, given in msgspec.structs.asdict(self).items() if given is not None}
        return replace(then, **named)


class RegimesTried:
    """Follows which thresholds were in force, and gives each decision the evidence of the other ones."""

    def __init__(self, tried: ThresholdsTried | None = None) -> None:
        """Begin before the first decision; without thresholds to try all evidence stays as it is."""
        self.tried = tried
        self.turned = 0
        """How many decisions see another regime."""
        self._then = UNTOLD
        self._told_at: datetime | None = None

    def hear(self, evidence: Evidence) -> None:
        """Take what the regime of the next decision tells; thresholds are the process's, not the symbol's."""
        seen = None if self.tried is None else evidence.regime
        if seen is not None and (self._told_at is None or seen.at >= self._told_at):
            self._then = in_force(seen.reasons, self._then)
            self._told_at = seen.at

    def evidence(self, evidence: Evidence) -> Evidence:
        """Give what the decision would have seen."""
        if self.tried is None:
            return evidence
        regime = regime_under(evidence, self._then, self.tried.over(self._then))
        if regime is evidence.regime:
            return evidence
        self.turned += 1
        return replace(evidence, regime=regime)

    def changes(self) -> tuple[Difference, ...]:
        """List the thresholds that are tried at another number than the last one in force."""
        if self.tried is None:
            return ()
        found = differences(self._then, self.tried.over(self._then))
        return tuple(replace(one, path=f"regime.{one.path}") for one in found)


def regime_under(evidence: Evidence, then: Thresholds, tried: Thresholds) -> RegimeChanged | None:
    """Give the regime that a decision would have seen, the very one on record where nothing turns it."""
    seen = evidence.regime
    if seen is None:
        return None
    quote = evidence.quote
    if quote is None or quote.symbol != seen.symbol:
        return seen
    found = quote_faults(quote, evidence.decided_at, tried)
    if seen.regime is not Regime.UNTRADEABLE:
        return _imposed(seen, quote, found, evidence.decided_at) if _is_new(found, then, tried) else seen
    stays = bool(found) or _is_halted(evidence) or not _is_void(seen, then, tried)
    return seen if stays else _lifted(seen)


def _is_new(found: tuple[Fault, ...], then: Thresholds, tried: Thresholds) -> bool:
    """Say whether a fault is one for a lower threshold; any other was one then too, and the regime told of it."""
    return any(fault.threshold in _moved(tried, then) for fault in found)


def _is_void(seen: RegimeChanged, then: Thresholds, tried: Thresholds) -> bool:
    """Say whether each reason for UNTRADEABLE is one that a higher threshold lets pass; without reasons none is."""
    raised, told = _moved(then, tried), [fault_told(reason) for reason in seen.reasons]
    return bool(told) and all(
        fault.threshold in raised and fault.measured <= threshold_of(tried, fault.threshold) for fault in told
    )


def _moved(lower: Thresholds, higher: Thresholds) -> frozenset[str]:
    """Name the thresholds that are lower in one than in the other."""
    return frozenset(name for name in JUDGED_BY if threshold_of(lower, name) < threshold_of(higher, name))


def _is_halted(evidence: Evidence) -> bool:
    """Say whether the symbol is halted; a halt within UNTRADEABLE stands in no reason, the regime began before it."""
    status, seen = evidence.status, evidence.regime
    return status is not None and seen is not None and status.symbol == seen.symbol and says_halted(status)


def _imposed(seen: RegimeChanged, quote: Quote, found: tuple[Fault, ...], at: datetime) -> RegimeChanged:
    return RegimeChanged(
        symbol=quote.symbol,
        regime=Regime.UNTRADEABLE,
        previous=seen.regime,
        confidence=_CERTAIN,
        reasons=tuple(fault.told for fault in found),
        at=at,
    )


def _lifted(seen: RegimeChanged) -> RegimeChanged:
    before = Regime.CHOP if seen.previous in {None, Regime.UNTRADEABLE} else seen.previous
    return replace(seen, regime=before, previous=None, confidence=_NO_EVIDENCE, reasons=(LIFTED,))

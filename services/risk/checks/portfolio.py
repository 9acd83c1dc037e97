"""Controls on the portfolio: one sector, one symbol and the whole of it against what the account is worth."""

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache

from contracts.ids import Symbol
from contracts.limits import LimitSet, Sector
from contracts.reasons import DenialCode
from contracts.values import ZERO
from projections.exposure import worst
from services.risk.checks.findings import Finding, clear, exempt, missing, passed
from services.risk.checks.sizes import too_large
from services.risk.situation import Situation

C = DenialCode
BROKER_STOP = Decimal(6)
"""At six times equity the broker lets an account only close. Source: Alpaca, margin and short selling."""
_PERCENT = Decimal(100)
_NO_PRICE = "without a price the exposure is not known"
_NO_EQUITY = "the account's equity is not known"


def check_sector_exposure(at: Situation) -> Finding:
    """The exposure of all symbols of a sector together, at their worst, may not exceed the limit (USD)."""
    if at.reduces:
        return exempt("sector_exposure")
    limit = at.limits.max_sector_exposure_usd
    sectors = _sectors_of(at.limits).get(at.terms.symbol, ())
    if limit is None or not sectors:
        return clear("sector_exposure")
    if at.worst_price is None:
        return missing("sector_exposure", C.NO_QUOTE, _NO_PRICE)
    others_usd = max(_others_usd(at, sector) for sector in sectors)
    after_usd = others_usd + at.after.exposure_usd
    if after_usd <= limit:
        return passed("sector_exposure", after_usd, limit)
    before_usd = others_usd + at.before.exposure_usd
    return too_large(at, "sector_exposure", C.MAX_SECTOR_EXPOSURE, (before_usd, after_usd, limit))


@lru_cache(maxsize=256)
def _sectors_of(limits: LimitSet) -> Mapping[Symbol, tuple[Sector, ...]]:
    """Name the sectors of each symbol."""
    symbols = dict.fromkeys(symbol for sector in limits.sectors for symbol in sector.symbols)
    return {symbol: tuple(one for one in limits.sectors if symbol in one.symbols) for symbol in symbols}


def _others_usd(at: Situation, sector: Sector) -> Decimal:
    """Sum what the sector's other symbols are exposed to; those with no exposure cost a look each."""
    symbols, own = at.state.exposure.symbols, at.terms.symbol
    found = (symbols.get(symbol) for symbol in sector.symbols if symbol != own)
    return sum((worst(one).exposure_usd for one in found if one is not None), ZERO)


def check_concentration(at: Situation) -> Finding:
    """One symbol's exposure, at its worst, may be so many percent of equity, and never what the broker stops at."""
    if at.reduces:
        return exempt("concentration")
    pct = at.limits.max_concentration_pct
    if pct is None:
        return clear("concentration")
    side = at.terms.side
    times = min(pct / _PERCENT, BROKER_STOP)
    return _of_equity(
        at, ("concentration", C.MAX_CONCENTRATION, times), at.before.side_usd(side), at.after.side_usd(side)
    )


def check_leverage(at: Situation) -> Finding:
    """The sum of all exposure, at its worst, may be so many times equity, and never what the broker stops at."""
    if at.reduces:
        return exempt("leverage")
    times = at.limits.max_leverage
    if times is None:
        return clear("leverage")
    before_usd, after_usd = at.totals_before.gross_usd, at.totals_after.gross_usd
    return _of_equity(at, ("leverage", C.MAX_LEVERAGE, min(times, BROKER_STOP)), before_usd, after_usd)


def _of_equity(
    at: Situation, control: tuple[str, DenialCode, Decimal], before_usd: Decimal, after_usd: Decimal
) -> Finding:
    """Hold an exposure (USD) against (control's name, its code, times equity); without equity nothing is allowed."""
    name, code, times = control
    seen = at.state.observed
    if seen is None or not seen.equity_usd.is_finite():
        return missing(name, C.NO_ACCOUNT, _NO_EQUITY)
    if at.worst_price is None:
        return missing(name, C.NO_QUOTE, _NO_PRICE)
    limit_usd = max(seen.equity_usd * times, ZERO)
    if after_usd <= limit_usd:
        return passed(name, after_usd, limit_usd)
    return too_large(at, name, code, (before_usd, after_usd, limit_usd))

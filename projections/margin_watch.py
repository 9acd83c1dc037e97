"""What the rules on margin and on settlement may ask of the account: projections that warn and never deny. All USD.

The sources differ in how well they are known, so each warning names its own: "documented" is what the broker's
published pages say; "from memory" is the rule as it is commonly told, not checked against its text. All of them look
at the worst case, with everything filled that works, and none knows what a broker may grant or ask beyond the rule.
"""

from collections.abc import Iterator
from decimal import Decimal
from enum import StrEnum

from contracts.base import Value
from contracts.broker import Asset
from contracts.ids import Symbol
from contracts.values import ZERO
from projections.account_state import AccountState
from projections.exposure import SymbolExposure, worst

INITIAL = Decimal("0.5")
"""Regulation T lends half of what is bought."""
LONG_MAINTENANCE = Decimal("0.3")
SHORT_MAINTENANCE = Decimal("0.3")
CHEAP_LONG_USD = Decimal(6)
"""Below this price a long must be paid in full; an older page says 2.50."""
SHORT_FLOOR_USD = Decimal(5)
MARGIN_EQUITY_USD = Decimal(2_000)
DE_MINIMIS_USD = Decimal(1_000)
DE_MINIMIS_PART = Decimal("0.05")
_PERCENT = Decimal(100)


class Certainty(StrEnum):
    """How well the source of a rule is known."""

    DOCUMENTED = "documented"
    FROM_MEMORY = "from memory"


class MarginWarning(Value, frozen=True, kw_only=True):
    """What may be asked for: what was projected against what the rule allows (USD), and whence the rule is."""

    name: str
    message: str
    projected_usd: Decimal
    allowed_usd: Decimal
    source: str
    certainty: Certainty


def margin_warnings(state: AccountState) -> tuple[MarginWarning, ...]:
    """Project every rule; without the broker's figures nothing can be said, and the controls deny anyway."""
    seen = state.observed
    if seen is None or not (seen.equity_usd.is_finite() and seen.cash_usd.is_finite()):
        return ()
    return (*_maintenance(state, seen.equity_usd), *_initial(state, seen.equity_usd), *_settlement(state))


def _maintenance(state: AccountState, equity_usd: Decimal) -> Iterator[MarginWarning]:
    """Warn of an intraday margin deficit: what must be held against everything, should all of it fill."""
    required = sum((maintenance_usd(state, symbol, one) for symbol, one in state.exposure.symbols.items()), ZERO)
    deficit = required - equity_usd
    if deficit <= 0:
        return
    small = min(DE_MINIMIS_USD, DE_MINIMIS_PART * max(equity_usd, ZERO))
    what = "is below what a call is made for" if deficit <= small else "may be called, and bars from opening if unmet"
    yield MarginWarning(
        name="intraday_margin",
        message=f"an intraday margin deficit of {deficit} USD could come to stand: it {what}",
        projected_usd=required,
        allowed_usd=equity_usd,
        source="Alpaca, intraday margin (since 2026-06-04); the exact formula of the rule was not read",
        certainty=Certainty.DOCUMENTED,
    )


def maintenance_usd(state: AccountState, symbol: Symbol, one: SymbolExposure) -> Decimal:
    """Give what must be held against one symbol at its worst: the larger of its sides (USD)."""
    case, asset = worst(one), state.listing.assets.get(symbol)
    return max(_part(asset, one.mark_price, short=False) * case.long_usd, _short_usd(asset, one, case.short_usd))


def _part(asset: Asset | None, price: Decimal, *, short: bool) -> Decimal:
    """Give the part of its value that must be held, the broker's own word on the symbol first."""
    if asset is not None and asset.maintenance_pct is not None and asset.maintenance_pct.is_finite():
        return asset.maintenance_pct / _PERCENT
    if short:
        return SHORT_MAINTENANCE
    return LONG_MAINTENANCE if not price or price > CHEAP_LONG_USD else Decimal(1)


def _short_usd(asset: Asset | None, one: SymbolExposure, short_usd: Decimal) -> Decimal:
    shares = max(one.sell_qty - one.position_qty, ZERO) if short_usd else ZERO
    return max(_part(asset, one.mark_price, short=True) * short_usd, shares * SHORT_FLOOR_USD)


def _initial(state: AccountState, equity_usd: Decimal) -> Iterator[MarginWarning]:
    gross_usd = state.exposure.totals.gross_usd
    source = "Regulation T, 12 CFR 220; FINRA 4210"
    if gross_usd * INITIAL > equity_usd:
        yield MarginWarning(
            name="initial_margin",
            message=f"half of {gross_usd} USD of exposure would be more than the account's equity",
            projected_usd=gross_usd * INITIAL,
            allowed_usd=equity_usd,
            source=source,
            certainty=Certainty.FROM_MEMORY,
        )
    if gross_usd > equity_usd and equity_usd < MARGIN_EQUITY_USD:
        yield MarginWarning(
            name="margin_minimum",
            message=f"an account below {MARGIN_EQUITY_USD} USD of equity is lent nothing",
            projected_usd=gross_usd,
            allowed_usd=equity_usd,
            source=source,
            certainty=Certainty.FROM_MEMORY,
        )


def _settlement(state: AccountState) -> Iterator[MarginWarning]:
    """Warn a cash account of purchases paid with sales of the day, which settle on the next one (T+1).

    That an account is a cash account is taken from its figures: one that is lent nothing has no more buying power
    than cash.
    """
    seen, spent = state.observed, state.spent
    if seen is None or not seen.buying_power_usd.is_finite() or seen.buying_power_usd > seen.cash_usd:
        return
    cash_usd = seen.cash_usd if state.cash_usd is None else state.cash_usd
    unpaid_usd = min(spent.day_bought_usd, spent.day_sold_usd - cash_usd)
    if unpaid_usd <= 0:
        return
    settled_usd = max(spent.day_bought_usd - unpaid_usd, ZERO)
    yield MarginWarning(
        name="good_faith",
        message=f"{unpaid_usd} USD of the day's buys are paid with sales that have not settled: "
        "selling those shares before they have is a good-faith violation",
        projected_usd=spent.day_bought_usd,
        allowed_usd=settled_usd,
        source="Regulation T, 12 CFR 220.8; settlement on the next business day",
        certainty=Certainty.FROM_MEMORY,
    )
    if cash_usd < 0:
        yield MarginWarning(
            name="free_riding",
            message=f"{-cash_usd} USD of buys are not paid for at all: selling them to pay for them is free-riding",
            projected_usd=spent.day_bought_usd,
            allowed_usd=max(spent.day_bought_usd + cash_usd, ZERO),
            source="Regulation T, 12 CFR 220.8",
            certainty=Certainty.FROM_MEMORY,
        )

"""Rows of the control on the regime, with and without layers that gate by it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from contracts.decisions import Evidence
from contracts.enums import Regime
from contracts.ids import Symbol
from contracts.market import RegimeChanged
from contracts.rails import RAILS
from contracts.reasons import DenialCode as C
from contracts.subjects import MARKET_WIDE
from projections.account import AccountState
from tests.risk_world import AAPL, NOW, body, bought, evidence, limits_set, observed, quote, state_of
from tests.unit.risk.row import Row, ready
from tests.unit.risk.rows_layers import MOMO, STRATEGY, layer

TREND, CHOP, UNTRADEABLE = Regime.TREND, Regime.CHOP, Regime.UNTRADEABLE
RECOMMENDED = RAILS["regimes_allowed"].value


def regime(now: Regime, *reasons: str, symbol: Symbol = AAPL) -> RegimeChanged:
    return RegimeChanged(
        symbol=symbol,
        regime=now,
        previous=None,
        confidence=Decimal(1),
        reasons=reasons,
        at=NOW - timedelta(milliseconds=1500),
    )


def seen_in(now: Regime, *reasons: str, symbol: Symbol = AAPL) -> Evidence:
    return replace(evidence(quote()), regime=regime(now, *reasons, symbol=symbol))


def gated(*events: Any, account: Any = RECOMMENDED, **strategy: Any) -> AccountState:
    """The account's own regimes, and those of one strategy."""
    return state_of(limits_set(regimes_allowed=account), observed(), *events, layer(STRATEGY, **strategy))


NOT_SAID = evidence(quote())
SELL = body(side="sell", qty="10", limit_price="99.00")
ROWS = [
    Row(C.NO_REGIME, ready(regimes_allowed=RECOMMENDED), body(), NOT_SAID),
    Row(C.NO_REGIME, ready(regimes_allowed=RECOMMENDED), body(), seen_in(CHOP, symbol=Symbol("MSFT"))),
    Row(C.NO_REGIME, ready(regimes_allowed=RECOMMENDED), body(), seen_in(TREND, symbol=MARKET_WIDE)),
    Row(C.NO_REGIME, ready(regimes_allowed=()), body(), NOT_SAID),
    Row(C.REGIME, ready(regimes_allowed=RECOMMENDED), body(), seen_in(UNTRADEABLE, "spread_bps 80.0 > 50")),
    Row(C.REGIME, ready(regimes_allowed=(TREND,)), body(), seen_in(CHOP)),
    Row(C.REGIME, ready(regimes_allowed=()), body(), seen_in(CHOP)),
    Row(C.REGIME, gated(regimes_allowed=(CHOP,)), MOMO, seen_in(TREND)),
    Row(C.REGIME, gated(account=None, regimes_allowed=(CHOP,)), MOMO, seen_in(TREND)),
    Row(C.REGIME, gated(account=(TREND,), regimes_allowed=(CHOP,)), MOMO, seen_in(CHOP)),
]
PASSING = [
    ("regime, the only one allowed", ready(regimes_allowed=(CHOP,)), body(), seen_in(CHOP)),
    ("regime allowed to its strategy", gated(regimes_allowed=(CHOP,)), MOMO, seen_in(CHOP)),
    ("regime that another strategy avoids", gated(regimes_allowed=(CHOP,)), body(), seen_in(TREND)),
    ("exit in a bad regime", gated(bought("10"), regimes_allowed=()), SELL, seen_in(UNTRADEABLE)),
    ("exit in no regime", gated(bought("10"), regimes_allowed=()), SELL, NOT_SAID),
    ("regime that no rail asks for", ready(), body(), seen_in(UNTRADEABLE)),
]
"""Where the control lets pass, or does not bind."""

"""The market's regime: the plurality of its symbols."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from contracts.enums import Regime
from services.regime.market_wide import decide

NOW = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
C, T, V, U = Regime.CHOP, Regime.TREND, Regime.VOL_EXPANSION, Regime.UNTRADEABLE

MARKETS = [
    ([C], C, "1.00"),
    ([C, U, U, U], C, "1.00"),
    ([C, C, T, U], C, "0.67"),
    ([T, T, C, V], T, "0.50"),
    ([T, C], C, "0.50"),
    ([T, C, V], V, "0.33"),
    ([U, U], U, "1.00"),
]


@pytest.mark.parametrize(("regimes", "expected", "confidence"), MARKETS)
def test_market_is_in_the_regime_of_most_tradeable_symbols_the_more_cautious_on_a_tie(regimes, expected, confidence):
    change = decide(regimes, None, NOW)
    assert (change.symbol, change.regime, change.confidence) == ("_market", expected, Decimal(confidence))
    assert decide(regimes, expected, NOW) is None
    assert decide(list(reversed(regimes)), None, NOW) == change


def test_market_without_a_known_symbol_is_not_named():
    assert decide([], None, NOW) is None


def test_market_change_says_its_breadth_and_what_was_before():
    change = decide([C, C, T, U], T, NOW)
    assert (change.previous, change.reasons) == (T, ("UNTRADEABLE 1", "CHOP 2", "TREND 1"))

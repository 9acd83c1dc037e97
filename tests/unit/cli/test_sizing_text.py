"""Advice on sizes as a person reads it."""

from decimal import Decimal

from contracts.decisions import Adjustment, Sizing
from services.cli.sizing_text import sizing_lines

D = Decimal


def test_advice_names_the_shares_the_risk_and_what_made_it_smaller() -> None:
    sizing = Sizing(
        requested_qty=D(80),
        recommended_qty=D(50),
        risk_usd=D("1000.00"),
        stop_distance_usd=D(5),
        adjustments=(
            Adjustment(name="volatility", factor=D(1), note="calm"),
            Adjustment(name="liquidity", factor=D("0.625"), note="100 shares are quoted"),
        ),
    )
    assert list(sizing_lines(sizing)) == [
        "  advice: 50 shares (80 asked for): 1000 USD at risk, 5 USD a share to the stop",
        "    × 0.625 for liquidity: 100 shares are quoted",
    ]

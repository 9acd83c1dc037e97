"""What a person types about a mandate, as the form that it makes."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from contracts.enums import OrderType, Regime
from contracts.limits import LimitOverride
from contracts.mandates import APPROVAL_WAIT_MS, Hours, Mandate, MandateSide, Venue
from services.cli.mandate_terms import Terms, form_of
from services.cli.mandate_text import lines_of, summary_of
from services.cli.outcome import UsageError
from services.runtime.mandate_form import new_mandate

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)


def test_what_is_typed_becomes_a_mandate() -> None:
    typed = Terms(
        symbols="aapl, BRK.B",
        sides="buy,short",
        types="limit",
        strategies="calm",
        venues="paper,live",
        expires="12h",
        hours="09:30-16:00",
        budget="25000",
        approval_from="4000.5",
        approval_wait="5m",
        lease="60s",
        limit=(
            "max_order_notional_usd=2000",
            "symbol_denylist=TSLA,GME",
            "shorts_allowed=false",
            "regimes_allowed=CHOP",
        ),
    )
    made = new_mandate(form_of(typed, NOW), NOW)
    assert made.symbols == ("AAPL", "BRK.B")
    assert (made.sides, made.order_types) == ((MandateSide.BUY, MandateSide.SHORT), (OrderType.LIMIT,))
    assert (made.strategies, made.venues) == (("calm",), (Venue.PAPER, Venue.LIVE))
    assert (made.expires_at, made.hours) == (NOW + timedelta(hours=12), Hours(from_minute=570, to_minute=960))
    assert (made.budget_per_day_usd, made.approval_from_usd) == (Decimal(25_000), Decimal("4000.5"))
    assert (made.approval_wait_ms, made.lease_ms) == (300_000, 60_000)
    limits = made.limits
    assert (limits.max_order_notional_usd, limits.symbol_denylist) == (Decimal(2000), ("TSLA", "GME"))
    assert limits.shorts_allowed is False
    assert limits.regimes_allowed == (Regime.CHOP,)


def test_what_is_not_said_is_the_default() -> None:
    made = new_mandate(form_of(Terms(), NOW), NOW)
    assert made == Mandate(expires_at=NOW + timedelta(days=30))


def test_none_lifts_a_bound_and_an_empty_list_allows_nothing() -> None:
    form = form_of(Terms(symbols="none", budget="none", lease="none", hours="none", sides=""), NOW)
    assert (form.symbols, form.budget_per_day_usd, form.lease_ms, form.hours) == (None, None, None, None)
    assert form.sides == ()


def test_a_file_says_the_same_and_the_line_wins_over_it(tmp_path: Path) -> None:
    file = tmp_path / "mandate.toml"
    file.write_text(
        'symbols = ["AAPL"]\nbudget_per_day_usd = 25000\nexpires_at = 2026-12-31T21:00:00Z\n'
        "hours = { from_minute = 570, to_minute = 960 }\n[limits]\nmax_daily_trades = 5\nmax_order_qty = 1.5\n"
    )
    made = new_mandate(form_of(Terms(file=file, budget="10000", limit=("max_daily_trades=3",)), NOW), NOW)
    assert (made.symbols, made.budget_per_day_usd) == (("AAPL",), Decimal(10_000))
    assert made.expires_at == datetime(2026, 12, 31, 21, tzinfo=UTC)
    assert made.limits == LimitOverride(max_daily_trades=3, max_order_qty=Decimal("1.5"))


@pytest.mark.parametrize(
    "typed",
    [
        Terms(sides="long"),
        Terms(types="stop-limit"),
        Terms(expires="tomorrow"),
        Terms(expires="2026-12-31T21:00:00"),
        Terms(hours="9:30-16:00"),
        Terms(hours="16:00-09:30"),
        Terms(budget="much"),
        Terms(approval_wait="15"),
        Terms(limit=("max_order_notional_usd",)),
        Terms(limit=("max_order_notional=5",)),
        Terms(file=Path("no such file")),
    ],
)
def test_what_makes_no_sense_is_refused(typed: Terms) -> None:
    with pytest.raises(UsageError):
        form_of(typed, NOW)


def test_a_mandate_in_words_says_everything_that_it_holds() -> None:
    bare = Mandate(expires_at=NOW)
    full = msgspec.structs.replace(
        bare,
        approval_from_usd=Decimal(4000),
        lease_ms=1500,
        hours=Hours(from_minute=570, to_minute=960),
        limits=LimitOverride(max_daily_trades=5),
    )
    text = "\n".join(lines_of(full))
    assert "4000 USD, for 900 s" in text
    assert APPROVAL_WAIT_MS == 900_000
    assert "1.5 s" in text
    assert "09:30 to 16:00 New York time" in text
    assert "max_daily_trades 5" in text
    assert "every symbol" in summary_of(bare)
    assert "REVOKED" in summary_of(None)
    assert list(lines_of(None)) == [summary_of(None)]

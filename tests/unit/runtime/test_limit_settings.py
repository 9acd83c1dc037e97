"""Configured limits: rails are filled in or waived by name, layers are tables, and nothing is guessed."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from contracts.enums import Regime
from contracts.limits import LimitOverride
from contracts.rails import RAILS, missing_rails
from services.runtime.limit_settings import require_rails
from services.runtime.setting_values import SettingsError
from services.runtime.settings import Settings, load_settings

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
WAIVER = """
[[limits.waivers]]
rail = "{rail}"
until = 2026-12-01T00:00:00Z
by = "{by}"
reason = "{reason}"
"""


def settings(home: Path, text: str = "", **environ: str) -> Settings:
    (home / "lockgate.toml").write_text(text)
    return load_settings(home, environ)


def waiver(rail: str = "max_loss_week_usd", by: str = "ada", reason: str = "no history yet") -> str:
    return WAIVER.format(rail=rail, by=by, reason=reason)


def test_every_rail_that_nobody_chose_gets_its_recommended_number(tmp_path: Path) -> None:
    limits = settings(tmp_path).limits
    assert {name: getattr(limits, name) for name in RAILS} == {name: rail.value for name, rail in RAILS.items()}
    require_rails(limits, NOW)


def test_a_chosen_number_stands_in_place_of_the_recommended_one(tmp_path: Path) -> None:
    limits = settings(tmp_path, "[limits]\nmax_order_qty = 7", MAX_OPEN_ORDERS="9").limits
    assert (limits.max_order_qty, limits.max_open_orders) == (7, 9)


def test_a_waived_rail_is_none_until_the_waiver_is_over(tmp_path: Path) -> None:
    limits = settings(tmp_path, waiver()).limits
    assert limits.max_loss_week_usd is None
    require_rails(limits, NOW)
    later = datetime(2026, 12, 1, tzinfo=UTC)
    assert missing_rails(limits, later) == ("max_loss_week_usd",)
    with pytest.raises(SettingsError, match="max_loss_week_usd is neither set nor waived"):
        require_rails(limits, later)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (waiver(rail="max_los_week_usd"), "max_los_week_usd"),
        (waiver(rail="max_order_notional_usd"), "max_order_notional_usd"),
        (waiver(by=" "), "without a name"),
        (waiver(reason=""), "without a name"),
        ("[limits]\nmax_loss_week_usd = 5\n" + waiver(), "both set and waived"),
        (waiver().replace("2026-12-01T00:00:00Z", "2026-12-01T00:00:00"), "waivers"),
        (waiver().replace("until", "untill"), "waivers"),
    ],
)
def test_a_waiver_that_makes_no_sense_is_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        settings(tmp_path, text)


def test_a_rail_set_by_the_environment_cannot_be_waived_by_the_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="both set and waived"):
        settings(tmp_path, waiver(), MAX_LOSS_WEEK_USD="5")


def test_layers_are_tables_of_the_file(tmp_path: Path) -> None:
    text = """
    [firm]
    max_gross_exposure_usd = 20000
    [agents.demo]
    max_daily_trades = 5
    symbol_allowlist = ["aapl"]
    [strategies."mean reversion"]
    shorts_allowed = false
    regimes_allowed = ["CHOP"]
    [symbols."BRK.B"]
    max_position_notional_usd = 0.5
    """
    assert settings(tmp_path, text).layers == {
        "firm": LimitOverride(max_gross_exposure_usd=Decimal(20_000)),
        "agent.demo": LimitOverride(max_daily_trades=5, symbol_allowlist=("AAPL",)),  # pyright: ignore[reportArgumentType]
        "strategy.mean reversion": LimitOverride(shorts_allowed=False, regimes_allowed=(Regime.CHOP,)),
        "symbol.BRK.B": LimitOverride(max_position_notional_usd=Decimal("0.5")),
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[agents.demo]\nmax_dayly_trades = 5", "max_dayly_trades"),
        ("[agents.demo]\nquote_age_max_ms = 5", "quote_age_max_ms"),
        ("[agents.demo]", "agent.demo"),
        ("[agents]\ndemo = 5", "agent.demo"),
        ("[firm]\nmax_daily_trades = -1", "max_daily_trades"),
        ("[symbols.AAPL]\nmax_daily_trades = 1", "max_daily_trades"),
        ("agents = 5", "agents"),
        ('[strategies.calm]\nregimes_allowed = ["CALM"]', "regimes_allowed is 'CALM'; allowed is of TREND"),
        ("[strategies.calm]\nregimes_allowed = 5", "regimes_allowed is 5"),
    ],
)
def test_a_layer_that_binds_nothing_is_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        settings(tmp_path, text)

"""The regime's thresholds can be set, and nonsense is refused by name."""

from decimal import Decimal

import msgspec
import pytest

from contracts.thresholds import DEFAULTS, Thresholds
from services.runtime.regime_settings import THRESHOLD_VARIABLES
from services.runtime.setting_values import SettingsError
from services.runtime.settings import load_settings


def with_file(home, text):
    (home / "lockgate.toml").write_text(text)
    return home


def test_nothing_given_is_the_defaults(tmp_path):
    assert load_settings(tmp_path, {}).thresholds == DEFAULTS


def test_every_threshold_has_a_variable_that_wins_over_the_file(tmp_path):
    text = "[regime]\nquote_age_max_ms = 1\nspread_max_bps = 12.5\nrecovery_quotes = 1\nrecovery_ms = 0"
    home = with_file(tmp_path, text)
    filed = Thresholds(quote_age_max_ms=1, spread_max_bps=Decimal("12.5"), recovery_quotes=1, recovery_ms=0)
    assert load_settings(home, {}).thresholds == filed
    given = dict.fromkeys(THRESHOLD_VARIABLES.values(), "7")
    assert set(msgspec.structs.asdict(load_settings(home, given).thresholds).values()) == {7}
    assert "LOCKGATE_REGIME_SPREAD_MAX_BPS" in given


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SPREAD_MAX_BPS", "0"),
        ("SPREAD_MAX_BPS", "-1"),
        ("SPREAD_MAX_BPS", "20000.1"),
        ("SPREAD_MAX_BPS", "NaN"),
        ("SPREAD_MAX_BPS", "wide"),
        ("SPREAD_MAX_BPS", ""),
        ("SPREAD_MAX_BPS", "0.0000000001"),
        ("QUOTE_AGE_MAX_MS", "0"),
        ("QUOTE_AGE_MAX_MS", "86400001"),
        ("QUOTE_AGE_MAX_MS", "1.5"),
        ("QUOTE_AGE_MAX_MS", "٣"),
        ("QUOTE_AGE_MAX_MS", "9" * 5000),
        ("RECOVERY_QUOTES", "0"),
        ("RECOVERY_QUOTES", "1001"),
        ("RECOVERY_MS", "-1"),
        ("RECOVERY_MS", "86400001"),
    ],
)
def test_a_threshold_that_nobody_can_mean_is_refused_by_name(tmp_path, name, value):
    with pytest.raises(SettingsError, match=f"LOCKGATE_REGIME_{name}"):
        load_settings(tmp_path, {f"LOCKGATE_REGIME_{name}": value})


def test_a_misspelt_threshold_is_refused(tmp_path):
    with pytest.raises(SettingsError, match=r"\[regime\] spread_bps_max"):
        load_settings(with_file(tmp_path, "[regime]\nspread_bps_max = 5"), {})

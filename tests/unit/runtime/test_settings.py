"""Settings are read once, checked whole, and never guessed."""

import traceback
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from contracts.enums import Regime
from contracts.limits import COUNT_MAX, LimitSet
from contracts.rails import RAILS, SECTORS
from ops.bench.system import NO_LIMITS
from services.runtime.broker_settings import LIVE_SENTENCE, BrokerSource
from services.runtime.limit_settings import LIMIT_VARIABLES
from services.runtime.setting_values import SettingsError
from services.runtime.settings import ExternalOrders, LogFormat, home_from, load_settings

KEYS = {"ALPACA_API_KEY": "AK1", "ALPACA_API_SECRET": "very secret"}


def with_file(home: Path, text: str) -> Path:
    (home / "lockgate.toml").write_text(text)
    return home


def test_nothing_given_is_paper_on_the_simulator_with_the_default_limits(tmp_path):
    settings = load_settings(tmp_path, {})
    assert (settings.account, settings.http_port, settings.nats_url) == ("paper", 3000, "nats://127.0.0.1:4222")
    assert (settings.broker.source, settings.broker.mode) == (BrokerSource.SIMULATOR, "paper")
    recommended = {name: rail.value for name, rail in RAILS.items()}
    assert settings.limits == LimitSet(**recommended, sectors=SECTORS)
    assert settings.log_format is LogFormat.CONSOLE
    assert settings.database_url is None
    assert settings.seed_path("risk") == tmp_path / "credentials" / "processes" / "risk.seed"


def test_the_environment_wins_over_the_file(tmp_path):
    home = with_file(tmp_path, 'account = "filed"\nhttp_port = 1\nnats_port = 2\n[limits]\nmax_daily_loss_usd = "7"')
    settings = load_settings(home, {"PORT": "9", "LOCKGATE_ACCOUNT": "given", "MAX_DAILY_LOSS": "8"})
    assert (settings.account, settings.http_port, settings.nats_port) == ("given", 9, 2)
    assert settings.limits.max_daily_loss_usd == 8
    assert load_settings(home, {}).limits.max_daily_loss_usd == 7


def test_every_limit_has_a_variable_of_its_own():
    fields = {field.name for field in msgspec.structs.fields(LimitSet)}
    assert set(LIMIT_VARIABLES) == fields - {"sectors", "waivers"}
    assert len(set(LIMIT_VARIABLES.values())) == len(LIMIT_VARIABLES)


def test_every_limit_can_be_given_by_its_variable(tmp_path):
    kinds = {field.name: str(field.type) for field in msgspec.structs.fields(LimitSet)}
    switches = {name for name in LIMIT_VARIABLES if "bool" in kinds[name]}
    given = {LIMIT_VARIABLES[name]: "true" if name in switches else "3" for name in LIMIT_VARIABLES}
    lists = {"SYMBOL_ALLOWLIST": "aapl, BRK.B", "SYMBOL_DENYLIST": "gme", "REGIMES_ALLOWED": "chop, TREND,chop"}
    limits = load_settings(tmp_path, given | lists).limits
    assert (limits.symbol_allowlist, limits.symbol_denylist) == (("AAPL", "BRK.B"), ("GME",))
    assert limits.regimes_allowed == (Regime.CHOP, Regime.TREND)
    assert all(getattr(limits, name) is True for name in switches)
    numbers = LIMIT_VARIABLES.keys() - switches - {"symbol_allowlist", "symbol_denylist", "regimes_allowed"}
    assert {getattr(limits, name) for name in numbers} == {3}


def test_sectors_and_waivers_are_tables_of_the_file(tmp_path):
    text = """
    [[limits.sectors]]
    name = "technology"
    symbols = ["AAPL"]
    [[limits.waivers]]
    rail = "max_loss_week_usd"
    until = 2027-01-01T00:00:00Z
    by = "ada"
    reason = "no history yet"
    """
    limits = load_settings(with_file(tmp_path, text), {}).limits
    assert limits.sectors[0].symbols == ("AAPL",)
    assert limits.waivers[0].rail == "max_loss_week_usd"
    with pytest.raises(SettingsError, match="sectors"):
        load_settings(with_file(tmp_path, "[limits]\nsectors = 7"), {})


def test_numbers_of_the_file_are_read_as_decimals_and_lists_as_symbols(tmp_path):
    home = with_file(tmp_path, '[limits]\nmax_spread_bps = 0.1\nmax_daily_trades = 5\nsymbol_allowlist = ["SPY"]')
    limits = load_settings(home, {}).limits
    assert (limits.max_spread_bps, limits.max_daily_trades) == (Decimal("0.1"), 5)
    assert limits.symbol_allowlist == ("SPY",)


def test_the_largest_count_that_is_allowed_is_a_limit(tmp_path):
    limits = load_settings(tmp_path, {"MAX_DAILY_TRADES": str(COUNT_MAX)}).limits
    assert limits.max_daily_trades == COUNT_MAX


def test_the_limits_under_which_the_benchmarks_run_can_be_read(tmp_path):
    assert load_settings(tmp_path, NO_LIMITS).limits.order_rate_per_min == COUNT_MAX


def test_a_limit_of_zero_is_a_limit(tmp_path):
    assert load_settings(tmp_path, {"MAX_POSITION_SIZE": "0"}).limits.max_position_notional_usd == 0


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MAX_DAILY_LOSS", "-1"),
        ("MAX_DAILY_LOSS", "NaN"),
        ("MAX_DAILY_LOSS", "Infinity"),
        ("MAX_DAILY_LOSS", "1e400"),
        ("MAX_DAILY_LOSS", "plenty"),
        ("MAX_DAILY_LOSS", ""),
        ("MAX_DAILY_TRADES", "1.5"),
        ("MAX_DAILY_TRADES", "٣"),
        ("ORDER_RATE_LIMIT", "-3"),
        ("REGIMES_ALLOWED", ""),
        ("REGIMES_ALLOWED", "CALM"),
        ("REGIMES_ALLOWED", "CHOP,"),
        ("SYMBOL_ALLOWLIST", ""),
        ("SYMBOL_ALLOWLIST", "AAPL,not a symbol"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "http"),
        ("LOCKGATE_NATS_PORT", "-1"),
        ("LOCKGATE_ACCOUNT", "my account"),
        ("LOG_FORMAT", "xml"),
        ("LOG_LEVEL", "loud"),
        ("LOCKGATE_BUILD", "a b"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_name(tmp_path, variable, value):
    with pytest.raises(SettingsError, match=variable):
        load_settings(tmp_path, {variable: value})


@pytest.mark.parametrize(
    "text",
    [
        "this is not TOML",
        'max_daily_loss = "5"',
        "[limits]\nmax_dayly_loss_usd = 5",
        "[limts]\n",
        "limits = 5",
        "[alpaca]\nkey = 1",
    ],
)
def test_a_file_that_says_something_nobody_reads_is_refused(tmp_path, text):
    with pytest.raises(SettingsError):
        load_settings(with_file(tmp_path, text), {})


def test_one_key_without_the_other_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="ALPACA_API_SECRET"):
        load_settings(tmp_path, {"ALPACA_API_KEY": "AK1"})


def test_the_broker_sets_the_rate_of_requests_unless_we_do(tmp_path):
    assert load_settings(tmp_path, KEYS).broker.requests_per_min is None
    assert load_settings(tmp_path, KEYS | {"ALPACA_REQUESTS_PER_MIN": "1000"}).broker.requests_per_min == 1000
    assert load_settings(with_file(tmp_path, "[alpaca]\nrequests_per_min = 50"), {}).broker.requests_per_min == 50
    with pytest.raises(SettingsError, match="ALPACA_REQUESTS_PER_MIN"):
        load_settings(tmp_path, {"ALPACA_REQUESTS_PER_MIN": "0"})


def test_keys_mean_alpaca_paper(tmp_path):
    broker = load_settings(tmp_path, KEYS).broker
    assert (broker.source, broker.mode) == (BrokerSource.ALPACA_PAPER, "paper")
    assert broker.trading_url == "https://paper-api.alpaca.markets"
    assert (broker.key_id, broker.key_secret.value) == ("AK1", "very secret")


def test_only_the_exact_sentence_and_the_exact_word_together_mean_live(tmp_path):
    broker = load_settings(tmp_path, KEYS | {"LOCKGATE_LIVE": LIVE_SENTENCE, "ALPACA_PAPER": "false"}).broker
    assert (broker.source, broker.mode) == (BrokerSource.ALPACA_LIVE, "live")
    assert (broker.trading_url, broker.stream_url) == (
        "https://api.alpaca.markets",
        "wss://api.alpaca.markets/stream",
    )


@pytest.mark.parametrize(
    ("sentence", "paper"),
    [
        (LIVE_SENTENCE, None),
        (LIVE_SENTENCE, ""),
        (LIVE_SENTENCE, "true"),
        (LIVE_SENTENCE, "False"),
        (LIVE_SENTENCE, "0"),
        (LIVE_SENTENCE, " false"),
        (LIVE_SENTENCE.lower(), "false"),
        (LIVE_SENTENCE + "!", "false"),
        ("true", "false"),
        (None, "false"),
    ],
)
def test_anything_else_means_paper(tmp_path, sentence, paper):
    given = {"LOCKGATE_LIVE": sentence, "ALPACA_PAPER": paper}
    environ = KEYS | {name: value for name, value in given.items() if value is not None}
    assert load_settings(tmp_path, environ).broker.source is BrokerSource.ALPACA_PAPER


def test_live_without_keys_is_the_simulator(tmp_path):
    environ = {"LOCKGATE_LIVE": LIVE_SENTENCE, "ALPACA_PAPER": "false"}
    assert load_settings(tmp_path, environ).broker.mode == "paper"


def test_the_simulator_is_found_by_its_file_and_by_the_supervisors_word(tmp_path):
    file = tmp_path / "credentials" / "simulator.json"
    file.parent.mkdir()
    file.write_text(
        '{"base_url": "http://file", "stream_url": "ws://file", "key_id": "k", "secret_key": "s", "x": 1}'
    )
    broker = load_settings(tmp_path, {"LOCKGATE_BROKER_URL": "http://given"}).broker
    assert (broker.trading_url, broker.stream_url) == ("http://given", "ws://file")
    assert (broker.key_id, broker.key_secret.value) == ("k", "s")


def test_orders_behind_our_back_halt_unless_somebody_trades_by_hand(tmp_path):
    assert load_settings(tmp_path, {}).external_orders is ExternalOrders.HALT
    adopting = load_settings(tmp_path, {"LOCKGATE_EXTERNAL_ORDERS": "adopt"})
    assert adopting.external_orders is ExternalOrders.ADOPT
    with pytest.raises(SettingsError, match="LOCKGATE_EXTERNAL_ORDERS"):
        load_settings(tmp_path, {"LOCKGATE_EXTERNAL_ORDERS": "ignore"})


def test_the_watch_looks_at_alpaca_less_often_because_looking_counts(tmp_path):
    keys = {"ALPACA_API_KEY": "k", "ALPACA_API_SECRET": "s"}
    assert load_settings(tmp_path, {}).watch_every_ms < load_settings(tmp_path, keys).watch_every_ms


def test_secrets_do_not_show_themselves(tmp_path):
    environ = KEYS | {"DATABASE_URL": "postgresql://u:hunter2@db/x"}
    settings = load_settings(tmp_path, environ)
    for shown in (repr(settings), str(settings), f"{settings.broker.key_secret}", f"{settings.broker.key_secret!r}"):
        assert "very secret" not in shown
        assert "hunter2" not in shown
    assert settings.database_url.value == "postgresql://u:hunter2@db/x"


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:hunter2@db/x",
        "postgresql://u:hunter2@[db/x",
        "postgresql://u:hunter2%zz@db/x",
        "postgresql://u:hunter2@db/x?no_such_option=1",
        "postgresql://u:hunter2 spaced@db/x",
    ],
)
def test_a_database_url_that_cannot_be_read_is_refused_without_showing_its_password(tmp_path, url):
    with pytest.raises(SettingsError, match="DATABASE_URL") as refused:
        load_settings(tmp_path, {"DATABASE_URL": url})
    told = "".join(traceback.format_exception(refused.value))
    assert "hunter2" not in told


def test_a_build_mark_stands_in_the_code_version(tmp_path):
    assert load_settings(tmp_path, {"LOCKGATE_BUILD": "a1b2c3"}).code_version.endswith("+a1b2c3")


def test_the_home_is_the_argument_then_the_variable_then_the_default():
    assert home_from("/a", {"LOCKGATE_HOME": "/b"}) == Path("/a")
    assert home_from(None, {"LOCKGATE_HOME": "/b"}) == Path("/b")
    assert home_from(None, {}) == Path("~/.lockgate").expanduser().resolve()

"""`lockgate whatif` with other thresholds of UNTRADEABLE on a journal made by hand: the flips are counted by hand."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from contracts.enums import Regime
from services.cli.outcome import USAGE
from tests.prepared_day import Day
from tests.risk_world import quote
from tests.unit.cli.whatif_run import Run, report_of, turned, whatif_on
from tests.unit.risk.rows_regimes import RECOMMENDED, regime

CHOP, UNTRADEABLE = Regime.CHOP, Regime.UNTRADEABLE
JUDGED = ("no trend evidence", "judged by quote_age_max_ms 5000 and spread_max_bps 50")
FROM_D = "9"


def asked(day: Day, intent_id: str, now: tuple[Regime, *tuple[str, ...]], bid: str, age_ms: int = 0) -> None:
    """Buy one share at 100 while the bid is so far below an ask of 100."""
    day.facts["quote"] = quote(bid, at=day.now - timedelta(milliseconds=age_ms))
    day.facts["regime"] = replace(regime(*now), at=day.now - timedelta(seconds=1))
    day.ask(intent_id, "1")


def prepared() -> Day:
    day = Day(regimes_allowed=RECOMMENDED, max_spread_bps=Decimal(200), quote_age_max_ms=20_000)
    calm = (CHOP, *JUDGED)
    asked(day, "a", calm, "99.90")  # 10 bps; 3, filled at 4
    asked(day, "b", calm, "99.75")  # 25 bps; 5, filled at 6
    asked(day, "c", calm, "99.90", 4_000)  # 7, filled at 8
    asked(day, "d", (UNTRADEABLE, "spread_bps 70.25 > 50"), "99.60")  # 40 bps by now
    asked(day, "e", (UNTRADEABLE, "spread_bps 70.25 > 50"), "99.20")  # 80 bps by now
    asked(day, "f", (UNTRADEABLE, "quote_age_ms 5100 > 5000"), "99.90")
    asked(day, "g", (UNTRADEABLE, "halted H/T1"), "99.90")
    day.facts["regime"] = replace(regime(*calm), at=day.now)
    day.ask("h", "1", side="sell", limit_price="99.90")  # an exit
    return day


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    command = whatif_on(prepared(), tmp_path, monkeypatch, capsys)

    def on_one_line(*words: str, **more: str) -> tuple[int, str]:
        code, shown = command(*words, **more)
        return code, " ".join(shown.split())

    return on_one_line


HAND_COUNTS = [
    # b's 25 bps are too wide; a and c have 10; d to g were denied and still are, for all but h is an entry
    ("regime.spread_max_bps = 20", [("b", "denied", "REGIME")]),
    # d's 70.25 of then and 40 bps of now pass; e's 80 of now do not; f is too old, g halted
    ("regime.spread_max_bps = 75", [("d", "approved", None)]),
    ("regime.spread_max_bps = 90", [("d", "approved", None), ("e", "approved", None)]),
    # c's quote is 4 s old; and f's was 5.1 s
    ("[regime]\nquote_age_max_ms = 3000", [("c", "denied", "REGIME")]),
    ("[regime]\nquote_age_max_ms = 6000", [("f", "approved", None)]),
    (
        "[regime]\nquote_age_max_ms = 6000\nspread_max_bps = 20.5",
        [("b", "denied", "REGIME"), ("f", "approved", None)],
    ),
    # the thresholds of then
    ("[regime]\nquote_age_max_ms = 5000\nspread_max_bps = 50", []),
    # beside limits, in a table of their own: UNTRADEABLE is allowed as well, so a threshold turns nothing more
    (
        '[limits]\nregimes_allowed = ["CHOP", "UNTRADEABLE"]\n[regime]\nspread_max_bps = 20',
        [(one, "approved", None) for one in "defg"],
    ),
]


@pytest.mark.parametrize(("text", "flips"), HAND_COUNTS)
def test_other_thresholds_flip_exactly_the_intents_of_a_hand_count(
    run: Run, text: str, flips: list[tuple[str, str, str | None]]
) -> None:
    report = report_of(run(text, "--json"))
    assert turned(report) == flips
    assert (report["decisions"], report["consequences"]) == (8, [])


def test_the_report_says_what_was_tried_in_place_of_what_and_what_it_assumes(run: Run) -> None:
    report = report_of(run("regime.spread_max_bps = 20", "--json"))
    assert (report["thresholds"], report["other_regimes"]) == ({"spread_max_bps": "20"}, 1)
    assert report["changes"] == [{"path": "regime.spread_max_bps", "before": "50", "after": "20"}]
    assert [(one["code"], one["was"], one["would_be"]) for one in report["bound"]] == [("REGIME", 4, 5)]
    assert any("3 sound quotes over 2 s" in told for told in report["assumptions"])
    shown = run("regime.spread_max_bps = 20")[1]
    assert "regime.spread_max_bps 20 instead of 50" in shown
    assert "regime thresholds tried: spread_max_bps 20; 1 decisions see another regime" in shown
    assert (
        "demo b submit AAPL: approved -> denied (REGIME: AAPL is in UNTRADEABLE since 0 ms (spread_bps 25.04" in shown
    )
    assert "3 sound quotes over 2 s" in shown


def test_a_stretch_knows_the_thresholds_that_were_told_before_it(run: Run) -> None:
    report = report_of(run("regime.spread_max_bps = 75", "--from", FROM_D, "--json"))
    assert (turned(report), report["decisions"]) == ([("d", "approved", None)], 5)


def test_thresholds_may_come_as_json(run: Run) -> None:
    report = report_of(run('{"regime": {"spread_max_bps": 20.5, "quote_age_max_ms": 3000}}', "--json", suffix="json"))
    assert [flip[0] for flip in turned(report)] == ["b", "c"]


def test_limits_alone_say_nothing_of_thresholds(run: Run) -> None:
    report = report_of(run("max_daily_trades = 50", "--json"))
    assert (report["thresholds"], report["other_regimes"]) == (None, 0)
    assert "thresholds tried" not in run("max_daily_trades = 50")[1]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("regime.spread = 5", "[regime] spread: no such threshold; there are quote_age_max_ms, spread_max_bps"),
        ("regime.recovery_ms = 5", "[regime] recovery_ms: no what-if can try it, because the quotes between"),
        ("regime.spread_max_bps = 0", "[regime] spread_max_bps) is '0'; allowed is a number above 0, up to 20000"),
        ("regime.spread_max_bps = nan", "spread_max_bps) is 'nan'; allowed is a number"),
        ("regime.quote_age_max_ms = 1.5", "quote_age_max_ms) is '1.5'; allowed is a whole number from 1"),
        ("regime.quote_age_max_ms = true", "quote_age_max_ms) is 'True'; allowed is a whole number"),
        ("regime.quote_age_max_ms = [5]", "quote_age_max_ms) is '[5]'; allowed is a whole number"),
        ("regime = 5", "regime is no table: write [regime] and quote_age_max_ms or spread_max_bps in it"),
        ("[regime]", "names no limit and no mandate, nor a threshold of [regime]"),
        ("[regimes]\nspread_max_bps = 5", "regimes: no such limit"),
        ("spread_max_bps = 5", "spread_max_bps: no such limit"),
        ("[limits]\n[regime.AAPL]\nspread_max_bps = 5", "[regime] AAPL: no such threshold"),
    ],
)
def test_what_makes_no_threshold_is_refused_and_said(run: Run, text: str, told: str) -> None:
    code, shown = run(text)
    assert (code, told in shown) == (USAGE, True), shown


def test_a_proposal_holds_no_thresholds_and_says_where_they_are_set(run: Run) -> None:
    code, shown = run("max_daily_trades = 5\nregime.spread_max_bps = 20", "--propose", "why")
    assert (code, "set thresholds in [regime] of the settings file" in shown) == (USAGE, True)

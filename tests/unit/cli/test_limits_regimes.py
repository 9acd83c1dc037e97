"""`lockgate limits` and `lockgate whatif` on regimes: what the layers leave, and what others would have turned."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.enums import Regime
from services.audit.signing import signer_of
from services.cli.app import main
from services.cli.outcome import OK, USAGE
from tests.prepared_day import Day
from tests.unit.risk.rows_layers import layer
from tests.unit.risk.rows_regimes import regime

CHOP, TREND, CALM, STUCK = Regime.CHOP, Regime.TREND, "strategy.calm", "strategy.stuck"
type Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("LOCKGATE_HOME", str(tmp_path / "home"))
    day = Day(regimes_allowed=(TREND, CHOP, Regime.VOL_EXPANSION))
    day.add(layer(CALM, regimes_allowed=(TREND, CHOP)))
    for now in (CHOP, TREND, Regime.UNTRADEABLE):
        day.facts["regime"] = regime(now)
        day.ask(f"calm-{now}", "1", meta={"strategy": "calm"})
    day.add(layer(CALM, 2, regimes_allowed=(CHOP,)))
    day.add(layer("firm", regimes_allowed=(CHOP,)))
    day.add(layer(STUCK, regimes_allowed=(TREND,)))
    asyncio.run(day.export(tmp_path / "x", signer_of(tmp_path / "home")))

    def command(*words: str) -> tuple[int, str]:
        code = main([*words, "--journal", str(tmp_path / "x")])
        shown = capsys.readouterr()
        return code, shown.out + shown.err

    return command


def read(answer: tuple[int, str]) -> Any:
    assert answer[0] == OK, answer[1]
    return json.loads(answer[1])


def test_show_says_which_regimes_all_layers_together_leave(run: Run) -> None:
    assert "regimes_allowed              CHOP                     firm" in run("limits", "show")[1]
    shown = run("limits", "show", "--scope", STUCK)[1]
    assert f"layer {STUCK} version 1: regimes_allowed TREND" in shown
    assert f"regimes_allowed              none                     {STUCK}" in shown
    assert read(run("limits", "show", "--scope", STUCK, "--json"))["bounds"]["regimes_allowed"]["value"] == []


def test_diff_names_the_regimes_of_two_versions(run: Run) -> None:
    found = read(run("limits", "diff", "1", "2", "--scope", CALM, "--json"))["changes"]
    assert found == [{"path": "regimes_allowed", "before": "CHOP, TREND", "after": "CHOP"}]


def test_the_table_of_rails_names_the_recommended_regimes(run: Run) -> None:
    assert "regimes_allowed              TREND, CHOP, VOL_EXPANSION regimes" in run("limits", "rails")[1]


@pytest.mark.parametrize(
    ("text", "turned"),
    [
        ('regimes_allowed = ["CHOP"]', [("calm-TREND", "REGIME")]),
        ('[strategies.calm]\nregimes_allowed = ["CHOP"]', [("calm-TREND", "REGIME")]),
        ("regimes_allowed = []", [("calm-CHOP", "REGIME"), ("calm-TREND", "REGIME")]),
        (
            '[limits]\nregimes_allowed = "chop,untradeable"\n[strategies.calm]\nregimes_allowed = "CHOP,UNTRADEABLE"',
            [("calm-TREND", "REGIME"), ("calm-UNTRADEABLE", None)],
        ),
    ],
)
def test_whatif_names_what_other_regimes_would_have_turned(
    run: Run, tmp_path: Path, text: str, turned: list[tuple[str, str | None]]
) -> None:
    (tmp_path / "l.toml").write_text(text)
    report = read(run("whatif", "--limits", str(tmp_path / "l.toml"), "--json"))
    assert [(flip["intent_id"], flip["would_be_code"]) for flip in report["flips"]] == turned


def test_a_regime_that_is_none_is_a_usage_error(run: Run, tmp_path: Path) -> None:
    (tmp_path / "l.toml").write_text('regimes_allowed = ["CALM"]')
    code, shown = run("whatif", "--limits", str(tmp_path / "l.toml"))
    assert (code, "of TREND, CHOP, VOL_EXPANSION, UNTRADEABLE" in shown) == (USAGE, True)

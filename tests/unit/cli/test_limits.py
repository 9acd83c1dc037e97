"""`lockgate limits` and layered what-ifs on a journal made by hand: what binds whom, and who set it when."""

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from contracts.controls import LayerSet
from contracts.rails import RAILS
from services.audit.signing import signer_of
from services.cli.app import main
from services.cli.outcome import OK, USAGE
from tests.prepared_day import Day
from tests.risk_world import NOW
from tests.unit.risk.rows_layers import granted, layer

D = Decimal
type Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("LOCKGATE_HOME", str(tmp_path / "home"))
    day = Day()
    day.add(layer("agent.demo", max_daily_trades=20, max_order_notional_usd=D(4000)))
    day.add(layer("firm", max_order_notional_usd=D(4500)))
    day.add(granted(budget_per_day_usd=D(9000)))
    for intent_id, qty in (("a", "10"), ("b", "26"), ("c", "30")):
        day.ask(intent_id, qty)
    day.add(layer("agent.demo", 2, max_daily_trades=10))
    day.add(LayerSet(epoch=0, at=NOW, scope=layer("firm").scope, version=2, limits=None, by="ada", reason="over"))
    asyncio.run(day.export(tmp_path / "x", signer_of(tmp_path / "home")))

    def command(*words: str) -> tuple[int, str]:
        code = main([*words, "--journal", str(tmp_path / "x")])
        shown = capsys.readouterr()
        return code, shown.out + shown.err

    return command


def read(answer: tuple[int, str]) -> Any:
    assert answer[0] == OK, answer[1]
    return json.loads(answer[1])


def test_show_says_what_binds_whom_and_where_it_stands(run: Run) -> None:
    view = read(run("limits", "show", "--scope", "agent.demo", "--json"))
    assert view["layers"] == {"agent.demo": {"version": 2, "limits": view["layers"]["agent.demo"]["limits"]}}
    assert view["bounds"]["max_order_notional_usd"] == {"value": "5000", "scope": "account", "mandate": False}
    own = view["own_books"]["agent"]
    assert (own["max_daily_trades"], own["max_turnover_usd"]) == (10, "9000")
    shown = run("limits", "show", "--scope", "agent.demo", "--scope", "symbol.AAPL")[1]
    assert "layer agent.demo version 2: max_daily_trades 10" in shown
    assert "what binds the agent's own book: max_daily_trades 10, max_turnover_usd 9000" in shown
    assert "max_order_notional_usd       5000                     account" in run("limits", "show")[1]


def test_history_tells_the_account_and_every_layer_in_order(run: Run) -> None:
    known = read(run("limits", "history", "--json"))
    assert [(one.get("scope", "account"), one["version"]) for one in known] == [
        ("account", 1),
        ("agent.demo", 1),
        ("firm", 1),
        ("agent.demo", 2),
        ("firm", 2),
    ]
    shown = run("limits", "history", "--scope", "agent.demo")[1]
    assert "agent.demo version 2" in shown
    assert "max_order_notional_usd: 4000 -> None" in shown
    assert "taken away" in run("limits", "history", "--scope", "firm")[1]


def test_diff_compares_two_versions_of_a_layer(run: Run) -> None:
    found = read(run("limits", "diff", "1", "2", "--scope", "agent.demo", "--json"))["changes"]
    assert {(one["path"], one["before"], one["after"]) for one in found} == {
        ("max_daily_trades", 20, 10),
        ("max_order_notional_usd", "4000", None),
    }
    assert run("limits", "diff", "1", "3", "--scope", "agent.demo")[0] == USAGE
    assert run("limits", "diff", "1", "x")[0] == USAGE


def test_the_table_of_rails_is_printed(run: Run) -> None:
    assert {rail["name"] for rail in read(run("limits", "rails", "--json"))} == RAILS.keys()
    assert "max_order_qty                1000 shares" in run("limits", "rails")[1]


@pytest.mark.parametrize(
    "words",
    [
        ("show", "--scope", "nobody"),
        ("show", "--scope", "agent.a", "--scope", "agent.b"),
        ("show", "max_daily_trades=5"),
        ("set", "--reason", "why", "max_daily_trades=5"),
        ("set", "--scope", "agent.demo", "max_daily_trades=5"),
        ("set", "--scope", "agent.demo", "--reason", "why"),
        ("set", "--scope", "agent.demo", "--reason", "why", "max_nonsense=5"),
        ("set", "--scope", "agent.demo", "--reason", "why", "max_daily_trades=-5"),
        ("set", "--scope", "agent.demo", "--reason", "why", "max_daily_trades=5"),
        ("unset", "--reason", "why"),
        ("unset", "--scope", "firm", "--reason", " "),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(run: Run, words: tuple[str, ...]) -> None:
    assert run("limits", *words)[0] == USAGE


def test_whatif_tries_layers_in_the_form_of_the_settings_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "l.toml").write_text(
        "[agents.demo]\nmax_order_notional_usd = 2500\n[symbols.MSFT]\nmax_spread_bps = 1"
    )
    report = read(run("whatif", "--limits", str(tmp_path / "l.toml"), "--json"))
    assert [(flip["intent_id"], flip["would_be_code"]) for flip in report["flips"]] == [
        ("b", "MAX_ORDER_NOTIONAL"),
        ("c", "MAX_ORDER_NOTIONAL"),
    ]
    assert {one["path"] for one in report["changes"]} == {
        "agent.demo.max_order_notional_usd",
        "agent.demo.max_daily_trades",
        "symbol.MSFT.max_spread_bps",
    }


@pytest.mark.parametrize("text", ["[agents.demo]\nmax_nonsense = 1", "[agents]\ndemo = 3", "agents = 3", "[firm]"])
def test_a_layer_that_cannot_be_read_is_a_usage_error(run: Run, tmp_path: Path, text: str) -> None:
    (tmp_path / "l.toml").write_text(text)
    assert run("whatif", "--limits", str(tmp_path / "l.toml"))[0] == USAGE


def test_a_proposal_holds_no_layers(run: Run, tmp_path: Path) -> None:
    (tmp_path / "l.toml").write_text("[firm]\nmax_daily_trades = 1")
    assert run("whatif", "--limits", str(tmp_path / "l.toml"), "--propose", "why")[0] == USAGE


def test_state_shows_the_layers_and_each_owners_book(run: Run) -> None:
    shown = run("state")[1]
    assert "agent.demo version 2: max_daily_trades 10" in shown
    assert "agent.demo holds 66 AAPL; exposure gross 6600, net 6600 USD" in shown
    assert "max_daily_trades 7" in shown
    view = read(run("state", "--json"))
    (demo,) = view["owners"]
    assert (demo["scope"], demo["positions"], demo["headroom"]["max_turnover_usd"]) == (
        "agent.demo",
        {"AAPL": "66"},
        "2400",
    )

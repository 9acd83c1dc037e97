"""`lockgate whatif` with other mandates, on a journal made by hand: which intents flip, counted by hand."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from contracts.ids import AgentId, Symbol
from services.cli.outcome import USAGE
from tests.prepared_day import Day
from tests.risk_world import DEMO, quote
from tests.unit.cli.whatif_run import Run, report_of, turned, whatif_on
from tests.unit.risk.rows_mandates import granted, revoked

ONLY_AAPL = 'mandates.demo.symbols = ["AAPL"]'
NONE = "[mandates.demo]\nrevoked = true\n"
HELD_FROM = "8"
"""From here on demo holds 10 AAPL and 5 MSFT."""


def asked(day: Day, intent_id: str, symbol: str, qty: str, side: str = "buy", agent: str = DEMO) -> None:
    day.agent = AgentId(agent)
    day.facts["quote"] = replace(quote(at=day.now), symbol=Symbol(symbol))
    day.ask(intent_id, qty, symbol=symbol, side=side, limit_price="100" if side == "buy" else "99.99")


def prepared() -> Day:
    """Two agents in two symbols at 100 a share; demo has a mandate, another one, and none; eve never has one."""
    day = Day()
    day.add(granted())  # 3
    asked(day, "a", "AAPL", "10")  # 4, filled at 5
    asked(day, "b", "MSFT", "5")  # 6, filled at 7
    asked(day, "e", "MSFT", "3", agent="eve")  # 8
    asked(day, "c", "MSFT", "2")  # 10
    day.add(granted(version=2, lease_ms=60_000))
    asked(day, "d", "MSFT", "1")  # 13
    asked(day, "x", "AAPL", "4", side="sell")
    asked(day, "y", "MSFT", "5", side="sell")
    day.add(revoked(version=3))
    asked(day, "n", "AAPL", "1")
    asked(day, "m", "MSFT", "1")
    asked(day, "z", "AAPL", "1", side="sell")
    return day


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return whatif_on(prepared(), tmp_path, monkeypatch, capsys)


def test_a_mandate_without_a_symbol_flips_exactly_the_intents_of_a_hand_count(run: Run) -> None:
    report = report_of(run(ONLY_AAPL, "--from", HELD_FROM, "--json"))
    # c and d buy MSFT; y sells the 5 that were held before; e is another agent's. n was denied for a mandate that was
    # revoked by then, and this one stands to the end; m was denied as well, and still is, for another reason.
    assert turned(report) == [
        ("c", "denied", "MANDATE_FORBIDS"),
        ("d", "denied", "MANDATE_FORBIDS"),
        ("n", "approved", None),
    ]
    assert [(one["code"], one["was"], one["would_be"]) for one in report["bound"]] == [
        ("NO_MANDATE", 2, 0),
        ("MANDATE_FORBIDS", 0, 3),
    ]
    assert (report["decisions"], report["orders_left_out"], report["orders_assumed"]) == (8, 2, 1)


def test_the_report_says_what_the_mandate_replaced_and_how(run: Run) -> None:
    report = report_of(run(ONLY_AAPL, "--json"))
    changes = {one["path"]: (one["before"], one["after"]) for one in report["changes"]}
    assert changes["mandates.demo"] == ("revoked", "granted")
    assert changes["mandates.demo.symbols"] == (None, "AAPL")
    assert any("mandate that is tried stands for the whole stretch" in told for told in report["assumptions"])
    shown = run(ONLY_AAPL, "--from", HELD_FROM)[1]
    assert "mandates.demo.symbols AAPL instead of None" in shown
    assert "demo c submit MSFT: approved -> denied (MANDATE_FORBIDS: " in shown


def test_a_revoked_mandate_flips_all_of_the_agents_new_risk_and_no_exit(run: Run) -> None:
    report = report_of(run(NONE, "--from", HELD_FROM, "--json"))
    assert turned(report) == [("c", "denied", "NO_MANDATE"), ("d", "denied", "NO_MANDATE")]
    assert report["consequences"] == []


def test_what_was_bought_before_the_stretch_only_is_left_to_sell(run: Run) -> None:
    report = report_of(run(NONE, "--json"))
    # Without a and b nothing is held that x, y and z could reduce: they would open shorts.
    assert [flip[0] for flip in turned(report)] == ["a", "b", "c", "d", "x", "y", "z"]
    assert {flip[2] for flip in turned(report)[:4]} == {"NO_MANDATE"}


def test_where_mandates_are_required_those_without_one_flip(run: Run) -> None:
    required = "mandates_required = true\n"
    assert turned(report_of(run(required, "--json"))) == [("e", "denied", "NO_MANDATE")]
    eve = required + '[mandates.eve]\nsymbols = ["MSFT"]\n'
    report = report_of(run(eve, "--json"))
    assert turned(report) == []
    assert {"path": "mandates.eve", "before": "none", "after": "granted"} in report["changes"]


def test_a_budget_and_limits_of_the_mandate_bind(run: Run) -> None:
    budget = report_of(run("[mandates.demo]\nbudget_per_day_usd = 1100\n", "--to", "14", "--json"))
    # a takes 1,000 of 1,100; b 500 and c 200 are too much, d takes the last 100.
    assert turned(budget) == [("b", "denied", "MAX_TURNOVER"), ("c", "denied", "MAX_TURNOVER")]
    limits = report_of(run("[mandates.demo.limits]\nmax_order_notional_usd = 999.5\n", "--to", "14", "--json"))
    assert turned(limits) == [("a", "denied", "MAX_ORDER_NOTIONAL")]


def test_a_mandate_that_names_its_end_expires_then(run: Run) -> None:
    report = report_of(run("[mandates.demo]\nexpires_at = 2026-11-23T15:00:09Z\n", "--to", "14", "--json"))
    assert turned(report) == [("c", "denied", "MANDATE_EXPIRED"), ("d", "denied", "MANDATE_EXPIRED")]


def test_mandates_may_come_as_json(run: Run) -> None:
    text = json.dumps({"limits": {"mandates_required": True}, "mandates": {"demo": {"revoked": True}}})
    report = report_of(run(text, "--from", HELD_FROM, "--json", suffix="json"))
    assert [flip[0] for flip in turned(report)] == ["e", "c", "d"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            '[mandates.demo]\nsymbol = ["AAPL"]',
            "[mandates.demo] symbol: no such term; there are revoked, expires_at,",
        ),
        ("[mandates.demo.limits]\nmax_nonsense = 1", "unknown field `max_nonsense`"),
        ('[mandates.demo]\nsymbols = ["aapl"]', "[mandates.demo] aapl: no symbols; use capital letters"),
        ("[mandates.demo]\nbudget_per_day_usd = -1", "budget_per_day_usd must be a number from zero up"),
        ("[mandates.demo]\nrevoked = false", "revoked: it takes true and stands alone"),
        ('[mandates.demo]\nrevoked = true\nsides = ["buy"]', "revoked: it takes true and stands alone"),
        ("[mandates._operator]", "_operator needs no mandate"),
        ('[mandates."a b"]', "'a b' is no agent"),
        ("mandates = 3", "mandates is no table: write [mandates.AGENT]"),
        ("[mandates]\ndemo = 3", "[mandates.demo] is no table of terms"),
        ("[mandates]", "names no limit and no mandate"),
        ("[mandate.demo]\nrevoked = true", "mandate: no such limit"),
        ("[limits]\nmax_daily_trades = 1\n[mandate.demo]", "nothing stands beside [limits] but firm, agents"),
    ],
)
def test_what_makes_no_mandate_is_refused_and_said(run: Run, text: str, told: str) -> None:
    code, shown = run(text)
    assert (code, told in " ".join(shown.split())) == (USAGE, True), shown


def test_a_proposal_holds_no_mandates(run: Run) -> None:
    code, shown = run(NONE, "--propose", "why")
    assert (code, "lockgate mandate grant" in shown) == (USAGE, True)

"""The reading commands on a journal made by hand, which is exported so that nothing needs to run."""

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from services.audit.signing import public_key_path, signer_of
from services.cli.app import main
from services.cli.outcome import FAILED, OK, USAGE
from tests.prepared_day import Day, cancel
from tests.risk_world import kill, limits_set

CANNOT_RUN = 2
type Run = Callable[..., tuple[int, str]]


def prepared() -> Day:
    day = Day()
    for intent_id, qty in (("a", "10"), ("b", "26"), ("c", "25"), ("d", "30"), ("e", "60")):
        day.ask(intent_id, qty)
    day.add(limits_set(2, max_order_notional_usd=Decimal(1)))
    working = day.ask("f", "1", limit_price="0.9", fill=None)
    day.state_intent("g", cancel("g", working.order_id))
    day.add(kill())
    return day


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("LOCKGATE_HOME", str(tmp_path / "home"))
    exported(prepared(), tmp_path, "x")

    def command(*words: str, journal: str = "x") -> tuple[int, str]:
        code = main([*words, "--journal", str(tmp_path / journal)])
        shown = capsys.readouterr()
        return code, shown.out + shown.err

    return command


def exported(day: Day, tmp_path: Path, name: str, *, signed: bool = True) -> None:
    asyncio.run(day.export(tmp_path / name, signer_of(tmp_path / "home") if signed else None))


def read(answer: tuple[int, str]) -> Any:
    assert answer[0] == OK, answer[1]
    return json.loads(answer[1])


def test_verify_proves_the_export_and_every_decision(run: Run):
    code, shown = run("verify", "--decisions")
    assert (code, "clean: 15 messages" in shown, "7 decided again, all come out" in shown) == (OK, True, True)
    proof = read(run("verify", "--decisions", "--json"))
    assert (proof["clean"], proof["signed_manifest"], proof["decisions"]["versions"]) == (True, True, {"0.1.0": 7})


def test_verify_shows_the_first_divergence_with_both_sides(run: Run, tmp_path: Path):
    day = prepared()
    forged = replace(day.events[4], limits_version=9)
    day.events[4] = forged
    exported(day, tmp_path, "forged")
    code, shown = run("verify", "--decisions", journal="forged")
    assert (code, "first divergence at sequence 5: demo b" in shown) == (FAILED, True), shown
    assert "limits_version: stored 9, derived 1" in shown
    assert shown.count('"type":"decision.v1"') == 2


def test_what_another_version_decided_differently_is_no_corruption(run: Run, tmp_path: Path):
    day = prepared()
    day.events[4] = replace(day.events[4], limits_version=9, code_version="0.0.9")
    exported(day, tmp_path, "old")
    code, shown = run("verify", "--decisions", journal="old")
    assert code == OK, shown
    assert "1 decided by another version (0.0.9; this is 0.1.0)" in shown
    assert "another version decides differently" in shown
    assert "stored 9, derived 1" in shown


def test_verify_cannot_run_without_anything_signed_and_says_so(run: Run, tmp_path: Path):
    exported(prepared(), tmp_path, "bare", signed=False)
    assert run("verify", journal="bare")[0] == CANNOT_RUN
    code, shown = run("verify", "--unsigned", journal="bare")
    assert (code, "15 are not signed yet" in shown) == (OK, True)
    assert run("verify", journal="nowhere")[0] == CANNOT_RUN
    public_key_path(tmp_path / "home").unlink()
    assert run("verify")[0] == CANNOT_RUN


def test_state_at_a_sequence_is_the_fold_up_to_it(run: Run):
    view = read(run("state", "--at", "4", "--json"))
    assert (view["place"]["seq"], view["trading_state"], view["limits_version"]) == (4, "active", 1)
    assert [(p["symbol"], p["qty"], p["avg_price"]) for p in view["positions"]] == [("AAPL", "10", "100")]
    last = read(run("state", "--json"))
    assert (last["trading_state"], last["halts"], last["kill"]["mode"]) == ("halted", ["kill_switch"], "block_new")
    assert [order["intent_id"] for order in last["open_orders"]] == ["f"]
    code, shown = run("state")
    assert (code, "trading halted (kill_switch)" in shown, "91 AAPL at 100" in shown) == (OK, True, True)


def test_state_at_a_time_counts_what_was_written_up_to_it(run: Run):
    assert read(run("state", "--at", "2026-11-23T15:00:02Z", "--json"))["place"]["seq"] == 3
    assert read(run("state", "--at", "2026-11-22", "--json"))["place"]["seq"] == 0
    assert read(run("state", "--at", "9999", "--json"))["place"]["seq"] == 15
    assert run("state", "--at", "yesterday")[0] == USAGE


def test_diff_names_what_changed_and_nothing_else(run: Run):
    found = read(run("diff", "11", "15", "--json"))["differences"]
    paths = {one["path"]: (one["before"], one["after"]) for one in found}
    assert paths["trading_state"] == ("active", "halted")
    assert paths["limits.max_order_notional_usd"] == ("5000", "1")
    assert "positions[AAPL].qty" not in paths
    assert read(run("diff", "9", "9", "--json"))["differences"] == []
    assert "trading_state" in run("diff", "11", "15")[1]


def test_limits_history_and_diff(run: Run):
    versions = read(run("limits", "history", "--json"))
    assert [(one["version"], one["seq"], one["by"], one["reason"]) for one in versions] == [
        (1, 1, "test", "test"),
        (2, 12, "test", "test"),
    ]
    changes = read(run("limits", "diff", "1", "2", "--json"))["changes"]
    assert {"path": "max_order_notional_usd", "before": "5000", "after": "1"} in changes
    assert "max_order_notional_usd: 5000 -> 1" in run("limits", "diff", "1", "2")[1]
    assert run("limits", "diff", "1")[0] == USAGE
    assert run("limits", "diff", "1", "7")[0] == USAGE


@pytest.mark.parametrize(
    ("words", "seqs"),
    [
        (("--type", "order.filled"), [4, 6, 8, 10]),
        (("--type", "order"), [4, 6, 8, 10]),
        (("--type", "control.limits_set.v1"), [1, 12]),
        (("--correlation", "b"), [5, 6]),
        (("--symbol", "aapl", "--from", "9"), [9, 10, 11, 13, 14]),
        (("--symbol", "MSFT"), []),
        (("--agent", "demo", "--to", "4"), [3, 4]),
        (("--type", "decision", "--from", "2026-11-23T15:00:08Z", "--to", "2026-11-23T15:00:10Z"), [9, 11]),
    ],
)
def test_events_are_found_by_what_they_are_about(run: Run, words: tuple[str, ...], seqs: list[int]):
    code, shown = run("events", *words, "--json")
    assert code == OK
    assert [json.loads(line)["seq"] for line in shown.splitlines()] == seqs


def test_a_timeline_tells_positions_after_fills_and_what_concerns_all(run: Run):
    lines = run("timeline", "--symbol", "AAPL", "--from", "5", "--to", "12")[1].splitlines()
    assert "36 at 100 held then" in lines[1]
    assert "limits version 2" in lines[-1]
    moments = [json.loads(line) for line in run("timeline", "--agent", "nobody", "--json")[1].splitlines()]
    assert [moment["kind"] for moment in moments] == ["control", "broker", "control", "control"]


def test_whatif_with_the_order_limit_halved_names_exactly_what_a_hand_count_gives(run: Run, tmp_path: Path):
    (tmp_path / "half.toml").write_text("[limits]\nmax_order_notional_usd = 2500\n")
    report = read(run("whatif", "--limits", str(tmp_path / "half.toml"), "--to", "11", "--json"))
    assert [(flip["intent_id"], flip["would_be_code"]) for flip in report["flips"]] == [
        ("b", "MAX_ORDER_NOTIONAL"),
        ("d", "MAX_ORDER_NOTIONAL"),
    ]
    assert report["peak_gross"] == {"was_usd": "9100", "would_be_usd": "3500"}
    assert report["assumptions"]
    shown = run("whatif", "--limits", str(tmp_path / "half.toml"), "--from", "7", "--to", "11")[1]
    assert "1 decisions flip" in shown
    assert "demo d submit AAPL: approved -> denied" in shown


@pytest.mark.parametrize("words", [(), ("--to", "9"), ("--propose", " ")])
def test_an_export_takes_no_proposals_and_a_proposal_is_weighed_up_to_now(
    run: Run, tmp_path: Path, words: tuple[str, ...]
):
    (tmp_path / "half.toml").write_text("max_order_notional_usd = 2500")
    assert run("whatif", "--limits", str(tmp_path / "half.toml"), "--propose", "because", *words)[0] == USAGE


@pytest.mark.parametrize("content", ["", "max_nonsense = 1", "max_drawdown_usd = -1", "= broken", "limits = 3"])
def test_a_file_that_holds_no_limits_is_a_usage_error(run: Run, tmp_path: Path, content: str):
    (tmp_path / "bad.toml").write_text(content)
    assert run("whatif", "--limits", str(tmp_path / "bad.toml"))[0] == USAGE


def test_limits_may_come_as_json(run: Run, tmp_path: Path):
    (tmp_path / "l.json").write_text('{"max_daily_trades": 2, "max_order_notional_usd": 0.5}')
    report = read(run("whatif", "--limits", str(tmp_path / "l.json"), "--json"))
    changed = {one["path"]: one["after"] for one in report["changes"]}
    assert (changed["max_order_notional_usd"], changed["max_daily_trades"]) == ("0.5", 2)


def test_a_changed_export_is_refused_by_every_reading_command(run: Run, tmp_path: Path):
    file = tmp_path / "x" / "journal.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"26"', b'"27"'))
    for words in (("state",), ("events",), ("limits", "history"), ("verify",)):
        code, shown = run(*words)
        assert (code, "changed or exchanged" in shown) == (CANNOT_RUN if words == ("verify",) else FAILED, True)


def test_export_of_an_export_gives_the_same_chain(run: Run, tmp_path: Path):
    manifest = read(run("export", str(tmp_path / "again"), "--json"))
    assert manifest["chain_head"] == json.loads((tmp_path / "x" / "manifest.json").read_text())["chain_head"]
    part = read(run("export", str(tmp_path / "part"), "--from", "3", "--to", "2026-11-23T15:00:04Z", "--json"))
    assert (part["first_seq"], part["last_seq"], part["count"]) == (3, 5, 3)
    assert run("export", str(tmp_path / "none"), "--from", "99")[0] == USAGE
    assert run("export", str(tmp_path / "part"))[0] == FAILED

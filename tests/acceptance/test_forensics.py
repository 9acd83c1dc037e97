"""What an operator asks after the fact, with the whole system running: prove, go back, ask what if, carry away."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.running_system import FAST, System, eventually

pytestmark = [pytest.mark.anyio]
CANNOT_RUN, CORRUPT = 2, 1
PROPOSED = "control.limits_proposed"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system that traded a little: two orders filled, one denied, one canceled by the kill switch."""
    running = System(tmp_path_factory.mktemp("forensics") / "home", LOCKGATE_CHECKPOINT_EVERY_MS="200", **FAST)
    running.up()
    running.command("submit", "AAPL", "buy", "10", "--intent-id", "large", "--wait")
    running.command("submit", "AAPL", "buy", "1", "--intent-id", "small", "--wait")
    running.command("submit", "AAPL", "buy", "1000", "--intent-id", "denied", check=False)
    running.command("submit", "AAPL", "buy", "1", "--limit-price", "1.00", "--intent-id", "waits")
    running.command("kill", "--mode", "cancel_all", "--reason", "drill")
    running.command("resume", "--reason", "over")
    yield running
    running.down()


def ask(system: System, *words: str) -> Any:
    return json.loads(system.command(*words, "--json").stdout)


async def all_signed(system: System) -> dict[str, Any]:
    return await eventually(
        lambda: ask(system, "verify"), lambda proof: proof["chain"]["signed_upto_seq"] >= 20, "all of it is signed"
    )


async def test_verify_is_clean_signed_and_all_decisions_derive_again(system: System) -> None:
    proof = await all_signed(system)
    assert (proof["clean"], proof["chain"]["bad_seq"]) == (True, None)
    proof = ask(system, "verify", "--decisions")
    assert (proof["decisions"]["divergences"], proof["decisions"]["decisions"]) == (0, 4)
    keys = [system.home / "credentials" / name for name in ("checkpoint.key", "checkpoint.pub")]
    assert [key.stat().st_mode & 0o777 for key in keys] == [0o600, 0o600]


async def test_checkpoints_that_do_not_fit_or_are_not_there_are_told_by_the_exit_code(
    system: System, tmp_path: Path
) -> None:
    await all_signed(system)
    nothing = system.command("verify", "--checkpoints", str(tmp_path), check=False)
    assert (nothing.returncode, "no signed checkpoint" in nothing.stderr) == (CANNOT_RUN, True)
    kept = next((system.home / "audit" / "checkpoints").iterdir())
    (tmp_path / kept.name).write_bytes(kept.read_bytes().replace(b'"number":1,', b'"number":2,', 1))
    forged = system.command("verify", "--checkpoints", str(tmp_path), check=False)
    assert (forged.returncode, "changed after it was signed" in forged.stdout) == (CORRUPT, True)


async def test_state_diff_and_timeline_go_back_in_time(system: System) -> None:
    fills = [json.loads(line) for line in _lines(system, "events", "--type", "order.filled", "--json")]
    first = fills[0]["seq"]
    before, after = ask(system, "state", "--at", str(first - 1)), ask(system, "state", "--at", str(first))
    assert (before["positions"], after["positions"][0]["symbol"]) == ([], "AAPL")
    changed = {one["path"] for one in ask(system, "diff", str(first - 1), str(first))["differences"]}
    assert "positions[AAPL].qty" in changed
    last = ask(system, "state")
    assert (last["trading_state"], last["positions"][0]["qty"], last["open_orders"]) == ("active", "11", [])
    told = _lines(system, "timeline", "--symbol", "AAPL")
    assert any("held then" in line for line in told)
    assert any("KILL SWITCH" in line for line in told)
    correlated = [json.loads(line) for line in _lines(system, "events", "--correlation", "small", "--json")]
    assert {line["event"]["correlation_id"] for line in correlated} == {"small"}
    assert correlated[-1]["event"]["type"] == "order.filled.v1"


async def test_explain_shows_the_kill_switch_as_the_cause_of_the_cancel(system: System) -> None:
    shown = await eventually(
        lambda: system.command("explain", "waits", check=False).stdout, lambda text: "canceled" in text, "it is told"
    )
    tree = shown[shown.index("because") :].splitlines()
    kill = next(at for at, line in enumerate(tree) if "KILL SWITCH" in line)
    assert "cancel requested" in tree[kill + 1]
    assert "canceled" in tree[kill + 2]


async def test_whatif_names_the_intent_that_a_tighter_limit_stops(system: System, tmp_path: Path) -> None:
    (tmp_path / "tight.toml").write_text("max_order_notional_usd = 1000\n")
    report = ask(system, "whatif", "--limits", str(tmp_path / "tight.toml"), "--propose", "too large")
    assert [(flip["intent_id"], flip["would_be_code"]) for flip in report["flips"]] == [
        ("large", "MAX_ORDER_NOTIONAL")
    ]
    assert report["orders_left_out"] == 1
    (proposed,) = [json.loads(line)["event"] for line in _lines(system, "events", "--type", PROPOSED, "--json")]
    assert (proposed["reason"], proposed["what_if"]["newly_denied"]) == ("too large", 1)
    versions = ask(system, "limits", "history")
    assert [version["by"] for version in versions] == ["configuration"]


async def test_the_journal_is_carried_to_another_home_and_stands_up_there(system: System, tmp_path: Path) -> None:
    manifest = ask(system, "export", str(tmp_path / "x"))
    public_key = str(system.home / "credentials" / "checkpoint.pub")
    elsewhere = System(tmp_path / "elsewhere", **FAST)
    proof = ask(elsewhere, "verify", "--journal", str(tmp_path / "x"), "--public-key", public_key, "--decisions")
    assert (proof["clean"], proof["signed_manifest"]) == (True, True)
    imported = ask(elsewhere, "import", str(tmp_path / "x"), "--public-key", public_key)
    assert imported["chain_head"] == manifest["chain_head"]
    again = elsewhere.command("import", str(tmp_path / "x"), "--public-key", public_key, check=False)
    assert (again.returncode, "events already" in again.stderr) == (1, True)
    elsewhere.up()
    try:
        there = ask(elsewhere, "state", "--at", str(manifest["last_seq"]))
        assert there == ask(system, "state", "--at", str(manifest["last_seq"]))
    finally:
        elsewhere.down()


async def test_a_running_instance_is_never_imported_into(system: System, tmp_path: Path) -> None:
    ask(system, "export", str(tmp_path / "x"))
    refused = system.command("import", str(tmp_path / "x"), check=False)
    assert (refused.returncode, "something runs on" in refused.stderr) == (2, True)


def _lines(system: System, *words: str) -> list[str]:
    return system.command(*words).stdout.splitlines()

"""The `lockgate` command against a running system."""

import json
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.acceptance.running_system import DEADLINE_S, System

PARTS = ["nats", "simulator", "gateway", "risk", "oms", "regime", "audit"]


def status(system: System) -> dict[str, Any]:
    return json.loads(system.command("status", "--json").stdout)


def rows(system: System) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in status(system)["processes"]}


def until(holds: Callable[[], bool], what: str) -> None:
    """Poll until a condition holds, with a deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, f"not within {DEADLINE_S} s: {what}"
        time.sleep(0.1)


def test_status_has_a_row_for_every_process_and_every_address(shared_system: System) -> None:
    found = status(shared_system)
    assert [row["name"] for row in found["processes"]] == PARTS
    assert {row["state"] for row in found["processes"]} == {"ready"}
    assert len({row["pid"] for row in found["processes"]}) == len(PARTS)
    assert found["urls"]["http"] == f"http://127.0.0.1:{shared_system.http_port}"
    assert (found["healthy"], found["account"], found["mode"], found["broker"]) == (
        True,
        "paper",
        "paper",
        "simulator",
    )
    assert all(name in shared_system.command("status").stdout for name in PARTS)


def test_the_gateway_calls_every_process_ready(shared_system: System) -> None:
    code, health = shared_system.http("GET", "/health")
    assert code == 200
    assert {name: process["state"] for name, process in health["processes"].items()} == dict.fromkeys(
        PARTS[2:], "ready"
    )


def test_a_submitted_intent_is_decided_filled_and_explained(shared_system: System) -> None:
    done = shared_system.command("submit", "AAPL", "buy", "2", "--intent-id", "first", "--wait")
    assert "demo first approved: buy 2 AAPL market day" in done.stdout
    assert ", 2 in all" in done.stdout.splitlines()[-1]
    until(lambda: "filled" in explained(shared_system, "first"), "the fill is on the trail")
    story = json.loads(explained(shared_system, "first", "--json"))
    assert story["decision"]["outcome"] == "approved"
    assert sum(int(fill["qty"]) for fill in story["fills"]) == 2


def explained(system: System, *words: str) -> str:
    return system.command("explain", *words, check=False).stdout


def test_the_same_intent_id_again_shows_what_was_decided_the_first_time(shared_system: System) -> None:
    first = shared_system.command("submit", "MSFT", "buy", "1", "--intent-id", "twice", "--json")
    again = shared_system.command("submit", "MSFT", "buy", "5", "--intent-id", "twice", "--json")
    assert json.loads(again.stdout)["repeated"]
    assert json.loads(again.stdout)["decision"] == json.loads(first.stdout)["decision"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("AAPL", "buy", "1000"), "MAX_ORDER_NOTIONAL"),
        (("AAPL", "buy", "-10"), "INVALID_QTY"),
        (("AAPL", "buy", "NaN"), "INVALID_QTY"),
        (("AAPL", "buy", "1e400"), "INVALID_QTY"),
        (("AAPL", "buy", "1", "--limit-price", "0"), "INVALID_PRICE"),
        (("ZZZZ", "buy", "1"), "SYMBOL_NOT_ALLOWED"),
    ],
)
def test_a_denied_intent_ends_in_exit_code_1_and_says_why(
    shared_system: System, words: tuple[str, ...], code: str
) -> None:
    done = shared_system.command("submit", *words, check=False)
    assert (done.returncode, code in done.stdout) == (1, True), done.stdout + done.stderr


def test_an_operator_cancels_an_agents_order(shared_system: System) -> None:
    asked = shared_system.command("submit", "AAPL", "buy", "1", "--limit-price", "1.00", "--json")
    order_id = json.loads(asked.stdout)["decision"]["order_id"]
    done = shared_system.command("cancel", order_id, "--wait")
    assert "canceled (broker)" in done.stdout.splitlines()[-1]


def test_the_kill_switch_works_without_the_gateway(shared_system: System) -> None:
    gateway = rows(shared_system)["gateway"]["pid"]
    os.kill(gateway, signal.SIGSTOP)
    try:
        shared_system.command("kill", "--mode", "cancel_all", "--reason", "drill")
        denied = shared_system.command("submit", "AAPL", "buy", "1", check=False)
        shared_system.command("resume", "--reason", "drill is over")
        approved = shared_system.command("submit", "AAPL", "buy", "1")
    finally:
        os.kill(gateway, signal.SIGCONT)
    assert "KILL_SWITCH" in denied.stdout
    assert "approved" in approved.stdout


def test_tail_shows_every_event_in_order(shared_system: System) -> None:
    lines = shared_system.command("tail", "--from", "1", "--no-follow", "--json").stdout.splitlines()
    records = [json.loads(line) for line in lines]
    assert [record["seq"] for record in records] == list(range(1, len(records) + 1))
    assert records[0]["event"]["type"] == "control.limits_set.v1"
    readable = shared_system.command("tail", "--from", "1", "--no-follow").stdout.splitlines()
    assert readable[0].split()[2:5] == ["control", "limits", "version"]


def test_doctor_finds_nothing_wrong_with_a_running_system(shared_system: System) -> None:
    done = shared_system.command("doctor", "--json", check=False)
    findings = json.loads(done.stdout)["findings"]
    assert [finding for finding in findings if not finding["ok"]] == []
    assert {"JOURNAL_paper", "risk", "nats", "disk"} <= {finding["subject"] for finding in findings}


@pytest.mark.parametrize("victim", ["risk", "regime", "simulator", "nats"])
def test_a_killed_process_is_back_soon_and_it_is_said_so(shared_system: System, victim: str) -> None:
    before = rows(shared_system)[victim]
    shared_system.kill_9(before["pid"])
    until(lambda: rows(shared_system)[victim]["pid"] not in {before["pid"], None}, f"{victim} runs again")
    until(lambda: status(shared_system)["healthy"], "all are ready again")
    restarts = before["restarts"] + 1
    said = (shared_system.home / "logs" / "supervisor.log").read_text()
    assert f"{victim} died (signal 9), restart {restarts} in " in said
    assert f"{victim} is up again" in said


def test_nobody_else_on_the_machine_can_read_the_logs(shared_system: System) -> None:
    modes = {log.name: oct(log.stat().st_mode & 0o777) for log in (shared_system.home / "logs").iterdir()}
    assert "supervisor.log" in modes
    assert set(modes.values()) == {"0o600"}, modes


def test_a_second_supervisor_on_the_same_home_is_refused(shared_system: System) -> None:
    done = shared_system.command("up", "--detach", check=False)
    assert done.returncode == 1
    assert "already runs on" in done.stderr
    assert status(shared_system)["healthy"]


def test_a_taken_port_is_named(shared_system: System, own_system: System) -> None:
    port = str(shared_system.http_port)
    done = own_system.command(
        "up", "--detach", "--http-port", port, "--nats-port", str(own_system.nats_port), check=False
    )
    assert done.returncode == 1
    assert f"already in use on 127.0.0.1: --http-port {port}" in done.stderr


def test_a_second_instance_runs_beside_the_first(shared_system: System, own_system: System) -> None:
    own_system.up()
    assert status(own_system)["healthy"]
    assert status(shared_system)["healthy"]
    own_system.command("submit", "AAPL", "buy", "1", "--intent-id", "only-here", "--wait")
    missing = shared_system.command("explain", "only-here", check=False)
    assert missing.returncode == 1
    own_system.command("down")
    assert status(shared_system)["healthy"]

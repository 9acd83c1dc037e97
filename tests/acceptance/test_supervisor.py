"""What `up` promises: one ready line, order on the way down, nothing lost, nobody left behind."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.acceptance.running_system import DEADLINE_S, LOCKGATE, System
from tests.nats_server import free_port


def is_gone(pid: int) -> bool:
    """Say whether a process has ended; one that nobody has reaped yet counts as ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not all(map(is_gone, pids)):
        assert time.monotonic() < deadline, f"still there: {[pid for pid in pids if not is_gone(pid)]}"
        time.sleep(0.05)


def supervisor_pid(system: System) -> int:
    return json.loads(system.command("status", "--json").stdout)["pid"]


def test_a_second_start_on_other_ports_goes_on_from_the_same_data_with_the_same_keys(own_system: System) -> None:
    line = own_system.up()
    assert line.startswith(f"lockgate ready: http=http://127.0.0.1:{own_system.http_port} ")
    assert f"nats=nats://127.0.0.1:{own_system.nats_port} " in line
    assert " simulator=http://127.0.0.1:" in line
    assert line.count("\n") == 1
    own_system.command("submit", "AAPL", "buy", "3", "--intent-id", "before", "--wait")
    before, pids = own_system.credentials("agent-demo"), own_system.pids()
    assert own_system.command("down").returncode == 0
    assert all(is_gone(pid) for pid in pids.values())
    assert own_system.command("status", check=False).returncode == 3

    own_system.http_port, own_system.nats_port = free_port(), free_port()
    own_system.up()
    addresses = {
        "http_url": f"http://127.0.0.1:{own_system.http_port}",
        "nats_url": f"nats://127.0.0.1:{own_system.nats_port}",
    }
    assert own_system.credentials("agent-demo") == before | addresses
    again = own_system.command("submit", "AAPL", "buy", "3", "--intent-id", "before", "--json")
    assert json.loads(again.stdout)["repeated"]
    code, state = own_system.http("GET", "/v1/state")
    assert code == 200
    assert '"AAPL"' in json.dumps(state)


def test_a_killed_supervisor_leaves_nobody_behind_and_a_new_one_goes_on(own_system: System) -> None:
    own_system.up()
    own_system.command("submit", "AAPL", "buy", "1", "--intent-id", "before", "--wait")
    pids = list(own_system.pids().values())
    os.kill(supervisor_pid(own_system), signal.SIGKILL)
    wait_until_gone(pids)
    assert own_system.command("status", check=False).returncode == 3
    own_system.up()
    again = own_system.command("submit", "AAPL", "buy", "1", "--intent-id", "before", "--json")
    assert json.loads(again.stdout)["repeated"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_in_the_foreground_a_signal_stops_everything_in_order(own_system: System, number: signal.Signals) -> None:
    command = [LOCKGATE, "up", "--home", own_system.home]
    command += ["--http-port", str(own_system.http_port), "--nats-port", str(own_system.nats_port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            if line.startswith("lockgate ready: "):
                process.send_signal(number)
    shown = "\n".join(lines)
    assert process.returncode == 0, shown
    assert "supervisor | stopping" in shown
    assert "\x1b" not in shown
    parts = ["gateway", "risk", "regime", "oms", "audit"]
    stopped = [line.split(" | ")[0].strip() for line in lines if "stopped" in line and line.split(" ")[0] in parts]
    assert stopped == parts


def test_bad_settings_are_named_and_nothing_is_left_running(own_system: System) -> None:
    odd = System(own_system.home, MAX_DAILY_LOSS="a lot")
    done = odd.command("up", "--detach", "--http-port", str(odd.http_port), check=False)
    assert done.returncode == 1
    assert "MAX_DAILY_LOSS" in done.stderr
    assert odd.command("status", check=False).returncode == 3


def test_changed_limits_become_a_numbered_event_and_unchanged_ones_do_not(own_system: System) -> None:
    tighter = System(own_system.home, MAX_ORDER_NOTIONAL="100")
    tighter.http_port, tighter.nats_port = own_system.http_port, own_system.nats_port
    for system in (own_system, own_system, tighter):
        system.up()
        if system is tighter:
            denied = system.command("submit", "AAPL", "buy", "1", check=False)
        lines = system.command("tail", "--from", "1", "--no-follow", "--json").stdout.splitlines()
        system.command("down")
    versions = [
        event["version"] for event in (json.loads(line)["event"] for line in lines) if "limits_set" in event["type"]
    ]
    assert versions == [1, 2]
    assert "MAX_ORDER_NOTIONAL" in denied.stdout

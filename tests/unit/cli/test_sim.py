"""`lockgate sim` against a simulator process."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from services.cli.app import main
from services.cli.outcome import OK, UNREACHABLE, USAGE
from services.simulator.faults_catalogue import KINDS
from tests.unit.simulator.process import RunningSimulator


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home whose simulator runs."""
    home = tmp_path_factory.mktemp("home")
    simulator = RunningSimulator(home / "simulator")
    keys = {"key_id": "KEY", "secret_key": "SECRET", "control_key": "CONTROL"}
    (home / "credentials").mkdir()
    (home / "credentials" / "simulator.json").write_bytes(msgspec.json.encode({**simulator.ready, **keys}))
    yield home
    simulator.close()


def test_a_fault_is_set_listed_and_cleared(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at = ["--home", str(home)]
    given = ["sim", "fault", "drop-update", "--event", "fill,new", "--times", "2", "--probability", "0.5"]
    assert main([*given, *at, "--json"]) == OK
    shown = json.loads(capsys.readouterr().out)
    assert (shown["fault"], shown["event"], shown["times"], shown["hits"]) == ("drop_update", ["fill", "new"], 2, 0)
    assert main(["sim", "fault", "list", *at]) == OK
    told = capsys.readouterr().out
    assert f"{shown['id']} drop_update event=fill,new times=2 probability=0.5  (0 of 0 matches struck)" in told
    assert [name for name in KINDS if f"  {name}" not in told] == []
    assert main(["sim", "fault", "clear", shown["id"], *at]) == OK
    assert main(["sim", "fault", *at]) == OK
    assert "no fault is set" in capsys.readouterr().out


def test_the_clock_may_be_set_back_and_all_cleared(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at = ["--home", str(home)]
    assert main(["sim", "fault", "clock_skew", "--skew-seconds", "-5", *at]) == OK
    assert "skew_seconds=-5" in capsys.readouterr().out
    assert main(["sim", "fault", "clear", *at]) == OK
    assert main(["sim", "fault", "clear", *at]) == OK
    assert "no fault was set" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["drop_updates"], "unknown fault 'drop_updates'; the faults are: accept_then_504"),
        (["drop_update", "--delay-ms", "5"], "drop_update has no option 'delay_ms'; its options are: event"),
        (["clear", "f999"], "no fault 'f999'; those set are: none"),
        (["bust_trade"], "no execution of this run matches"),
    ],
)
def test_a_mistake_is_answered_with_what_is_allowed(
    words: list[str], said: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sim", "fault", *words, "--home", str(home)]) == USAGE
    assert said in capsys.readouterr().err


def test_the_state_shows_the_books(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sim", "state", "--home", str(home)]) == OK
    assert "cash 100000 USD   reserved 0 USD   orders 0" in capsys.readouterr().out


def test_a_simulator_that_is_gone_is_unreachable(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = json.loads((home / "credentials" / "simulator.json").read_bytes())
    (tmp_path / "credentials").mkdir()
    gone = {**found, "control_url": "http://127.0.0.1:1/control"}
    (tmp_path / "credentials" / "simulator.json").write_bytes(msgspec.json.encode(gone))
    assert main(["sim", "state", "--home", str(tmp_path)]) == UNREACHABLE
    assert "no simulator at http://127.0.0.1:1/control" in capsys.readouterr().err

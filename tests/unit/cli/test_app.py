"""The command as a whole: help, usage, exit codes, and what it does when nothing runs."""

import subprocess
import sys
from pathlib import Path

import pytest

from services.cli.app import COMMANDS, main, make_app
from services.cli.outcome import FAILED, OK, UNREACHABLE, USAGE

ROOT = Path(__file__).parents[3]
VERBS = [name for name, *_ in COMMANDS]


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == OK
    shown = capsys.readouterr().out
    assert [verb for verb in VERBS if f"│ {verb}" not in shown] == []
    promised = (
        "up down status submit replace cancel cancel-all close tail explain kill release resume schema doctor bench"
        " sim simulate trips"
    )
    promised += (
        " state diff timeline events limits whatif verify export import projections reconcile mandate approvals"
    )
    assert set(VERBS) == set(promised.split())


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example_and_takes_a_home(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == OK
    shown = capsys.readouterr().out
    assert f"\n lockgate {verb}" in shown
    assert "--home" in shown


def test_asking_for_help_imports_no_verb() -> None:
    code = (
        "import sys; from services.cli.app import main; main(['--help']);"
        "sys.exit(sorted(m for m in sys.modules if m.startswith(('nats', 'aiohttp', 'services.cli.s'))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["kill"],
        ["kill", "--mode", "explode", "--reason", "x"],
        ["kill", "--reason", "  "],
        ["kill", "--reason", "x", "--scope", "everything"],
        ["release", "--reason", "  "],
        ["trips", "reset", "account", "throttles"],
        ["trips", "mend"],
        ["reconcile", "--accept", "AAPL"],
        ["mandate", "grant", "demo"],
        ["mandate", "grant", "_operator", "--reason", "x"],
        ["mandate", "show"],
        ["mandate", "revoke", "demo", "--budget", "5", "--reason", "x"],
        ["approvals", "approve", "--reason", "x"],
        ["approvals", "approve", "i"],
        ["submit", "AAPL", "hold", "10"],
        ["submit", "AAPL", "buy", "ten"],
        ["submit", "AAPL", "buy", "10", "--limit-price", "high"],
        ["submit", "AAPL", "buy", "10", "--intent-id", "no spaces"],
        ["submit", "AAPL", "buy"],
        ["submit", "AAPL", "buy", "10", "--notional", "500"],
        ["submit", "AAPL", "buy", "10", "--stop-loss-limit", "500"],
        ["submit", "AAPL", "buy", "10", "--class", "iceberg"],
        ["replace", "lg-abc", "--qty", "ten"],
        ["close", "AAPL", "--percent", "half"],
        ["up", "--http-port", "x"],
        ["schema", "nonsense"],
        ["sim", "explode"],
        ["sim", "state", "of", "affairs"],
        ["sim", "fault", "list", "--event", "fill"],
        ["sim", "fault", "drop_update", "fill"],
    ],
)
def test_a_mistake_on_the_line_is_a_usage_error(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCKGATE_HOME", str(tmp_path))
    assert main(words) == USAGE


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["submit", "AAPL", "buy", "-10"],
        ["submit", "AAPL", "sell", "10", "--class", "oco", "--take-profit", "199", "--stop-loss", "180"],
        ["replace", "lg-abc", "--qty", "5"],
        ["cancel", "lg-abc"],
        ["cancel-all", "--symbol", "aapl"],
        ["close", "AAPL", "--percent", "50"],
        ["tail"],
        ["kill", "--mode", "cancel_all", "--reason", "x"],
        ["release", "--reason", "x"],
        ["resume", "--reason", "x"],
        ["trips", "list"],
        ["trips", "reset", "account", "throttles", "--reason", "x"],
        ["mandate", "grant", "demo", "--reason", "x"],
        ["mandate", "list"],
        ["approvals", "list"],
        ["approvals", "approve", "i", "--reason", "x"],
        ["sim", "state"],
        ["sim", "fault", "drop_update"],
    ],
)
def test_where_nothing_runs_a_command_says_so(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--home", str(tmp_path)]) == UNREACHABLE
    assert "lockgate up" in capsys.readouterr().err


def test_stopping_what_does_not_run_is_fine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["down", "--home", str(tmp_path)]) == OK
    assert "nothing runs" in capsys.readouterr().out


def test_doctor_finds_what_is_open_to_others_and_says_how_to_close_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = tmp_path / "credentials" / "operator.json"
    secret.parent.mkdir(mode=0o700)
    secret.write_text("{}")
    tmp_path.chmod(0o700)
    secret.chmod(0o644)
    assert main(["doctor", "--home", str(tmp_path)]) == FAILED
    assert f"-> chmod 600 {secret}" in capsys.readouterr().out


def test_doctor_names_the_setting_that_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_DAILY_LOSS", "lots")
    assert main(["doctor", "--home", str(tmp_path)]) == FAILED
    assert "MAX_DAILY_LOSS" in capsys.readouterr().out


def test_the_version_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    make_app().version_print()
    assert capsys.readouterr().out.strip() == "0.1.0"

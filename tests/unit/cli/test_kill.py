"""`lockgate kill` and `release` where nothing answers: the kill file, and what stands in the way of a release."""

from pathlib import Path

import msgspec
import pytest

from contracts.enums import KillMode
from services.cli.app import main
from services.cli.credential_files import Participant, operator_path
from services.cli.outcome import FAILED, OK, UNREACHABLE
from services.runtime.kill_file import KillFile
from tests.nats_server import free_port


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home whose NATS is down."""
    who = Participant(
        account="paper",
        agent="_operator",
        http_url="http://127.0.0.1:1",
        api_key="k.s",
        nats_url=f"nats://127.0.0.1:{free_port()}",
        nkey_seed="SU",
        inbox_prefix="_INBOX_operator",
    )
    path = operator_path(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_bytes(msgspec.json.encode(who))
    return tmp_path


def test_a_kill_that_finds_no_nats_makes_the_kill_file(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kill", "flatten", "--reason", "no link", "--home", str(home)]) == OK
    word = KillFile(home).read()
    assert word is not None
    assert (word.mode, word.reason.startswith("no link (operator ")) == (KillMode.FLATTEN, True)
    assert "remove the file, then `lockgate release" in capsys.readouterr().out


def test_the_kill_file_is_made_when_asked_for(home: Path) -> None:
    assert main(["kill", "--file", "--mode", "cancel_all", "--reason", "drill", "--home", str(home)]) == OK
    assert KillFile(home).is_there()


def test_a_scope_cannot_be_said_by_a_file(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kill", "--scope", "agent.demo", "--reason", "x", "--home", str(home)]) == FAILED
    assert "the whole account" in capsys.readouterr().err
    assert not KillFile(home).is_there()


def test_a_release_is_refused_while_the_kill_file_is_there(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    KillFile(home).write(KillMode.BLOCK_NEW, "x")
    assert main(["release", "--reason", "fine", "--home", str(home)]) == FAILED
    assert "remove it first" in capsys.readouterr().err
    assert main(["release", "--scope", "agent.demo", "--reason", "fine", "--home", str(home)]) == UNREACHABLE

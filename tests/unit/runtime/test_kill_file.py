"""What a kill file says, and that a word once seen is not lost with the file."""

from pathlib import Path

import pytest

from contracts.enums import KillMode
from services.runtime.kill_file import FileWord, KillFile


@pytest.mark.parametrize(
    ("text", "mode", "reason"),
    [
        ("", KillMode.CANCEL_ALL, "no reason given"),
        ("flatten\n", KillMode.FLATTEN, "no reason given"),
        ("block_new strange fills\n", KillMode.BLOCK_NEW, "strange fills"),
        ("strange fills", KillMode.CANCEL_ALL, "strange fills"),
        ("FLATTEN now", KillMode.CANCEL_ALL, "FLATTEN now"),
    ],
)
def test_a_kill_file_says_a_mode_and_a_reason_and_empty_means_cancel_all(
    tmp_path: Path, text: str, mode: KillMode, reason: str
):
    (tmp_path / "KILL").write_text(text)
    assert KillFile(tmp_path).read() == FileWord(mode, reason)


def test_what_cannot_be_understood_halts(tmp_path: Path):
    (tmp_path / "KILL").write_bytes(b"\xff\x00\xfe")
    word = KillFile(tmp_path).read()
    assert word is not None
    assert word.mode is KillMode.CANCEL_ALL


def test_a_kill_file_that_is_a_folder_halts(tmp_path: Path):
    (tmp_path / "KILL").mkdir()
    word = KillFile(tmp_path).read()
    assert word is not None
    assert "cannot be read" in word.reason


def test_no_file_says_nothing(tmp_path: Path):
    assert KillFile(tmp_path).read() is None


def test_a_word_that_was_seen_outlives_its_file_until_it_is_on_record(tmp_path: Path):
    (tmp_path / "run").mkdir()
    file = KillFile(tmp_path)
    file.write(KillMode.FLATTEN, "going home")
    word = file.read()
    assert word == FileWord(KillMode.FLATTEN, "going home")
    file.keep(word)
    file.path.unlink()
    assert not file.is_there()
    assert KillFile(tmp_path).read() == word
    file.is_on_record()
    assert file.read() is None

"""Log files that cannot fill the disk."""

import errno
import os
from pathlib import Path

import pytest

from services.supervisor.logfile import OLDER_FILES_KEPT, LogFile, last_lines


def test_a_log_keeps_lines_in_order(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "risk.log")
    for word in ("one", "two", "three"):
        log.write(word)
    log.close()
    assert (tmp_path / "risk.log").read_text() == "one\ntwo\nthree\n"


def test_a_log_goes_on_after_what_an_earlier_start_wrote(tmp_path: Path) -> None:
    for word in ("first", "second"):
        log = LogFile(tmp_path / "risk.log")
        log.write(word)
        log.close()
    assert last_lines(tmp_path / "risk.log", 5) == ["first", "second"]


def test_a_log_takes_bounded_room_whatever_is_written(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "risk.log", bytes_max=100)
    for number in range(200):
        log.write(f"line {number:04}")
    log.close()
    files = sorted(tmp_path.iterdir())
    assert len(files) == 1 + OLDER_FILES_KEPT
    assert all(file.stat().st_size <= 100 for file in files)
    assert last_lines(tmp_path / "risk.log", 1) == ["line 0199"]
    assert (tmp_path / "risk.log.1").read_text() < (tmp_path / "risk.log").read_text()


def test_a_line_longer_than_the_limit_is_still_written(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "risk.log", bytes_max=10)
    log.write("x" * 50)
    log.close()
    assert last_lines(tmp_path / "risk.log", 1) == ["x" * 50]


def test_a_log_is_for_its_owner_only(tmp_path: Path) -> None:
    LogFile(tmp_path / "risk.log").close()
    assert (tmp_path / "risk.log").stat().st_mode & 0o777 == 0o600


def test_a_full_disk_loses_lines_but_says_how_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = LogFile(tmp_path / "risk.log")

    def full(_descriptor: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "write", full)
        log.write("lost")
        log.write("lost too")
    log.write("written")
    log.close()
    assert (tmp_path / "risk.log").read_text() == "... 2 lines were lost here\nwritten\n"


def test_a_missing_log_has_no_last_lines(tmp_path: Path) -> None:
    assert last_lines(tmp_path / "none.log", 5) == []

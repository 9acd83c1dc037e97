"""`lockgate whatif` on an export of a day that was made by hand."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.audit.signing import signer_of
from services.cli.app import main
from services.cli.outcome import OK
from tests.prepared_day import Day

type Run = Callable[..., tuple[int, str]]


def whatif_on(day: Day, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Give a command that takes the text of a file and words; it answers with the exit code and what was shown."""
    monkeypatch.setenv("LOCKGATE_HOME", str(folder / "home"))
    asyncio.run(day.export(folder / "x", signer_of(folder / "home")))

    def command(text: str, *words: str, suffix: str = "toml") -> tuple[int, str]:
        file = folder / f"tried.{suffix}"
        file.write_text(text)
        code = main(["whatif", "--limits", str(file), "--journal", str(folder / "x"), *words])
        shown = capsys.readouterr()
        return code, shown.out + shown.err

    return command


def report_of(answer: tuple[int, str]) -> Any:
    """Read the report of an answer in JSON."""
    assert answer[0] == OK, answer[1]
    return json.loads(answer[1])


def turned(report: Any) -> list[tuple[str, str, str | None]]:
    """Give what flips: the intent, what it would be, and by which code."""
    return [(flip["intent_id"], flip["would_be"], flip["would_be_code"]) for flip in report["flips"]]

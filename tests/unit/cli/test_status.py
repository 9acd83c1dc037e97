"""What `lockgate status` makes of what it is told."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from rich.console import Console

from services.cli.instance import ProcessRecord, Urls
from services.cli.probe import ProcessStatus, Said, Status, process_status
from services.cli.status import duration, table_of, trading_lines

NOW = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
STARTED = NOW - timedelta(seconds=90)
RISK = ProcessRecord(name="risk", pid=7, started_at=STARTED, restarts=2)
READY = {"pid": "7", "state": "ready"}


def said(metadata: dict[str, str], **data: object) -> Said:
    return Said(name="risk", metadata=metadata, data=data)


def test_lag_is_what_the_journal_has_and_the_process_has_not_folded() -> None:
    found = process_status(RISK, said(READY, seq=95), {}, 100, NOW)
    assert (found.state, found.seq, found.lag, found.restarts) == ("ready", 95, 5, 2)
    assert found.uptime_s == 90


@pytest.mark.parametrize(
    ("record", "answer", "knocked", "state"),
    [
        (RISK, None, {}, "silent"),
        (RISK, said({"pid": "6", "state": "ready"}), {}, "silent"),
        (RISK, said({"pid": "7", "state": "starting"}), {}, "starting"),
        (ProcessRecord(name="risk", pid=None, started_at=None), None, {}, "dead"),
        (ProcessRecord(name="nats", pid=3, started_at=STARTED), None, {"nats": True}, "ready"),
        (ProcessRecord(name="nats", pid=3, started_at=STARTED), None, {"nats": False}, "silent"),
    ],
)
def test_a_state_is_what_this_very_process_says_of_itself(
    record: ProcessRecord, answer: Said | None, knocked: dict[str, bool], state: str
) -> None:
    assert process_status(record, answer, knocked, None, NOW).state == state


def test_a_process_that_names_no_sequence_has_no_lag() -> None:
    found = process_status(RISK, said(READY), {}, 100, NOW)
    assert (found.seq, found.lag) == (None, None)


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "-"), (0, "0s"), (59, "59s"), (61, "1m01s"), (3600, "1h00m"), (90_061, "25h01m")]
)
def test_durations_are_short(seconds: int | None, text: str) -> None:
    assert duration(seconds) == text


def test_what_may_not_trade_freely_is_told_with_why_and_the_accounts_causes_once() -> None:
    trading = {
        "account": ["reduce_only", "audit_blind"],
        "agent.demo": ["reduce_only", "audit_blind"],
        "agent.noisy": ["reduce_only", "trip reject_streak", "audit_blind"],
    }
    risk = process_status(RISK, said(READY, trading=trading), {}, 100, NOW)
    urls = Urls(http="h", openapi="o", nats="n")
    found = Status(
        healthy=True,
        account="paper",
        mode="paper",
        broker="simulator",
        home="/h",
        pid=1,
        journal_seq=5,
        urls=urls,
        processes=(risk,),
    )
    assert list(trading_lines(found)) == [
        "trading reduce_only for account: audit_blind",
        "trading reduce_only for agent.noisy: trip reject_streak, audit_blind",
    ]
    assert list(trading_lines(msgspec.structs.replace(found, processes=()))) == []


def test_every_process_has_a_row() -> None:
    rows = (
        ProcessStatus(name="nats", pid=3, state="ready", uptime_s=61, restarts=0),
        ProcessStatus(name="risk", pid=None, state="dead", uptime_s=None, restarts=4),
    )
    urls = Urls(http="h", openapi="o", nats="n")
    status = Status(
        healthy=False,
        account="paper",
        mode="paper",
        broker="simulator",
        home="/h",
        pid=1,
        journal_seq=None,
        urls=urls,
        processes=rows,
    )
    console = Console(width=100, color_system=None)
    with console.capture() as capture:
        console.print(table_of(status))
    lines = [line.split() for line in capture.get().splitlines()]
    assert ["nats", "ready", "3", "1m01s", "0", "-", "-"] in lines
    assert ["risk", "dead", "-", "-", "4", "-", "-"] in lines

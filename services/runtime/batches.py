"""Takes an endless stream in lists, so that work which costs per batch is done per batch, and silence is noticed."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager


class StreamEndedError(Exception):
    """A stream that should never end did."""


class Batches[T]:
    """What has come of a stream and was not yet taken; a task reads ahead by at most two batches."""

    def __init__(self, stream: AsyncIterator[T], *, size: int, gather_ms: int, idle_ms: int) -> None:
        """Begin to read; see `in_batches`."""
        self._size = size
        self._gather_ms = gather_ms
        self._idle_ms = idle_ms
        self._items: deque[T] = deque()
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._reader = asyncio.get_running_loop().create_task(self._read(stream))
        self._reader.add_done_callback(lambda _: self._arrived.set())

    async def next(self) -> list[T]:
        """Give up to `size` items, or an empty list after a silence; raise what ended the stream."""
        if not await self._something():
            return []
        if self._gather_ms and len(self._items) < self._size and not self._reader.done():
            await asyncio.sleep(self._gather_ms / 1000)
        batch = [self._items.popleft() for _ in range(min(self._size, len(self._items)))]
        self._room.set()
        if not batch:
            self._reader.result()
            raise StreamEndedError
        return batch

    async def close(self) -> None:
        """Stop reading."""
        self._reader.cancel()
        await asyncio.wait({self._reader})

    async def _something(self) -> bool:
        if self._items or self._reader.done():
            return True
        self._arrived.clear()
        try:
            async with asyncio.timeout(self._idle_ms / 1000):
                await self._arrived.wait()
        except TimeoutError:
            return False
        return True

    async def _read(self, stream: AsyncIterator[T]) -> None:
        try:
            async for item in stream:
                self._items.append(item)
                self._arrived.set()
                if len(self._items) >= 2 * self._size:
                    self._room.clear()
                    await self._room.wait()
        finally:
            # Left to the garbage collector, a reader of the server would go on being fed.
            if isinstance(stream, AsyncGenerator):
                await stream.aclose()


@asynccontextmanager
async def in_batches[T](
    stream: AsyncIterator[T], *, size: int, gather_ms: int, idle_ms: int
) -> AsyncGenerator[Batches[T], None]:
    """Read a stream in lists of at most `size` items, each gathered for at most `gather_ms` after its first item.

    `Batches.next` gives an empty list when nothing came for `idle_ms`.
    """
    batches = Batches(stream, size=size, gather_ms=gather_ms, idle_ms=idle_ms)
    try:
        yield batches
    finally:
        await batches.close()

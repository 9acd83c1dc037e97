"""A stream in lists: nothing lost, nothing reordered, silence noticed, failures handed on."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.runtime.batches import StreamEndedError, in_batches


async def numbers(count: int, *, then: BaseException | None = None) -> AsyncIterator[int]:
    for number in range(count):
        yield number
    if then is not None:
        raise then
    await asyncio.Event().wait()


@pytest.mark.anyio
async def test_batches_hold_everything_in_order_and_no_more_than_their_size():
    async with in_batches(numbers(25), size=10, gather_ms=1, idle_ms=20) as batches:
        got = [await batches.next() for _ in range(4)]
    assert [len(batch) for batch in got] == [10, 10, 5, 0]
    assert [*got[0], *got[1], *got[2]] == list(range(25))


@pytest.mark.anyio
async def test_silence_gives_an_empty_batch_and_the_stream_goes_on_after_it():
    queue: asyncio.Queue[str] = asyncio.Queue()

    async def from_queue() -> AsyncIterator[str]:
        while True:
            yield await queue.get()

    async with in_batches(from_queue(), size=10, gather_ms=0, idle_ms=1) as batches:
        assert await batches.next() == []
        queue.put_nowait("late")
        assert await batches.next() == ["late"]


@pytest.mark.anyio
async def test_what_came_before_a_failure_is_given_before_the_failure():
    async with in_batches(numbers(3, then=LookupError("gone")), size=10, gather_ms=0, idle_ms=1000) as batches:
        assert await batches.next() == [0, 1, 2]
        with pytest.raises(LookupError, match="gone"):
            await batches.next()


@pytest.mark.anyio
async def test_a_stream_that_ends_is_a_failure():
    async def ended() -> AsyncIterator[int]:
        return
        yield

    async with in_batches(ended(), size=10, gather_ms=0, idle_ms=1000) as batches:
        with pytest.raises(StreamEndedError):
            await batches.next()


@pytest.mark.anyio
async def test_reading_ahead_is_bounded_and_ends_with_the_block():
    taken = 0
    closed = asyncio.Event()

    async def endless() -> AsyncIterator[int]:
        nonlocal taken
        try:
            while True:
                taken += 1
                yield taken
        finally:
            closed.set()

    async with in_batches(endless(), size=10, gather_ms=0, idle_ms=1000) as batches:
        for expected in range(3):
            assert (await batches.next())[0] == expected * 10 + 1
        assert taken <= 50
    async with asyncio.timeout(5):
        await closed.wait()

"""Following a stream through the library's blocking iterator."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from eventsourcing.persistence import ApplicationRecorder, Notification, Subscription

from services.runtime.nats_wire import subject_text
from services.runtime.ordered import OrderedReader
from services.runtime.recorder import messages

if TYPE_CHECKING:
    from services.runtime.recorder.recorders import JetStreamApplicationRecorder


class JetStreamSubscription(Subscription[ApplicationRecorder]):
    """Yields what stands after an id, then what comes; `stop` ends it from any thread.

    The server's flow control bounds what waits here; a lost link heals by itself, without a gap.
    """

    def __init__(self, recorder: "JetStreamApplicationRecorder", gt: int | None, topics: Sequence[str]) -> None:
        """Prepare; the server is asked when the first event is wanted."""
        super().__init__(recorder, gt, topics)
        self._thread = recorder.thread
        log = recorder.log
        self._reader = OrderedReader(log.connection, log.stream, gt or 0, subject=recorder.filter)
        self._is_open = False
        self._stopped = asyncio.Event()
        self._came: deque[Notification] = deque()

    def __exit__(self, *args: object, **kwargs: Any) -> None:
        """Stop, and end the subscription at the server."""
        super().__exit__(*args, **kwargs)
        if self._is_open:
            self._is_open = False
            self._thread.call(self._reader.__aexit__())

    def stop(self) -> None:
        """End the iteration; one that waits for the next event ends at once."""
        super().stop()
        if not self._thread.loop.is_closed():
            self._thread.loop.call_soon_threadsafe(self._stopped.set)

    def __next__(self) -> Notification:
        """Give the next event, waiting for it if need be."""
        while not self._has_been_stopped:
            if self._came:
                return self._came.popleft()
            self._came.extend(self._thread.call(self._next(), within_s=None))
        raise StopIteration

    async def _next(self) -> list[Notification]:
        if not self._is_open:
            await self._reader.__aenter__()
            self._is_open = True
        coming = asyncio.ensure_future(self._reader.next_batch())
        stopping = asyncio.ensure_future(self._stopped.wait())
        try:
            await asyncio.wait({coming, stopping}, return_when=asyncio.FIRST_COMPLETED)
            delivered = coming.result() if coming.done() else []
        finally:
            coming.cancel()
            stopping.cancel()
        came = (messages.notification(seq, subject_text(told), body) for seq, _, told, body, _ in delivered)
        return [one for one in came if not self._topics or one.topic in self._topics]

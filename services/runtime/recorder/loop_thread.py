"""An event loop on a thread of its own: the way from the library's blocking calls to our asynchronous ports."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError
from typing import Any

from eventsourcing.persistence import InterfaceError, OperationalError

from services.runtime.ports import JournalUnavailableError
from services.runtime.stream_api import RefusedError

CALL_S_MAX = 30.0
"""How long one call of the library may wait for NATS, reconnections included."""


class LoopThread:
    """One loop, one daemon thread; calls may come from any number of threads."""

    def __init__(self) -> None:
        """Start the thread."""
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="lockgate-recorder", daemon=True)
        self._thread.start()

    def call[T](self, work: Coroutine[Any, Any, T], *, within_s: float | None = CALL_S_MAX) -> T:
        """Run work on the loop and wait for what it gives; what NATS cannot do becomes the library's own errors."""
        if not self._thread.is_alive():
            work.close()
            raise InterfaceError("the recorder is closed")
        future = asyncio.run_coroutine_threadsafe(_bounded(work, within_s), self.loop)
        try:
            return future.result()
        except TimeoutError as error:
            raise OperationalError(f"no answer from NATS within {within_s} s") from error
        except (JournalUnavailableError, RefusedError) as error:
            raise OperationalError(str(error)) from error
        except CancelledError as error:
            raise InterfaceError("the recorder was closed meanwhile") from error

    def close(self) -> None:
        """Cancel what still runs and end the thread; further calls do nothing."""
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            left = asyncio.all_tasks(self.loop)
            for task in left:
                task.cancel()
            self.loop.run_until_complete(_settled(left))
            self.loop.close()


async def _bounded[T](work: Coroutine[Any, Any, T], within_s: float | None) -> T:
    async with asyncio.timeout(within_s):
        return await work


async def _settled(tasks: set[asyncio.Task[Any]]) -> None:
    """Let what was cancelled end, and closed links be told so."""
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()
    await asyncio.sleep(0)

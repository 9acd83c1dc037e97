"""An event loop on virtual time: waiting costs nothing, and the same program runs the same way every time.

Two things make asyncio differ from run to run: the clock, and sets of tasks and futures, which iterate by memory
address. Here time leaps to the next timer, and tasks and futures are numbered and hash by their number.

Everything belongs to a body, named in the context it runs in. A body that is frozen gets nothing done: its callbacks
are parked, so it can stop at any await, with no `finally` of its run, as a process does that is killed or paused.
"""

import asyncio
import contextlib
from asyncio import events
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any

from services.runtime.process import is_temporary

STEPS_MAX = 3_000_000
"""A run that needs more loop iterations than this is going round in circles."""


class Body:
    """Something that runs and can be frozen: a process."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.parked: list[events.Handle] | None = None
        self.context = copy_context()
        self.context.run(BODY.set, self)


BODY: ContextVar[Body | None] = ContextVar("BODY", default=None)


class StuckError(Exception):
    """Nothing is left that could ever happen, or things happen for ever."""


class _Leap:
    """Where a selector would wait for the network: time leaps to the next timer."""

    def __init__(self, loop: "VirtualLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        self._loop.steps_left -= 1
        if timeout is None or self._loop.steps_left < 0:
            raise StuckError("nothing is left to wait for" if timeout is None else "this goes on for ever")
        if timeout > 0:
            self._loop.leap()
        return []

    def close(self) -> None:
        """Nothing is open."""


class NumberedFuture(asyncio.Future[Any]):
    """A future whose place in a set does not depend on where it lies in memory."""

    def __init__(self, number: int, loop: asyncio.AbstractEventLoop) -> None:
        self.number = number
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self.number


class NumberedTask(asyncio.Task[Any]):
    """A task whose place in a set does not depend on where it lies in memory."""

    def __init__(self, number: int, *arguments: Any, **named: Any) -> None:
        self.number = number
        super().__init__(*arguments, **named)

    def __hash__(self) -> int:
        return self.number


class VirtualLoop(asyncio.BaseEventLoop):
    """The loop; `time()` is seconds since the run began."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self.steps_left = STEPS_MAX
        self._selector = _Leap(self)
        self._clock_resolution = 1e-9
        self._number = 0
        self._unfinished: dict[int, NumberedTask] = {}
        self._bodies: list[Body] = []
        self.outside = copy_context()
        """The context of what belongs to no body: the network, the servers, the world."""
        self.complaints: list[str] = []
        self.set_exception_handler(lambda _, facts: self._complain(facts))
        self.set_task_factory(self._make_task)

    def time(self) -> float:
        return self._now

    def leap(self) -> None:
        """Move to the next timer."""
        self._now = max(self._now, self._scheduled[0]._when)

    def embody(self, body: Body, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Let a body begin to live."""
        self._bodies.append(body)
        return self.create_task(work, context=body.context)

    def at(self, when: float, act: Callable[..., object], *arguments: Any) -> events.TimerHandle:
        """Do something at a time, outside of every body."""
        return self.call_at(when, act, *arguments, context=self.outside)

    def freeze(self, body: Body) -> None:
        """Stop a body where it stands."""
        body.parked = [] if body.parked is None else body.parked

    def thaw(self, body: Body) -> None:
        """Let a body go on: everything that waited for it happens now, in the order in which it came."""
        parked, body.parked = body.parked or [], None
        self._ready.extend(parked)

    def create_future(self) -> NumberedFuture:
        self._number += 1
        return NumberedFuture(self._number, self)

    def unwind(self) -> None:
        """End every task there is, those of frozen bodies too, so that nothing is left over."""
        for _ in range(100):
            unfinished = list(self._unfinished.values())
            if not unfinished:
                break
            for task in unfinished:
                task.cancel()
            for body in self._bodies:
                self.thaw(body)
            self.run_until_complete(_pass())
        self.run_until_complete(self.shutdown_asyncgens())
        self.close()

    def _make_task(self, loop: asyncio.AbstractEventLoop, coro: Any, **named: Any) -> NumberedTask:
        self._number += 1
        number = self._number
        task = NumberedTask(number, coro, loop=loop, **named)
        self._unfinished[number] = task
        task.add_done_callback(self._finished, context=self.outside)
        return task

    def _finished(self, task: asyncio.Future[Any]) -> None:
        del self._unfinished[hash(task)]

    def _call_soon(self, callback: Any, args: Any, context: Context | None) -> events.Handle:
        handle = events.Handle(callback, args, self, context)
        body = handle._context.get(BODY)
        if body is None or body.parked is None:
            self._ready.append(handle)
        else:
            body.parked.append(handle)
        return handle

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> events.TimerHandle:
        context = copy_context() if context is None else context
        body = context.get(BODY)
        if body is None:
            return super().call_at(when, callback, *args, context=context)
        rung: list[events.TimerHandle] = []
        timer = super().call_at(when, self._due, body, rung, callback, args, context=context)
        rung.append(timer)
        return timer

    def _due(self, body: Body, rung: list[events.TimerHandle], callback: Any, args: Any) -> None:
        """Do what a timer was set for, or let it wait for its body; it can be cancelled until it is done."""
        if body.parked is not None:
            body.parked.append(events.Handle(self._due, (body, rung, callback, args), self, body.context))
        elif not rung[0].cancelled():
            callback(*args)

    def _complain(self, facts: dict[str, Any]) -> None:
        """Keep what nobody caught, except for what would have ended a process that was dead already."""
        error = facts.get("exception")
        if not isinstance(error, BaseException) or not is_temporary(error):
            self.complaints.append(f"{facts.get('message')}: {error!r}")

    def _process_events(self, event_list: Any) -> None:
        """There is no network."""

    def _write_to_self(self) -> None:
        """There are no threads."""


async def _pass() -> None:
    with contextlib.suppress(asyncio.CancelledError):
        for _ in range(50):
            await asyncio.sleep(0)

"""What is due when: a queue of steps in order of time."""

import heapq
from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import IntEnum

from services.simulator.core.orders import Ticket


class Step(IntEnum):
    """What is due to happen to an order; at the same instant the lower number goes first."""

    ACK = 1
    ROUTE = 2
    REPLACE = 3
    MATCH = 4
    CANCEL = 5
    EXPIRE = 6
    DAY_END = 7
    DAY_START = 8


def later(now: datetime, ms: int) -> datetime:
    """Return the time so many milliseconds after."""
    return now + timedelta(milliseconds=ms)


class Schedule:
    """Steps of orders by the time they are due."""

    def __init__(self) -> None:
        """Start with nothing due."""
        self._due: list[tuple[datetime, int, int, str]] = []
        self._order = 0

    def clear(self) -> None:
        """Forget everything that is due."""
        self._due.clear()

    def plan(self, due: datetime, step: Step, ticket: Ticket) -> None:
        """Remember that a step of an order is due."""
        self._order += 1
        heapq.heappush(self._due, (due, int(step), self._order, ticket.order.id))

    def next_due(self) -> datetime | None:
        """Return when the next step is due."""
        return self._due[0][0] if self._due else None

    def take(self, now: datetime) -> Iterator[tuple[Step, str]]:
        """Yield every step due by now with its order's id, in order of time, also those planned meanwhile."""
        while self._due and self._due[0][0] <= now:
            _, step, _, order_id = heapq.heappop(self._due)
            yield Step(step), order_id

"""Compares our clock with the broker's, again and again, and records how they stand to each other.

Risk takes no new risk while they are apart, or while nobody has compared them for long: the age of every quote and
the day of every limit is read off our clock.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Any

from contracts.broker import ClockCompared
from contracts.limits import LimitSet
from projections.health import CLOCK_AGE_MAX_MS, CLOCK_DOUBTFUL_EVERY_MS, HealthGate, ailments, excess_ms
from services.oms.brokers.port import Broker, BrokerUnreachableError
from services.oms.core import OmsCore
from services.oms.desk import OrderDesk
from services.runtime.ports import Clock

COMPARE_EVERY_MS_MAX = CLOCK_AGE_MAX_MS // 3
"""However seldom the settings want it: a comparison and one that failed fit into the age that risk allows."""
RETRY_AFTER_MS = 2_000
RECORD_EVERY = timedelta(milliseconds=CLOCK_AGE_MAX_MS // 2)
"""A comparison that finds nothing new is recorded when the last one on record is this old."""
MOVED_MS = 100
"""So much further apart, beyond what the round trips may hide, is news."""
ROUNDING_MS = 2
_US = timedelta(microseconds=1)


class ClockWatch:
    """One account's comparisons of clocks."""

    def __init__(self, broker: Broker, desk: OrderDesk, core: OmsCore, clock: Clock, every_ms: int) -> None:
        """Stand between the desk and the broker."""
        self.looked = asyncio.Event()
        """What the broker's clock says is on record."""
        self.skew_ms: int | None = None
        self._broker = broker
        self._desk = desk
        self._core = core
        self._clock = clock
        self._every_ms = min(every_ms, COMPARE_EVERY_MS_MAX)

    async def run(self, log: Any) -> None:
        """Compare for ever."""
        while True:
            wait_ms = RETRY_AFTER_MS
            try:
                if await self.look():
                    wait_ms = self.pause_ms()
                else:
                    log.warning("the broker answers too slowly to compare clocks")
            except BrokerUnreachableError as error:
                log.warning("the broker does not tell its time", detail=error.detail)
                wait_ms = max(RETRY_AFTER_MS, error.retry_after_ms or 0)
            await asyncio.sleep(wait_ms / 1000)

    async def look(self) -> bool:
        """Compare once and record what is new; False when the round trip was too long to tell."""
        seen = await self._compared()
        account = self._core.state.account
        if not is_conclusive(seen, account.limits):
            return False
        self.skew_ms = seen.skew_ms
        if is_news(account.guard.health.clock, seen, account.limits):
            await self._desk.append(seen)
            await self._desk.all_read()
        self.looked.set()
        return True

    async def _compared(self) -> ClockCompared:
        asked_ms = self._clock.monotonic_ms()

        def goes() -> bool:
            nonlocal asked_ms
            asked_ms = self._clock.monotonic_ms()  # the wait for its turn is no part of the way
            return True

        theirs = (await self._broker.clock(goes)).at
        stamp, took_ms = self._desk.stamp(), self._clock.monotonic_ms() - asked_ms
        skew_ms, uncertainty_ms = reading(theirs, stamp.at, took_ms)
        return ClockCompared(epoch=stamp.epoch, at=stamp.at, skew_ms=skew_ms, uncertainty_ms=uncertainty_ms)

    def pause_ms(self) -> int:
        """Say how long the next comparison waits (ms): not for long while the clocks are, or just were, apart."""
        account = self._core.state.account
        if account.limits is None or account.limits.clock_skew_max_ms is None:
            return self._every_ms
        found = ailments(account.guard.health, account.limits, self._clock.now())
        doubtful = any(one.name.startswith(HealthGate.CLOCK) for one in found)
        return min(self._every_ms, CLOCK_DOUBTFUL_EVERY_MS) if doubtful else self._every_ms


def reading(theirs: datetime, received: datetime, took_ms: int) -> tuple[int, int]:
    """Give how far the broker's clock is ahead of ours and how uncertain that is (ms), as time protocols reckon it.

    The answer counts as written half-way between question and receipt. The way is measured by the monotonic clock,
    so that a clock that is set meanwhile does not look like a slow answer.
    """
    skew_us = (theirs - received) // _US + took_ms * 500
    return skew_us // 1000, (took_ms + 1) // 2 + ROUNDING_MS


def is_conclusive(seen: ClockCompared, limits: LimitSet | None) -> bool:
    """Say whether a comparison can tell clocks that agree from clocks that do not."""
    most_ms = None if limits is None else limits.clock_skew_max_ms
    return most_ms is None or seen.uncertainty_ms <= most_ms or excess_ms(seen) > most_ms


def is_news(known: ClockCompared | None, seen: ClockCompared, limits: LimitSet | None) -> bool:
    """Say whether a comparison belongs on record: it says otherwise than the last one there, or that grows old."""
    if known is None or abs(seen.at - known.at) >= RECORD_EVERY or not is_conclusive(known, limits):
        return True
    most_ms = None if limits is None else limits.clock_skew_max_ms
    if most_ms is not None and (excess_ms(known) > most_ms) is not (excess_ms(seen) > most_ms):
        return True
    return abs(seen.skew_ms - known.skew_ms) > known.uncertainty_ms + seen.uncertainty_ms + MOVED_MS

"""A clock that a fault sets ahead or behind."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from services.simulator.faults_board import FaultBoard

Clock = Callable[[], datetime]
EXPIRY_MARGIN_S = 0.01


class SkewedClock:
    """The broker's own clock: true time and what the newest standing fault adds to it."""

    def __init__(self, board: FaultBoard, true: Clock) -> None:
        """Add to this clock; `moved` is called when the skew has changed."""
        self._board = board
        self._true = true
        self._skew = timedelta(0)
        self._timer: asyncio.TimerHandle | None = None
        self.moved: Callable[[], None] | None = None
        board.changed.append(self._set)

    def __call__(self) -> datetime:
        """Return the time by this clock."""
        return self._true() + self._skew

    def close(self) -> None:
        """Wait for the end of no fault."""
        if self._timer is not None:
            self._timer.cancel()

    def _set(self) -> None:
        """Take the skew that stands now, and look again when its time is over."""
        self.close()
        armed = self._board.standing("clock_skew")
        skew = timedelta(0) if armed is None else timedelta(seconds=int(armed.fault.skew_seconds))
        if armed is not None and armed.fault.seconds is not None:
            wait_s = float(armed.fault.seconds) + EXPIRY_MARGIN_S
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._set)
        if skew != self._skew:
            self._skew = skew
            if self.moved is not None:
                self.moved()

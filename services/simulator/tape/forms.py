"""What a tape is made of: bars and ticks in whole cents, so that nothing rounds twice."""

from datetime import date
from typing import Protocol

import msgspec

SECONDS = 60
LAST_INSTANT = 1e-6


class Bar(msgspec.Struct, frozen=True):
    """Open, high, low and close of one stretch of trading in cents, and its volume in shares."""

    open: int
    high: int
    low: int
    close: int
    volume: int

    def reversed(self) -> "Bar":
        """Return the bar as seen when the tape runs backwards."""
        return Bar(self.close, self.high, self.low, self.open, self.volume)


class DayBar(msgspec.Struct, frozen=True):
    """A recorded daily bar and the day it was recorded on."""

    day: date
    bar: Bar


class Tick(msgspec.Struct, frozen=True):
    """One quote in cents with the last trade, some tape seconds into its minute; sizes in shares."""

    offset: float
    bid: int
    ask: int
    bid_size: int
    ask_size: int
    last: int
    last_size: int

    def reversed(self) -> "Tick":
        """Return the tick at its mirrored place, for a tape that runs backwards."""
        return self.moved(max(0.0, SECONDS - self.offset - LAST_INSTANT))

    def moved(self, offset: float) -> "Tick":
        """Return the same quote at another place in its minute."""
        return msgspec.structs.replace(self, offset=offset)


class Track(Protocol):
    """The recording of one symbol: minutes numbered from 0, each with a bar and its ticks."""

    symbol: str
    daily: list[DayBar]

    def __len__(self) -> int:
        """Return how many minutes are recorded."""
        ...

    def bar(self, minute: int) -> Bar:
        """Return the bar of a recorded minute."""
        ...

    def ticks(self, minute: int) -> list[Tick]:
        """Return the quotes of a recorded minute in order of their offsets."""
        ...


def merged(bars: list[Bar]) -> Bar:
    """Return one bar over several in order; there must be at least one."""
    return Bar(
        bars[0].open,
        max(bar.high for bar in bars),
        min(bar.low for bar in bars),
        bars[-1].close,
        sum(bar.volume for bar in bars),
    )

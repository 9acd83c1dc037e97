"""The reel: a track as a pure function of time, for ever, without a jump.

Forward to its end, then backward to its start, and so on: prices stay inside what was recorded and join
without a gap. The same anchor, speed and seed give the same prices at the same time, also after a restart.
"""

from bisect import bisect_right
from datetime import datetime, timedelta
from operator import attrgetter

from services.simulator.tape.forms import Bar, Tick, Track, merged

MINUTE = timedelta(minutes=1)
MOST_CACHED_MINUTES = 3


def there_and_back(minute: int, length: int) -> tuple[int, bool]:
    """Return which recorded minute plays at a minute of the endless reel, and whether backwards."""
    place = minute % (2 * length)
    return (place, False) if place < length else (2 * length - 1 - place, True)


class Reel:
    """One track placed in time: reel minute 0 plays at the anchor, `speed` reel minutes per minute."""

    def __init__(self, track: Track, anchor: datetime, speed: int) -> None:
        """Place the track; the anchor must be a whole minute."""
        self.track = track
        self.anchor = anchor
        self.speed = speed
        self._cached: dict[int, list[Tick]] = {}

    @property
    def symbol(self) -> str:
        """Return the symbol recorded."""
        return self.track.symbol

    def reel_minute(self, moment: datetime) -> int:
        """Return which reel minute plays at a moment."""
        return (moment - self.anchor) * self.speed // MINUTE

    def starts(self, reel_minute: int) -> datetime:
        """Return when a reel minute begins to play."""
        return self.anchor + reel_minute * MINUTE / self.speed

    def bar_at(self, reel_minute: int) -> Bar:
        """Return the bar of a reel minute."""
        minute, backwards = there_and_back(reel_minute, len(self.track))
        bar = self.track.bar(minute)
        return bar.reversed() if backwards else bar

    def ticks_at(self, reel_minute: int) -> list[Tick]:
        """Return the quotes of a reel minute in order; the last few minutes asked for are kept at hand."""
        found = self._cached.get(reel_minute)
        if found is None:
            minute, backwards = there_and_back(reel_minute, len(self.track))
            found = self.track.ticks(minute)
            if backwards:
                found = [tick.reversed() for tick in reversed(found)]
            self._cached[reel_minute] = found
            if len(self._cached) > MOST_CACHED_MINUTES:
                del self._cached[next(iter(self._cached))]
        return found

    def time_of(self, reel_minute: int, tick: Tick) -> datetime:
        """Return when a tick of a reel minute plays."""
        return self.starts(reel_minute) + timedelta(seconds=tick.offset / self.speed)

    def newest(self, moment: datetime) -> tuple[int, int]:
        """Return the reel minute and index of the newest tick at a moment."""
        minute = self.reel_minute(moment)
        elapsed = (moment - self.starts(minute)).total_seconds() * self.speed
        index = bisect_right(self.ticks_at(minute), elapsed, key=attrgetter("offset")) - 1
        if index >= 0:
            return minute, index
        return minute - 1, len(self.ticks_at(minute - 1)) - 1

    def minute_bar(self, start: datetime) -> Bar:
        """Return the bar of one minute of real time, which is several recorded ones at higher speed."""
        first = self.reel_minute(start)
        return merged([self.bar_at(first + offset) for offset in range(self.speed)])

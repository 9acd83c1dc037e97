"""Tracks: one symbol's recording, from bars with synthetic quotes or from recorded quotes."""

import hashlib
from collections.abc import Sequence

from services.simulator.tape.forms import Bar, DayBar, Tick
from services.simulator.tape.synthesis import minute_ticks


def phase_of(symbol: str) -> float:
    """Return where inside its slots a symbol ticks, from 0 to below 1, spread evenly by its name."""
    return hashlib.blake2s(symbol.encode(), digest_size=2).digest()[0] / 256


class BarTrack:
    """Recorded (or synthesised) minute bars whose quotes are made up between them from the seed."""

    def __init__(self, symbol: str, bars: Sequence[Bar], daily: list[DayBar], steps: int, seed: int) -> None:
        """Play these minutes with so many quotes in each."""
        self.symbol = symbol
        self.daily = daily
        self._bars = bars
        self._steps = steps
        self._seed = seed
        self._phase = phase_of(symbol)

    def __len__(self) -> int:
        """Return how many minutes are recorded."""
        return len(self._bars)

    def bar(self, minute: int) -> Bar:
        """Return the bar of a recorded minute."""
        return self._bars[minute]

    def ticks(self, minute: int) -> list[Tick]:
        """Return the synthetic quotes of a recorded minute."""
        return minute_ticks(self._bars[minute], self._steps, self._phase, f"{self._seed}:{self.symbol}:{minute}")


class QuoteTrack:
    """Recorded quotes, played as they were; minutes without any repeat the last one before."""

    def __init__(self, symbol: str, minutes: Sequence[list[Tick]], daily: list[DayBar]) -> None:
        """Play these quotes, grouped by minute; the first minute must hold at least one."""
        self.symbol = symbol
        self.daily = daily
        self._minutes: list[list[Tick]] = []
        for ticks in minutes:
            self._minutes.append(ticks or [self._minutes[-1][-1].moved(0.0)])

    def __len__(self) -> int:
        """Return how many minutes are recorded."""
        return len(self._minutes)

    def bar(self, minute: int) -> Bar:
        """Return the bar of the last trades of a recorded minute; volume is what those trades carried."""
        ticks = self._minutes[minute]
        last = [tick.last for tick in ticks]
        return Bar(last[0], max(last), min(last), last[-1], sum(tick.last_size for tick in ticks))

    def ticks(self, minute: int) -> list[Tick]:
        """Return the recorded quotes of a minute."""
        return self._minutes[minute]

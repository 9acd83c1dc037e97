"""Synthetic quotes inside a recorded minute, and synthetic minutes inside a recorded day.

Everything here is made up from a seed between recorded prices: floats shape the path, and every price
that leaves is a whole number of cents inside the recorded low and high.
"""

import random
from itertools import pairwise

from services.simulator.tape.forms import SECONDS, Bar, Tick

SPREAD_BPS = (1.0, 3.0)
LARGEST_SIZE_LOTS = 9
ROUND_LOT = 100
NOISE_SHARE = 0.08
MARKET_SHARE = 0.6
SESSION_MINUTES = 391


def turning_path(bar: Bar, steps: int, chance: random.Random) -> list[float]:
    """Return mid prices in cents from open over both extremes to close; rising bars dip first."""
    first, second = sorted((chance.uniform(0.1, 0.9), chance.uniform(0.1, 0.9)))
    turns = (bar.low, bar.high) if bar.close >= bar.open else (bar.high, bar.low)
    knots = [(0.0, bar.open), (first, turns[0]), (max(second, first + 0.01), turns[1]), (1.0, bar.close)]
    noise = (bar.high - bar.low) * NOISE_SHARE
    path: list[float] = []
    for step in range(steps):
        at = (step + 0.5) / steps
        (t0, p0), (t1, p1) = next(pair for pair in pairwise(knots) if at <= pair[1][0])
        mid = p0 + (p1 - p0) * (at - t0) / (t1 - t0) + chance.uniform(-noise, noise)
        path.append(min(max(mid, bar.low), bar.high))
    return path


def minute_ticks(bar: Bar, steps: int, phase: float, key: str) -> list[Tick]:
    """Return the quotes of one minute, the same ones for the same bar and key.

    `phase` (0 to 1) shifts the symbol's quotes inside their slots, so that symbols do not tick in step.
    """
    chance = random.Random(key)  # noqa: S311  # a reproducible tape, nothing secret
    ticks: list[Tick] = []
    for step, mid in enumerate(turning_path(bar, steps, chance)):
        spread = max(1, round(mid * chance.uniform(*SPREAD_BPS) / 10_000))
        bid = max(1, round(mid - spread / 2))
        ticks.append(
            Tick(
                offset=(step + phase) * SECONDS / steps,
                bid=bid,
                ask=bid + spread,
                bid_size=ROUND_LOT * chance.randint(1, LARGEST_SIZE_LOTS),
                ask_size=ROUND_LOT * chance.randint(1, LARGEST_SIZE_LOTS),
                last=chance.choice((bid, bid + spread)),
                last_size=chance.randint(1, ROUND_LOT),
            )
        )
    return ticks


def brownian_bridge(steps: int, chance: random.Random) -> list[float]:
    """Return a random path of steps + 1 points that starts and ends at zero, scaled to a range of one."""
    walk = [0.0]
    for _ in range(steps):
        walk.append(walk[-1] + chance.gauss(0.0, 1.0))
    bridge = [value - walk[-1] * index / steps for index, value in enumerate(walk)]
    return scaled(bridge)


def scaled(path: list[float]) -> list[float]:
    """Return the path divided by its range, or unchanged when it is flat."""
    span = max(path) - min(path)
    return [value / span for value in path] if span else path


def market_shape(bars: list[Bar]) -> list[float]:
    """Return how a recorded session strayed from the straight line, scaled to a range of one."""
    points = [float(bars[0].open), *(float(bar.close) for bar in bars)]
    steps = len(points) - 1
    line = [points[0] + (points[-1] - points[0]) * index / steps for index in range(len(points))]
    return scaled([point - straight for point, straight in zip(points, line, strict=True)])


def fit(value: float, path_low: float, path_high: float, day: Bar) -> float:
    """Map a raw price so that the path's extremes meet the day's, and open and close stay put."""
    bottom, top = min(day.open, day.close), max(day.open, day.close)
    if value > top:
        return top + (value - top) * (day.high - top) / max(path_high - top, 1e-9)
    if value < bottom:
        return bottom - (bottom - value) * (bottom - day.low) / max(bottom - path_low, 1e-9)
    return value


def day_minutes(day: Bar, shape: list[float], volumes: list[int], key: str) -> list[Bar]:
    """Return synthetic minutes of a recorded day: its own open, high, low, close and total volume.

    The path is the market's recorded shape of a session plus a seeded Brownian bridge.
    """
    chance = random.Random(key)  # noqa: S311  # a reproducible tape, nothing secret
    steps = len(shape) - 1
    own = brownian_bridge(steps, chance)
    span = day.high - day.low
    raw = [
        day.open
        + (day.close - day.open) * index / steps
        + span * (MARKET_SHARE * shape[index] + (1 - MARKET_SHARE) * own[index])
        for index in range(steps + 1)
    ]
    low, high = min(raw), max(raw)
    path = [round(min(max(fit(value, low, high, day), day.low), day.high)) for value in raw]
    total = sum(volumes) or 1
    bars = [
        _minute(before, after, day, day.volume * volume // total, chance)
        for (before, after), volume in zip(pairwise(path), volumes, strict=True)
    ]
    return _touching(bars, day)


def _minute(before: int, after: int, day: Bar, volume: int, chance: random.Random) -> Bar:
    wick = max(1, abs(after - before) // 2)
    high = min(day.high, max(before, after) + chance.randint(0, wick))
    low = max(day.low, min(before, after) - chance.randint(0, wick))
    return Bar(before, high, low, after, volume)


def _touching(bars: list[Bar], day: Bar) -> list[Bar]:
    """Make sure one minute reaches the day's high and one its low."""
    highest = max(range(len(bars)), key=lambda index: bars[index].high)
    top = bars[highest]
    bars[highest] = Bar(top.open, day.high, top.low, top.close, top.volume)
    lowest = min(range(len(bars)), key=lambda index: bars[index].low)
    bottom = bars[lowest]
    bars[lowest] = Bar(bottom.open, bottom.high, day.low, bottom.close, bottom.volume)
    return bars

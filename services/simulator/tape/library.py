"""Which tape plays: the recorded default, a folder of recordings, or one generated for load."""

import random
from pathlib import Path

import msgspec

from services.simulator.tape.forms import SECONDS, Bar, Track, merged
from services.simulator.tape.recordings import Recording, read
from services.simulator.tape.synthesis import SESSION_MINUTES, day_minutes, market_shape
from services.simulator.tape.tracks import BarTrack, QuoteTrack

HOME = Path(__file__).parent
MARKET = "SPY"
GENERATED_SYMBOLS = 100
GENERATED_DAYS = 2
GENERATED_PRICE_CENTS = (2_000, 50_000)
DAY_RANGE = 0.02


class TapeError(Exception):
    """The tape that was asked for cannot be played."""


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How densely quotes are synthesised: per second of real time for each symbol, at a speed."""

    quotes_per_second: float
    speed: int
    seed: int

    @property
    def steps(self) -> int:
        """Return how many quotes one recorded minute holds, at least one."""
        return max(1, round(self.quotes_per_second * SECONDS / self.speed))


def tracks(name: str, pace: Pace) -> list[Track]:
    """Return the tracks of a tape: `default`, `generated[:SYMBOLS=n,RATE=r]`, or a folder's path."""
    if name == "generated" or name.startswith("generated:"):
        return generated(options(name.partition(":")[2]), pace)
    folder = HOME if name == "default" else Path(name)
    found = recorded(read(folder), pace)
    if not found:
        raise TapeError(f"no recordings in {folder}")
    return found


def recorded(recording: Recording, pace: Pace) -> list[Track]:
    """Return a track for every symbol recorded; days without minutes get them from the market's shape."""
    found: list[Track] = [
        QuoteTrack(symbol, minutes, recording.daily.get(symbol, [])) for symbol, minutes in recording.quotes.items()
    ]
    for symbol, sessions in recording.sessions.items():
        bars = [bar for session in sessions for bar in session]
        found.append(BarTrack(symbol, bars, recording.daily.get(symbol, []), pace.steps, pace.seed))
    known = {track.symbol for track in found}
    shapes = recording.sessions.get(MARKET, [])
    missing = recording.daily.keys() - known
    found += [_from_days(symbol, recording, shapes, pace) for symbol in missing]
    return sorted(found, key=lambda track: track.symbol)


def _from_days(symbol: str, recording: Recording, shapes: list[list[Bar]], pace: Pace) -> Track:
    """Return a track of the last recorded days, as many as there are market sessions to shape them."""
    daily = recording.daily[symbol]
    days = daily[-max(1, len(shapes)) :]
    bars: list[Bar] = []
    for index, day in enumerate(days):
        session = shapes[index] if shapes else []
        shape = market_shape(session) if session else [0.0] * (SESSION_MINUTES + 1)
        volumes = [bar.volume for bar in session] or [1] * SESSION_MINUTES
        bars += day_minutes(day.bar, shape, volumes, f"{pace.seed}:{symbol}:{day.day}")
    return BarTrack(symbol, bars, daily[: -len(days)], pace.steps, pace.seed)


def options(text: str) -> dict[str, float]:
    """Read `SYMBOLS=100,RATE=10`; an unknown name or a value out of range is an error."""
    found: dict[str, float] = {}
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        if name not in {"SYMBOLS", "RATE"} or not value.replace(".", "", 1).isdigit() or not float(value):
            raise TapeError(f"unknown tape option {part!r}; SYMBOLS=n and RATE=r are known")
        found[name] = float(value)
    return found


def generated(asked: dict[str, float], pace: Pace) -> list[Track]:
    """Return made-up symbols SIM001, SIM002 and so on, for load."""
    rate = asked.get("RATE", pace.quotes_per_second)
    dense = msgspec.structs.replace(pace, quotes_per_second=rate)
    count = int(asked.get("SYMBOLS", GENERATED_SYMBOLS))
    return [_generated(f"SIM{number:03d}", dense) for number in range(1, count + 1)]


def _generated(symbol: str, pace: Pace) -> Track:
    chance = random.Random(f"{pace.seed}:{symbol}")  # noqa: S311  # a reproducible tape, nothing secret
    price = chance.randint(*GENERATED_PRICE_CENTS)
    bars: list[Bar] = []
    for day in range(GENERATED_DAYS):
        reach = max(2, round(price * DAY_RANGE))
        close = price + chance.randint(-reach // 2, reach // 2)
        ends = min(price, close), max(price, close)
        high, low = ends[1] + chance.randint(1, reach), max(1, ends[0] - chance.randint(1, reach))
        whole = Bar(price, high, low, close, chance.randint(1, 50) * 1_000_000)
        flat = [0.0] * (SESSION_MINUTES + 1)
        bars += day_minutes(whole, flat, [1] * SESSION_MINUTES, f"{pace.seed}:{symbol}:{day}")
        price = merged(bars).close
    return BarTrack(symbol, bars, [], pace.steps, pace.seed)

"""Everything that is left to chance, drawn from one integer: each purpose has a stream of its own."""

import random
from collections.abc import Sequence
from decimal import Decimal

CENT = Decimal("0.01")


class Chance:
    """One stream of draws; the same seed and purpose give the same draws on every machine."""

    def __init__(self, seed: int, purpose: str) -> None:
        self._random = random.Random(f"{seed}/{purpose}")  # noqa: S311 - it must be foreseeable

    def happens(self, probability: float) -> bool:
        return self._random.random() < probability

    def between(self, low: float, high: float) -> float:
        """Draw seconds (or anything else), cut to microseconds."""
        return round(self._random.uniform(low, high), 6)

    def whole(self, low: int, high: int) -> int:
        return self._random.randint(low, high)

    def pick[T](self, choices: Sequence[T]) -> T:
        return self._random.choice(choices)

    def weighted[T](self, choices: Sequence[tuple[int, T]]) -> T:
        """Pick one of (weight, choice)."""
        weights = [weight for weight, _ in choices]
        return self._random.choices(choices, weights)[0][1]

    def cents(self, low: float, high: float) -> Decimal:
        """Draw a price or an amount in USD, to the cent."""
        return Decimal(self._random.randint(round(low * 100), round(high * 100))) * CENT

    def lag(self) -> float:
        """Draw how long a message takes on a local network: under a millisecond, and now and then far more."""
        lag = self.between(0.0002, 0.001)
        luck = self._random.random()
        if luck < 0.03:
            lag += self.between(0, 0.05)
        if luck < 0.004:
            lag += self.between(0, 1.5)
        return lag

"""The board on which faults stand: which of them strikes when, decided from seeds alone."""

import random
from collections import deque
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import msgspec

from services.simulator.faults import Fault, Occasion

CHANCES = 10**9
MOST_RECENT = 20
MOST_ARMED = 1_000
Monotonic = Callable[[], float]


class Armed:
    """One fault that stands: how often it was matched, how often it struck, and its own source of chance."""

    def __init__(self, number: int, fault: Fault, now_s: float) -> None:
        """Stand from now on, in monotonic seconds."""
        self.id = f"f{number}"
        self.fault = fault
        self.matches = 0
        self.hits = 0
        self.chance = random.Random(fault.seed)  # noqa: S311  # reproducible faults, nothing secret
        self.recent: deque[str] = deque(maxlen=MOST_RECENT)
        self._since_s = now_s
        self._cleared = False

    def stands(self, now_s: float) -> bool:
        """Say whether the fault is still there: not cleared, and its seconds not over."""
        seconds = self.fault.seconds
        return not self._cleared and (seconds is None or Decimal(now_s - self._since_s) < seconds)

    def decide(self, occasion: Occasion, now_s: float) -> bool:
        """Say whether it strikes now; every occasion it is meant for draws once from its chance."""
        spent = self.fault.times is not None and self.hits >= self.fault.times
        if spent or not self.stands(now_s) or not occasion.matches(self.fault):
            return False
        self.matches += 1
        drawn = self.chance.randrange(CHANCES)
        if self.matches <= self.fault.skip or drawn >= self.fault.probability * CHANCES:
            return False
        self.strike(occasion)
        return True

    def strike(self, occasion: Occasion) -> None:
        """Count one hit."""
        self.hits += 1
        said = msgspec.to_builtins(occasion)
        self.recent.append(" ".join(f"{name}={value}" for name, value in said.items()))

    def clear(self) -> None:
        """Strike no more, and let go what is held."""
        self._cleared = True

    def shown(self, now_s: float) -> dict[str, Any]:
        """Return what the control port shows."""
        times = self.fault.times
        return {
            "id": self.id,
            **msgspec.to_builtins(self.fault, builtin_types=(Decimal,)),
            "stands": self.stands(now_s) and (times is None or self.hits < times),
            "matches": self.matches,
            "hits": self.hits,
            "recent": list(self.recent),
        }


class FaultBoard:
    """All faults of one simulator, oldest first; nothing of it outlives the process."""

    def __init__(self, monotonic: Monotonic) -> None:
        """Measure seconds on this clock."""
        self._monotonic = monotonic
        self._armed: dict[str, Armed] = {}
        self._number = 0
        self._caught: dict[tuple[str, str], Armed] = {}
        self.changed: list[Callable[[], None]] = []
        """Called after a fault was set or cleared."""

    def __bool__(self) -> bool:
        """Say whether any fault is listed."""
        return bool(self._armed)

    def arm(self, fault: Fault) -> Armed:
        """Let a fault stand from now on."""
        self._number += 1
        armed = Armed(self._number, fault, self._monotonic())
        self._armed[armed.id] = armed
        while len(self._armed) > MOST_ARMED:
            self._armed.pop(next(iter(self._armed))).clear()
        self._tell()
        return armed

    def clear(self, fault_id: str | None = None) -> list[str] | None:
        """Remove one fault or all, and return the ids; None when there is none of this id."""
        if fault_id is not None and fault_id not in self._armed:
            return None
        ids = list(self._armed) if fault_id is None else [fault_id]
        for known in ids:
            self._armed.pop(known).clear()
        self._caught = {key: armed for key, armed in self._caught.items() if armed.id in self._armed}
        self._tell()
        return ids

    def strikes(self, name: str, occasion: Occasion, *, where: str = "both") -> Armed | None:
        """Return the first fault of a name that strikes now; later ones, and those for elsewhere, are not asked."""
        now_s = self._monotonic()
        meant = (armed for armed in self._of(name) if where == "both" or armed.fault.where in {"both", where})
        return next((armed for armed in meant if armed.decide(occasion, now_s)), None)

    def standing(self, name: str) -> Armed | None:
        """Return the newest fault of a name that stands, without counting a hit."""
        now_s = self._monotonic()
        return next((armed for armed in reversed(list(self._of(name))) if armed.stands(now_s)), None)

    def holds(self, name: str, occasion: Occasion) -> Armed | None:
        """Return the fault that holds an order: caught once, it is held until the fault is gone."""
        key = (name, occasion.order_id)
        armed = self._caught.get(key) or self.strikes(name, occasion)
        if armed is None or not armed.stands(self._monotonic()):
            self._caught.pop(key, None)
            return None
        self._caught[key] = armed
        return armed

    def shown(self, armed: Armed) -> dict[str, Any]:
        """Return one fault with its counts."""
        return armed.shown(self._monotonic())

    def listing(self) -> list[dict[str, Any]]:
        """Return every fault with its counts."""
        return [self.shown(armed) for armed in self._armed.values()]

    def _of(self, name: str) -> Iterator[Armed]:
        return (armed for armed in self._armed.values() if armed.fault.fault == name)

    def _tell(self) -> None:
        for told in self.changed:
            told()

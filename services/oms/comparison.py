"""What one comparison with the broker found."""

from collections.abc import Mapping

from contracts.broker import ObservedPosition
from contracts.ids import Symbol
from services.oms.books import Difference


class Comparison:
    """The findings of one comparison, as they come."""

    def __init__(self, *, full: bool) -> None:
        """Begin with nothing found."""
        self.full = full
        self.compared = 0
        self.adopted = 0
        self.recovered = 0
        self.unheard = 0
        """Orders that moved by what the broker was asked, though a link was up by which it should have told."""
        self.asked_fills = False
        """Executions of which nobody told, on ended orders too, were asked for."""
        self.wants_fills = False
        """Something lasts that such an execution may explain: the next comparison shall ask."""
        self.breaks: tuple[str, ...] = ()
        self.differences: dict[str, Difference] = {}
        self.shown: Mapping[Symbol, ObservedPosition] = {}
        self.odd_averages: tuple[Symbol, ...] = ()
        self._agreeing: set[str] = set()

    @property
    def is_news(self) -> bool:
        """Say whether the journal should hold that this comparison took place."""
        return self.full or bool(self.adopted or self.recovered or self.breaks)

    @property
    def agreeing(self) -> frozenset[str]:
        """Name what was looked at and found equal."""
        return frozenset(self._agreeing.difference(self.differences))

    def differs(self, difference: Difference) -> None:
        """Note a difference."""
        self.differences[difference.name] = difference

    def agrees(self, name: str) -> None:
        """Note that something is equal on both sides."""
        self._agreeing.add(name)

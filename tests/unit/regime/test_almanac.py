"""The almanac: publishes what is usual when it changes, and again when the link was gone."""

from decimal import Decimal

from contracts.ids import Symbol
from contracts.market import SymbolStats
from services.regime.almanac import Almanac
from services.runtime.memory import ManualClock
from tests.unit.regime.test_usual import AAPL, FIRST, bar, calm
from tests.unit.regime.test_watch import Pages


class Scene:
    def __init__(self, *, is_open: bool = True) -> None:
        self.pages = Pages()
        self.pages.open = is_open
        self.almanac = Almanac((AAPL, Symbol("MSFT")), self.pages, ManualClock(FIRST), "test")

    def told(self) -> list[SymbolStats]:
        return self.pages.published


def test_days_are_told_once_per_symbol_and_again_only_when_they_differ() -> None:
    scene = Scene()
    scene.almanac.take(calm(21))
    scene.almanac.take(calm(21))
    (told,) = scene.told()
    assert (told.symbol, told.prior_close, told.atr_usd, told.daily_volume, told.at) == (AAPL, 100, 2, 1000, FIRST)


def test_a_minute_moves_the_last_price_and_bars_of_others_do_not() -> None:
    scene = Scene()
    scene.almanac.take(calm(21))
    scene.almanac.hear(bar(30, "101", "103", "102", timeframe="1Min"))
    scene.almanac.hear(bar(31, "101", "103", "101", timeframe="1Day"))
    assert [told.last_price for told in scene.told()] == [100, 102]
    assert scene.told()[-1].atr_usd == Decimal(2)


def test_what_could_not_be_told_is_told_when_the_link_is_there() -> None:
    scene = Scene(is_open=False)
    scene.almanac.take(calm(21))
    scene.almanac.tick()
    assert scene.told() == []
    scene.pages.open = True
    scene.almanac.tick()
    scene.almanac.tick()
    assert [told.symbol for told in scene.told()] == [AAPL]


def test_after_the_link_was_gone_everything_is_told_again() -> None:
    scene = Scene()
    scene.almanac.tick()
    scene.almanac.take(calm(21))
    scene.pages.open = False
    scene.almanac.tick()
    scene.pages.open = True
    scene.almanac.tick()
    assert [told.symbol for told in scene.told()] == [AAPL, AAPL]

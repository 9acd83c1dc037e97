"""The watch: passes on, records each change once, and takes up what is on record."""

from datetime import timedelta
from decimal import Decimal

import pytest

from contracts.enums import Regime
from contracts.ids import Symbol
from contracts.market import RegimeChanged
from services.regime.watch import Watch
from services.runtime.memory import ManualClock
from tests.unit.regime.test_decider import AAPL, START, quote, status

MSFT = Symbol("MSFT")


class Pages:
    """Publications kept in lists."""

    def __init__(self, *on_record: RegimeChanged) -> None:
        self.open = True
        self.published = []
        self.recorded = []
        self.on_record = {change.symbol: change for change in on_record}

    def is_open(self):
        return self.open

    def publish(self, message):
        assert self.open
        self.published.append(message)

    async def record(self, change):
        assert self.open
        self.recorded.append(change)

    async def last_change(self, symbol):
        return self.on_record.get(symbol)

    def changes(self):
        return [(change.symbol, change.regime) for change in self.recorded]


def changed(symbol: str, regime: Regime) -> RegimeChanged:
    return RegimeChanged(
        symbol=Symbol(symbol), regime=regime, previous=None, confidence=Decimal(1), reasons=(), at=START
    )


class Scene:
    def __init__(self, *on_record: RegimeChanged) -> None:
        self.clock = ManualClock(START)
        self.pages = Pages(*on_record)
        self.watch = Watch((AAPL, MSFT), self.pages, self.clock)

    def pass_time(self, ms: int) -> None:
        self.clock.advance(timedelta(milliseconds=ms))


@pytest.mark.anyio
async def test_first_quote_is_passed_on_and_names_symbol_and_market():
    scene = Scene()
    await scene.watch.hear(quote(0))
    assert scene.pages.published == [quote(0)]
    assert scene.pages.changes() == [("AAPL", Regime.CHOP), ("_market", Regime.CHOP)]
    await scene.watch.hear(quote(0))
    await scene.watch.tick()
    assert len(scene.pages.published) == 2
    assert len(scene.pages.recorded) == 2


@pytest.mark.anyio
async def test_ticks_find_symbols_that_fell_silent():
    scene = Scene()
    await scene.watch.hear(quote(0))
    scene.pass_time(5_001)
    await scene.watch.tick()
    assert scene.pages.changes()[2:] == [
        ("AAPL", Regime.UNTRADEABLE),
        ("_market", Regime.UNTRADEABLE),
        ("MSFT", Regime.UNTRADEABLE),
    ]


@pytest.mark.anyio
async def test_restart_records_no_change_that_is_none():
    scene = Scene(changed("AAPL", Regime.CHOP), changed("MSFT", Regime.UNTRADEABLE), changed("_market", Regime.CHOP))
    await scene.watch.restore()
    await scene.watch.hear(quote(0))
    await scene.watch.tick()
    assert scene.pages.recorded == []


@pytest.mark.anyio
async def test_change_that_cannot_be_recorded_is_recorded_when_the_link_is_back():
    scene = Scene(changed("AAPL", Regime.CHOP))
    await scene.watch.restore()
    scene.pages.open = False
    await scene.watch.hear(quote(0, "100", "101"))
    assert scene.watch.facts()["dropped"] == 1
    scene.pages.open = True
    await scene.watch.tick()
    assert ("AAPL", Regime.UNTRADEABLE) in scene.pages.changes()
    assert scene.pages.published == []


@pytest.mark.anyio
async def test_symbols_that_are_not_watched_and_outdated_quotes_are_not_passed_on():
    scene = Scene()
    scene.watch.conditions.pop(MSFT)
    await scene.watch.hear(quote(0))
    await scene.watch.hear(quote(-1))
    scene.watch.conditions.pop(AAPL)
    await scene.watch.hear(quote(1))
    assert scene.pages.published == [quote(0)]


@pytest.mark.anyio
async def test_only_a_status_that_halts_or_resumes_is_passed_on():
    scene = Scene()
    for code in ("H", "Q", "9", "T"):
        await scene.watch.hear(status(0, code))
    assert [told.code for told in scene.pages.published] == ["H", "T"]


@pytest.mark.anyio
async def test_health_shows_counts_ages_and_regimes():
    scene = Scene()
    assert scene.watch.facts()["last_quote_age_ms"] is None
    await scene.watch.hear(quote(0))
    scene.pass_time(120)
    assert scene.watch.facts() == {
        "symbols": 2,
        "last_quote_age_ms": 120,
        "published": 1,
        "dropped": 0,
        "market": Regime.CHOP,
        "regimes": {"AAPL": Regime.CHOP, "MSFT": None},
    }

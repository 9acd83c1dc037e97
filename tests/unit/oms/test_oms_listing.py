"""The OMS records what the broker says may be traded and when, at start, when it changes and on a new day."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from contracts import subjects
from contracts.broker import Asset, AssetsObserved, SessionsObserved
from contracts.controls import LimitsSet
from contracts.ids import Symbol
from contracts.limits import LimitSet
from services.oms.brokers import memory_listing
from services.oms.brokers.memory import MemoryBroker
from services.oms.core import OmsCore
from services.oms.desk import OrderDesk
from services.oms.registrar import ASK_EVERY, Registrar
from tests.unit.oms.oms_world import OmsWorld
from tests.unit.oms.order_stories import AAPL, ACCOUNT, NOW
from tests.waiting import until

NOSUCH = Symbol("NOSUCH")
DAY = timedelta(days=1)


class Exchange(MemoryBroker):
    """A broker that counts what it is asked and may forbid short sales."""

    shortable = True
    asked: list[tuple[Symbol, ...]]

    async def assets(self, symbols: tuple[Symbol, ...]) -> tuple[Asset, ...]:
        self.asked.append(symbols)
        told = memory_listing.all_allowed(symbol for symbol in symbols if symbol != NOSUCH)
        return tuple(replace(asset, shortable=self.shortable) for asset in told)


class Scene:
    """A registrar on an in-memory journal that reads every event at once."""

    def __init__(self, world: OmsWorld) -> None:
        self.world = world
        self.clock = world.clock
        self.broker = Exchange(world.clock)
        self.broker.asked = []
        self.core = OmsCore()
        self.desk = OrderDesk(world.journal, self.core, world.clock, world.lease)
        self.registrar = Registrar(self.broker, self.desk, self.core, world.clock)
        self._read = 0

    async def allow(self, *symbols: Symbol) -> None:
        limits = LimitSet(symbol_allowlist=symbols)
        event = LimitsSet(epoch=0, at=NOW, version=1, limits=limits, by="test", reason="test")
        await self.world.journal.append(subjects.control(ACCOUNT), event)

    async def follow(self) -> None:
        async for recorded in self.world.journal.read(after=self._read):
            self.core.take(recorded.seq, recorded.event)
            self.desk.has_read_to()

    def recorded(self) -> list[list[Symbol]]:
        return [[asset.symbol for asset in event.assets] for event in self.world.of(AssetsObserved)]


def run(story: Callable[[Scene], Coroutine[Any, Any, None]]) -> None:
    async def told() -> None:
        scene = Scene(OmsWorld())
        following = asyncio.create_task(scene.follow())
        await story(scene)
        following.cancel()

    asyncio.run(told())


async def settled(scene: Scene) -> None:
    """Let the journal be read to its end."""
    await until(lambda: scene.core.read_seq == len(scene.world.journal.events), 10)


def test_what_is_allowed_is_asked_for_once_and_what_the_broker_does_not_list_is_not_tradable() -> None:
    async def story(scene: Scene) -> None:
        await scene.allow(AAPL, NOSUCH)
        await settled(scene)
        await scene.registrar.look()
        await scene.registrar.look()
        assert scene.broker.asked == [(AAPL, NOSUCH)]
        known = scene.core.state.account.listing.assets
        assert (known[AAPL].tradable, known[AAPL].shortable, known[NOSUCH].tradable) == (True, True, False)
        assert scene.registrar.looked.is_set()

    run(story)


def test_an_unchanged_word_is_not_recorded_again_and_a_changed_one_alone_is() -> None:
    async def story(scene: Scene) -> None:
        await scene.allow(AAPL, NOSUCH)
        await settled(scene)
        await scene.registrar.look()
        scene.clock.advance(ASK_EVERY)
        await scene.registrar.look()
        scene.broker.shortable = False
        scene.clock.advance(ASK_EVERY)
        await scene.registrar.look()
        assert scene.recorded() == [[AAPL, NOSUCH], [AAPL]]
        assert not scene.core.state.account.listing.assets[AAPL].shortable

    run(story)


def test_a_symbol_that_is_new_is_asked_for_alone() -> None:
    async def story(scene: Scene) -> None:
        await scene.allow(AAPL)
        await settled(scene)
        await scene.registrar.look()
        await scene.allow(AAPL, Symbol("MSFT"))
        await settled(scene)
        await scene.registrar.look()
        assert scene.broker.asked == [(AAPL,), (Symbol("MSFT"),)]

    run(story)


def test_the_sessions_are_recorded_once_a_day() -> None:
    async def story(scene: Scene) -> None:
        await scene.registrar.look()
        await scene.registrar.look()
        scene.clock.advance(DAY)
        await scene.registrar.look()
        first, second = scene.world.of(SessionsObserved)
        assert first.sessions[0].open_at <= NOW < first.sessions[0].close_at
        assert second.sessions[0].trading_day == first.sessions[0].trading_day + DAY
        assert scene.core.state.account.listing.session_of(NOW + DAY) is not None

    run(story)


def test_a_running_oms_is_ready_with_the_brokers_word_on_record() -> None:
    async def story() -> None:
        world = OmsWorld()
        limits = LimitsSet(epoch=0, at=NOW, version=1, limits=LimitSet(), by="test", reason="test")
        await world.journal.append(subjects.control(ACCOUNT), limits)
        async with world.running():
            listing = world.core.state.account.listing
            assert listing.assets[AAPL].tradable
            assert listing.session_of(NOW) is not None

    asyncio.run(story())

"""The OMS compares its clock with the broker's, and puts on record what is news."""

import dataclasses
from datetime import timedelta

import pytest
from msgspec.structs import replace

from contracts import subjects
from contracts.broker import ClockCompared
from contracts.controls import LimitsSet
from contracts.limits import LimitSet
from projections.health import CLOCK_DOUBTFUL_EVERY_MS
from services.oms.brokers.port import BrokerClock, BrokerUnreachableError, StillMay
from services.oms.clock_watch import RECORD_EVERY, ClockWatch, is_conclusive, is_news, reading
from services.oms.desk import OrderDesk
from tests.unit.oms.oms_world import QUICK, OmsWorld
from tests.unit.oms.order_stories import ACCOUNT, NOW
from tests.unit.risk.rows_health import clock
from tests.waiting import until

pytestmark = pytest.mark.anyio

MS = timedelta(milliseconds=1)
LIMITS = LimitSet(clock_skew_max_ms=1_000)
OFTEN = dataclasses.replace(QUICK, clock_every_ms=5)


class SkewedWorld(OmsWorld):
    """A broker whose clock can be set, whose answers can take their time, or fail to come."""

    def __init__(self) -> None:
        super().__init__()
        self.skew_ms = 0
        self.waits_ms = 0
        self.took_ms = 0
        self.asked = 0
        self.silent = False
        self.broker.clock = self._clock

    async def _clock(self, still_may: StillMay | None = None) -> BrokerClock:
        self.clock.advance(self.waits_ms * MS)
        assert still_may is None or still_may()
        self.asked += 1
        if self.silent:
            raise BrokerUnreachableError("test", retry_after_ms=5)
        self.clock.advance(self.took_ms // 2 * MS)
        at = self.clock.now() + self.skew_ms * MS
        self.clock.advance((self.took_ms - self.took_ms // 2) * MS)
        return BrokerClock(at=at, is_open=True, next_open=at + timedelta(hours=2), next_close=at + timedelta(hours=1))

    def compared(self) -> list[tuple[int, int]]:
        return [(told.skew_ms, told.uncertainty_ms) for told in self.of(ClockCompared)]

    async def looks(self, count: int) -> None:
        """Wait until the clock has been asked for so many times more, and what came of it is on record."""
        wanted = self.asked + count + 1
        await until(lambda: self.asked >= wanted, 10)

    async def limited(self) -> None:
        event = LimitsSet(epoch=0, at=NOW, version=1, limits=LIMITS, by="test", reason="test")
        await self.journal.append(subjects.control(ACCOUNT), event)


async def tell(world: OmsWorld, told: ClockCompared) -> None:
    seq = await world.journal.append(subjects.broker(ACCOUNT), replace(told, at=world.clock.now()))
    await until(lambda: world.core.read_seq >= seq, 10)


async def test_an_oms_that_is_ready_has_compared_its_clock() -> None:
    world = SkewedWorld()
    world.skew_ms = -250
    async with world.running():
        assert world.compared() == [(-250, 2)]
        await until(lambda: world.facts.get("clock_skew_ms") == -250)


async def test_a_question_that_waits_for_its_turn_is_no_slow_answer() -> None:
    world = SkewedWorld()
    world.waits_ms, world.took_ms, world.skew_ms = 4_000, 20, 70
    async with world.running():
        assert world.compared() == [(70, 12)]


async def test_what_stays_as_it_was_is_recorded_only_when_the_record_grows_old() -> None:
    world = SkewedWorld()
    async with world.running(OFTEN):
        world.skew_ms = 100
        await world.looks(3)
        assert world.compared() == [(0, 2)]
        world.clock.advance(RECORD_EVERY)
        await world.looks(3)
    assert world.compared() == [(0, 2), (100, 2)]


async def test_clocks_that_part_and_come_together_are_recorded_at_once() -> None:
    world = SkewedWorld()
    await world.limited()
    async with world.running(OFTEN):
        for skew_ms in (900, 1_003, 1_000, 0):
            world.skew_ms = skew_ms
            await until(lambda skew_ms=skew_ms: world.compared()[-1][0] == skew_ms, 10)
            await world.looks(2)
    assert [skew_ms for skew_ms, _ in world.compared()] == [0, 900, 1_003, 1_000, 0]


async def test_an_answer_that_took_too_long_to_tell_is_no_comparison() -> None:
    world = SkewedWorld()
    await world.limited()
    async with world.running(OFTEN):
        assert world.compared() == [(0, 2)]
        world.took_ms = 2_002
        watch = ClockWatch(
            world.broker, OrderDesk(world.journal, world.core, world.clock, world.lease), world.core, world.clock, 5
        )
        world.skew_ms = 1_500
        assert not await watch.look()
        assert not watch.looked.is_set()
        assert world.compared() == [(0, 2)]
        world.skew_ms = 9_000
        await until(lambda: world.compared()[-1] == (9_000, 1_003), 10)


async def test_a_broker_that_does_not_tell_its_time_is_asked_again() -> None:
    world = SkewedWorld()
    async with world.running(OFTEN):
        world.silent = True
        await world.looks(1)
        asked = world.asked
        world.silent = False
        world.skew_ms = 400
        await until(lambda: world.compared()[-1] == (400, 2), 10)
        assert world.asked > asked


@pytest.mark.parametrize(
    ("ahead_ms", "took_ms", "expected"),
    [(0, 0, (0, 2)), (-50, 100, (0, 52)), (50, 100, (100, 52)), (-1_000, 31, (-985, 18))],
)
def test_an_answer_counts_as_written_half_way(ahead_ms: int, took_ms: int, expected: tuple[int, int]) -> None:
    assert reading(NOW + ahead_ms * MS, NOW, took_ms) == expected


def test_the_true_skew_is_within_the_uncertainty_wherever_on_the_way_the_answer_was_written() -> None:
    for skew_us in (-1_500_700, -999, 0, 1, 2_345_678):
        for took_us in (0, 999, 1_000, 87_654):
            for written_us in (0, took_us // 3, took_us):
                theirs = NOW + timedelta(microseconds=written_us + skew_us)
                for took_ms in {took_us // 1000, -(-took_us // 1000)}:
                    found_ms, give_ms = reading(theirs, NOW + timedelta(microseconds=took_us), took_ms)
                    assert abs(found_ms * 1000 - skew_us) <= give_ms * 1000


def test_a_round_trip_tells_when_it_is_short_enough_or_the_clocks_are_far_enough_apart() -> None:
    assert is_conclusive(clock(0, uncertainty_ms=1_000), LIMITS)
    assert not is_conclusive(clock(2_001, uncertainty_ms=1_001), LIMITS)
    assert is_conclusive(clock(2_002, uncertainty_ms=1_001), LIMITS)
    assert is_conclusive(clock(0, uncertainty_ms=9_000), LimitSet())
    assert is_conclusive(clock(0, uncertainty_ms=9_000), None)


NEWS = [
    pytest.param(None, clock(), True, id="the first"),
    pytest.param(clock(), clock(140), False, id="as it was"),
    pytest.param(clock(), clock(141), True, id="moved"),
    pytest.param(clock(), replace(clock(), at=NOW + RECORD_EVERY), True, id="old"),
    pytest.param(clock(), replace(clock(), at=NOW - RECORD_EVERY), True, id="our clock went back"),
    pytest.param(clock(0, uncertainty_ms=1_001), clock(), True, id="too uncertain for the limit that holds now"),
    pytest.param(clock(1_020), clock(1_021), True, id="over the limit"),
    pytest.param(clock(1_021), clock(1_020), True, id="below it again"),
]


@pytest.mark.parametrize(("known", "seen", "expected"), NEWS)
def test_what_is_news(known: ClockCompared | None, seen: ClockCompared, *, expected: bool) -> None:
    assert is_news(known, seen, LIMITS) is expected


async def test_a_clock_that_is_or_just_was_wrong_is_looked_at_more_often() -> None:
    world = OmsWorld()
    async with world.running():
        desk = OrderDesk(world.journal, world.core, world.clock, world.lease)
        watch = ClockWatch(world.broker, desk, world.core, world.clock, 60_000)
        limits = LimitSet(clock_skew_max_ms=1_000, health_recovery_ms=10_000)
        event = LimitsSet(epoch=0, at=NOW, version=1, limits=limits, by="test", reason="test")
        await world.journal.append(subjects.control(ACCOUNT), event)
        await tell(world, clock())
        assert watch.pause_ms() == 60_000
        await tell(world, clock(9_000))
        assert watch.pause_ms() == CLOCK_DOUBTFUL_EVERY_MS
        await tell(world, clock())
        assert watch.pause_ms() == CLOCK_DOUBTFUL_EVERY_MS
        world.clock.advance(timedelta(milliseconds=10_000))
        assert watch.pause_ms() == 60_000

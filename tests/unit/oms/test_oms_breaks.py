"""Differences of the books that last stop new risk, heal, or are settled by a person; money is counted once."""

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from contracts import subjects
from contracts.broker import BreakFound, BreakHealed, CashMoved, PositionAdopted
from contracts.controls import BreakAccepted
from contracts.enums import BreakKind, Side
from contracts.ids import OrderId
from contracts.values import CENT
from services.oms.brokers.memory_book import Holding
from tests.unit.oms.oms_world import OmsWorld
from tests.unit.oms.order_stories import AAPL, ACCOUNT, NOW, decision, terms
from tests.waiting import until

pytestmark = pytest.mark.anyio
RESTING = terms(10, limit="90")
MARKET = terms(10, limit=None)
STEP = timedelta(seconds=6)


async def opened(world: OmsWorld) -> None:
    await until(lambda: world.core.state.account.cash_usd is not None)


async def looks(world: OmsWorld, count: int) -> None:
    """Let this many comparisons pass, six seconds apart."""
    for _ in range(count):
        world.clock.advance(STEP)
        await world.comparisons(1)


async def found(world: OmsWorld, kind: BreakKind) -> BreakFound:
    """Let comparisons pass until a difference of this kind is true."""

    def stands() -> list[BreakFound]:
        return [one for one in world.core.state.account.breaks.values() if one.kind is kind]

    for _ in range(20):
        if stands():
            break
        await looks(world, 1)
    return stands()[0]


async def healed(world: OmsWorld) -> BreakHealed:
    await until(lambda: not world.core.state.account.breaks)
    return world.of(BreakHealed)[-1]


async def accept(world: OmsWorld, standing: BreakFound) -> None:
    event = BreakAccepted(
        epoch=0, at=world.clock.now(), kind=standing.kind, key=standing.key, by="operator eve", reason="checked"
    )
    await world.journal.append(subjects.control(ACCOUNT), event)


def agrees(world: OmsWorld) -> bool:
    """Say whether quantity, average cost and cash equal the broker's to the cent."""
    account = world.core.state.account
    for symbol, held in world.broker.book.holdings.items():
        ours = account.positions[symbol]
        if ours.qty != held.qty or (held.qty and abs(ours.avg_price - held.avg_price) > CENT):
            return False
    return account.cash_usd == world.broker.book.cash_usd


async def test_the_books_are_opened_once_with_the_brokers_cash():
    world = OmsWorld()
    async with world.running():
        await opened(world)
        await world.comparisons(2)
    async with world.running():
        await world.comparisons(4)
    (opening,) = world.of(CashMoved)
    assert (opening.kind, opening.amount_usd) == ("opening", 100_000)


async def test_positions_from_before_are_adopted_before_the_books_are_opened():
    world = OmsWorld()
    await world.broker.submit(OrderId("long-ago"), MARKET)
    async with world.running():
        await opened(world)
        await looks(world, 5)
        assert agrees(world)
    kinds = [type(event) for event in world.of(PositionAdopted, CashMoved)]
    assert kinds == [PositionAdopted, CashMoved]
    assert not world.of(BreakFound)


async def test_shares_that_appear_later_are_a_break_and_no_silent_adoption():
    world = OmsWorld()
    async with world.running():
        await opened(world)
        world.broker.book.holdings[AAPL] = Holding(Decimal(7), Decimal("99.50"))
        stands = await found(world, BreakKind.POSITION)
        assert (stands.key, stands.ours, stands.theirs) == (AAPL, "0", "7")
        assert stands.at - stands.since >= timedelta(seconds=10)
        await looks(world, 4)
        assert len(world.of(BreakFound)) == 1
        world.broker.book.holdings[AAPL] = Holding()
        assert (await healed(world)).detail == "the books agree again"
    assert not world.of(PositionAdopted)


async def test_a_person_can_take_the_brokers_position_for_true():
    world = OmsWorld()
    async with world.running():
        await opened(world)
        order_id = await world.approve(decision("i-1", MARKET))
        await world.settled(order_id, "filled")
        held = world.broker.book.holdings[AAPL]
        world.broker.book.holdings[AAPL] = Holding(held.qty + 5, Decimal("99.00"))
        await accept(world, await found(world, BreakKind.POSITION))
        heal = await healed(world)
        await looks(world, 3)
        assert agrees(world)
    assert heal.detail == "accepted by operator eve: checked"
    (adopted,) = world.of(PositionAdopted)
    assert (adopted.qty, adopted.detail) == (5, heal.detail)
    assert len(world.of(BreakFound)) == 1


async def test_what_was_accepted_is_the_figure_that_was_seen_and_no_other():
    world = OmsWorld()
    async with world.running():
        await opened(world)
        world.broker.book.holdings[AAPL] = Holding(Decimal(7), Decimal("99.50"))
        stands = await found(world, BreakKind.POSITION)
        world.broker.book.holdings[AAPL] = Holding(Decimal(700), Decimal("99.50"))
        await world.comparisons(2)
        await accept(world, stands)
        await looks(world, 4)
        assert world.core.state.account.breaks[f"position:{AAPL}"].theirs == "700"
    assert not world.of(PositionAdopted)
    assert not world.of(BreakHealed)


async def test_cash_that_goes_without_a_reason_is_a_break_and_can_be_accepted():
    world = OmsWorld()
    async with world.running():
        await opened(world)
        world.broker.book.cash_usd -= Decimal("12.34")
        stands = await found(world, BreakKind.CASH)
        assert (stands.key, stands.ours, stands.theirs) == (ACCOUNT, "100000", "99987.66")
        await accept(world, stands)
        await healed(world)
        await looks(world, 3)
        assert agrees(world)
    assert [(moved.kind, moved.amount_usd) for moved in world.of(CashMoved)] == [
        ("opening", 100_000),
        ("accepted", Decimal("-12.34")),
    ]


async def test_money_that_moves_without_a_trade_is_counted_once_whatever_restarts():
    world = OmsWorld()
    world.broker.move_cash("a-0", Decimal(50))
    async with world.running():
        await opened(world)
        world.broker.move_cash("a-1", Decimal("1.02"))
        world.broker.move_cash("a-2", Decimal("-0.35"), "FEE")
        await looks(world, 4)
        assert agrees(world)
    world.broker.move_cash("a-3", Decimal("2.50"))
    for _ in range(2):
        async with world.running():
            await looks(world, 3)
            assert agrees(world)
    world.snapshots = type(world.snapshots)()
    async with world.running():
        await looks(world, 3)
        assert agrees(world)
    assert [moved.activity_id for moved in world.of(CashMoved)] == ["a-0", "", "a-1", "a-2", "a-3"]
    assert not world.of(BreakFound)


async def test_an_oversized_fill_alarms_at_once_and_its_acceptance_lasts():
    world = OmsWorld()
    async with world.running():
        await opened(world)
        order_id = await world.approve(decision("i-1", RESTING))
        await world.settled(order_id, "working")
        world.broker.fill(order_id, Decimal(12), Decimal(90))
        await until(lambda: world.core.state.account.breaks)
        (stands,) = world.of(BreakFound)
        assert (stands.kind, stands.key, stands.ours, stands.theirs) == (BreakKind.OVERFILL, order_id, "10", "12")
        await looks(world, 3)
        assert not world.of(BreakHealed)
        await accept(world, stands)
        await healed(world)
    async with world.running():
        await looks(world, 4)
        assert agrees(world)
    assert len(world.of(BreakFound)) == 1


async def test_an_overfill_that_the_oms_did_not_live_to_tell_is_told_at_the_next_start():
    world = OmsWorld()
    async with world.running():
        order_id = await world.approve(decision("i-1", RESTING))
        await world.settled(order_id, "working")
    world.broker.fill(order_id, Decimal(11), Decimal(90))
    async with world.running():
        await until(lambda: world.core.state.account.breaks)
    assert [stands.kind for stands in world.of(BreakFound)] == [BreakKind.OVERFILL]


async def test_an_order_that_vanishes_at_the_broker_is_a_break_until_it_is_back():
    world = OmsWorld()
    async with world.running():
        await opened(world)
        order_id = await world.approve(decision("i-1", RESTING))
        await world.settled(order_id, "working")
        hidden = world.broker.book.orders.pop(order_id)
        stands = await found(world, BreakKind.ORDER)
        assert (stands.key, stands.ours, stands.theirs) == (order_id, "working", "not there")
        world.broker.book.orders[order_id] = hidden
        await healed(world)


async def test_fills_that_the_broker_takes_back_unheard_are_taken_back_here():
    world = OmsWorld()
    async with world.running():
        await opened(world)
        order_id = await world.approve(decision("i-1", RESTING))
        await world.settled(order_id, "working")
        world.broker.fill(order_id, Decimal(4), Decimal(90))
        await world.settled(order_id, "partially_filled")
        world.broker.drop_updates(1)
        world.broker.bust(next(iter(world.broker.book.executions)))
        await until(lambda: not world.order(order_id).filled_qty)
        await looks(world, 3)
        assert agrees(world)
        assert not world.core.state.account.breaks


async def test_totals_that_fell_by_a_word_older_than_what_we_heard_are_a_break_of_order_and_books():
    world = OmsWorld()
    async with world.running():
        await opened(world)
        order_id = await world.approve(decision("i-1", RESTING))
        await world.settled(order_id, "working")
        world.broker.fill(order_id, Decimal(4), Decimal(90))
        await world.settled(order_id, "partially_filled")
        shown = world.broker.book.orders[order_id]
        world.broker.book.orders[order_id] = replace(shown, filled_qty=Decimal(1), updated_at=NOW)
        stands = await found(world, BreakKind.ORDER)
        assert (stands.ours, stands.theirs) == ("4", "1")


async def test_a_link_that_is_open_and_tells_nothing_is_made_anew():
    world = OmsWorld()
    async with world.running():
        await opened(world)
        order_ids = [await world.approve(decision(f"i-{number}", RESTING)) for number in range(3)]
        for order_id in order_ids:
            await world.settled(order_id, "working")
        await world.comparisons(2)
        world.broker.mute_link()
        for order_id in order_ids:
            world.broker.fill(order_id, Decimal(10), Decimal(90))
            await world.settled(order_id, "filled")
        await until(lambda: world.broker.links_renewed)
        order_id = await world.approve(decision("i-9", RESTING))
        await world.settled(order_id, "working")
        assert agrees(world)


async def test_a_busy_account_breaks_nothing():
    world = OmsWorld()
    async with world.running():
        await opened(world)
        for number in range(120):
            side = Side.BUY if number % 3 else Side.SELL
            order_id = await world.approve(decision(f"i-{number}", terms(1, side, None), at=world.clock.now()))
            await until(lambda order_id=order_id: world.core.state.order(order_id))
            world.clock.advance(timedelta(seconds=1))
        await until(lambda: world.core.state.account.open_orders == 0)
        await looks(world, 3)
        assert agrees(world)
    assert not world.of(BreakFound)


async def test_what_somebody_traded_while_we_were_away_for_days_counts_and_breaks_nothing():
    world = OmsWorld()
    async with world.running():
        await opened(world)
    world.clock.advance(timedelta(hours=2))
    await world.broker.submit(OrderId("by-hand"), MARKET)
    world.clock.advance(timedelta(days=3))
    async with world.running():
        await looks(world, 4)
        assert agrees(world)
        assert world.core.state.account.positions[AAPL].qty == 10
    assert not world.of(BreakFound, PositionAdopted)


MINE, BY_HAND = "mine", "by hand"


@pytest.mark.parametrize(
    "story",
    [
        [(BY_HAND, Side.SELL, "10", "100"), (MINE, Side.BUY, "4", "95.50")],
        [(MINE, Side.BUY, "10", "10.00"), (BY_HAND, Side.SELL, "25", "12.00")],  # measured defect: -15 at 12, 20 made
        [(MINE, Side.BUY, "1.5", "33.33"), (MINE, Side.BUY, "0.333333333", "33.37"), (BY_HAND, Side.SELL, "9", "31")],
        [(BY_HAND, Side.SELL, "7", "50.01"), (BY_HAND, Side.BUY, "20", "49.99"), (MINE, Side.SELL, "13", "51")],
    ],
)
@pytest.mark.parametrize("lost", [False, True])
async def test_quantity_average_and_cash_equal_the_brokers_short_and_through_zero(
    story: list[tuple[str, Side, str, str]], *, lost: bool
):
    world = OmsWorld()
    async with world.running():
        await opened(world)
        for number, (who, side, qty, price) in enumerate(story):
            if lost:
                world.broker.drop_updates(3)
            await traded(world, f"i-{number}", who, terms(qty, side, price))
        await looks(world, 3)
        assert agrees(world)
    assert not world.of(BreakFound, PositionAdopted)


async def traded(world: OmsWorld, name: str, who: str, wanted) -> None:
    """Let an order of ours or a foreign one fill at its limit."""
    price = wanted.limit_price
    world.broker.quote(AAPL, price, price)
    if who == BY_HAND:
        await world.broker.submit(OrderId(name), wanted)
    else:
        await world.approve(decision(name, wanted, at=world.clock.now()))
    book = world.broker.book
    await until(lambda: (o := book.orders.get(_id(world, name))) is not None and o.status == "filled")
    await until(lambda: _position(world) == book.holdings[AAPL].qty)


def _id(world: OmsWorld, name: str) -> OrderId:
    made = decision(name).order_id
    assert made is not None
    return made if made in world.broker.book.orders else OrderId(name)


def _position(world: OmsWorld) -> Decimal:
    held = world.core.state.account.positions.get(AAPL)
    return Decimal(0) if held is None else held.qty

"""Property: whatever is done to the updates, after a comparison the journal has the broker's exact state."""

import asyncio
import random
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.enums import OrderClass, OrderStatus
from contracts.ids import OrderId
from projections.order_state import OrderState
from services.oms.brokers.port import BrokerUpdate
from services.oms.fills import has_undone
from tests.unit.oms.mangled_streams import TICK, Venue
from tests.unit.oms.order_stories import AAPL, bracket, terms

EXAMPLES_MIN = 200
CENT = Decimal("0.01")
TRIED = settings(max_examples=max(EXAMPLES_MIN, settings().max_examples), deadline=None)

STEPS = ("submit", "bracket", "fill", "fill", "replace", "cancel", "expire", "bust", "correct", "up", "down", "late")
UNSAID_OF_CARRIED = {"bust", "correct", "late"}
"""What these do to totals that a replacement carried on, nobody has ever documented."""
steps = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 7), st.integers(1, 9)), min_size=2, max_size=14)


async def happen(venue: Venue, step: str, which: int, size: int) -> None:  # noqa: C901, PLR0912 - a flat table
    """Let one thing happen at the broker; what cannot happen now does not."""
    book = venue.broker.book
    venue.clock.advance(TICK)
    if book.carries_fills and step in UNSAID_OF_CARRIED:
        return
    names = list(book.orders)
    name = names[which % len(names)] if names else OrderId("")
    order = book.orders.get(name)
    executions = list(book.executions)
    match step:
        case "submit":
            await venue.submit(terms(10, limit=str(90 + which)))
        case "bracket":
            await venue.submit(bracket(10, limit=None if which % 2 else "95", order_class=OrderClass.BRACKET))
        case "fill" if order is not None and order.status in {"new", "partially_filled"}:
            left = book.about[name].terms.qty - order.filled_qty
            venue.broker.fill(name, min(Decimal(size), left), Decimal(90 + size))
        case "late" if order is not None and order.status in {"canceled", "expired", "replaced"}:
            venue.broker.fill(name, Decimal(1), Decimal(90 + size))
        case "replace" if venue.newest:
            ours = list(venue.newest)[which % len(venue.newest)]
            await venue.replace(ours, Decimal(80 + size), Decimal(which % 3))
        case "cancel" if order is not None:
            await venue.broker.cancel(order.broker_order_id)
        case "expire" if order is not None and order.status in {"new", "partially_filled"}:
            venue.broker.end(name, "expired")
        case "bust" if executions:
            venue.broker.bust(executions[which % len(executions)])
        case "correct" if executions:
            one = book.executions[executions[which % len(executions)]]
            venue.broker.correct(one.execution_id, one.qty, one.price + size)
        case "up":
            venue.broker.quote(AAPL, Decimal(100 + 5 * which), Decimal(100 + 5 * which) + 1)
        case "down":
            venue.broker.quote(AAPL, Decimal(99 - 5 * which), Decimal(100 - 5 * which))
        case _:
            pass


def mangled(updates: list[BrokerUpdate], seed: int, loss_percent: int) -> list[BrokerUpdate]:
    """Permute, repeat and lose updates."""
    chance = random.Random(seed)  # noqa: S311 - reproducible
    kept = [one for one in updates if chance.randrange(100) >= loss_percent]
    heard = [*kept, *(one for one in kept if chance.randrange(3) == 0)]
    chance.shuffle(heard)
    return heard


async def story(happened: list[tuple[str, int, int]], seed: int, loss_percent: int, *, carries: bool) -> None:
    venue = Venue(carries=carries)
    async with venue.reading():
        venue.broker.quote(AAPL, Decimal("99.90"), Decimal("100.10"))
        await venue.reconcile()
        cash_usd = venue.broker.book.cash_usd
        middle = len(happened) // 2
        for part in (happened[:middle], happened[middle:]):
            venue.broker.hold_updates()
            for step in part:
                await happen(venue, *step)
            await venue.hear(mangled(venue.told(), seed, loss_percent))
            await venue.reconcile()
        is_the_brokers(venue, cash_usd)


def is_the_brokers(venue: Venue, opening_usd: Decimal) -> None:
    assert venue.unexplained() == []
    for order_id, chain in venue.chains().items():
        order = venue.state(order_id)
        qty, value = venue.filled_by_executions(chain)
        assert order.filled_qty == qty, (order_id, chain)
        assert abs(order.filled_notional_usd - value) < CENT, (order_id, chain)
        assert order.status in expected(order, chain[-1].status), (order, chain)
        assert order.replacement is None
        if not order.is_terminal:
            left = venue.broker.book.about[OrderId(chain[-1].client_order_id)].terms.qty - chain[-1].filled_qty
            assert order.terms.qty - order.filled_qty == left, (order, chain)
    held = venue.core.state.account.positions.get(AAPL)
    shown = venue.broker.book.holdings.get(AAPL)
    assert (held.qty if held else 0) == (shown.qty if shown else 0)
    spent = opening_usd - venue.broker.book.cash_usd
    assert abs(-(held.cash_usd if held else Decimal(0)) - spent) < CENT
    assert not venue.core.state.account.breaks


def expected(order: OrderState, shown: str) -> set[OrderStatus]:
    """Say how an order must stand for us; what filled before a replacement counts as its own."""
    if shown in {"new", "partially_filled"}:
        return {OrderStatus.PARTIALLY_FILLED if order.filled_qty else OrderStatus.WORKING}
    if shown == "filled" and has_undone(order):
        return {OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED}  # it filled only after its end
    return {OrderStatus(shown)}


@TRIED
@given(steps, st.integers(0, 2**32), st.sampled_from((0, 30, 100)), st.booleans())
def test_any_permutation_repetition_and_loss_of_updates_ends_in_the_brokers_exact_state(
    happened: list[tuple[str, int, int]],
    seed: int,
    loss_percent: int,
    carries: bool,  # noqa: FBT001 - drawn
):
    asyncio.run(story(happened, seed, loss_percent, carries=carries))

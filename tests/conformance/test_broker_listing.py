"""What every broker behind the port says of symbols and of the exchange's days."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from contracts.ids import Symbol
from services.oms.sessions import as_traded
from tests.conformance.broker_stories import AAPL, Story, run_in
from tests.conformance.broker_worlds import WORLDS, World

NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture(params=WORLDS)
def told(request):
    """Run one story in a fresh world of each kind."""

    def run(story: Story) -> None:
        run_in(request.param, story)

    return run


def test_an_asset_that_is_listed_may_be_traded_and_one_that_is_not_is_left_out(told):
    async def story(world: World) -> None:
        (asset,) = await world.broker.assets((AAPL, Symbol("NOSUCH")))
        assert (asset.symbol, asset.tradable, asset.shortable, asset.easy_to_borrow) == (AAPL, True, True, True)
        assert asset.fractionable

    told(story)


def test_many_symbols_are_answered_for_like_one(told):
    async def story(world: World) -> None:
        many = tuple(Symbol(f"NOSUCH{number}") for number in range(40))
        assert await world.broker.assets((*many, AAPL)) == await world.broker.assets((AAPL,))

    told(story)


def test_sessions_are_in_order_and_where_orders_trade_now_a_session_is(told):
    async def story(world: World) -> None:
        clock = await world.broker.clock()
        today = clock.at.astimezone(NEW_YORK).date()
        sessions = await world.broker.sessions(today - timedelta(days=7), today + timedelta(days=10))
        assert len(sessions) > 7
        assert all(one.open_at < one.close_at for one in sessions)
        assert [one.open_at for one in sessions] == sorted(one.open_at for one in sessions)
        traded = as_traded(sessions, clock)
        assert any(one.open_at <= clock.at < one.close_at for one in traded) == clock.is_open

    told(story)

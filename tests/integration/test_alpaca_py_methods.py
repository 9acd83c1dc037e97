"""Every method of alpaca-py's TradingClient, and every kind of order, against a running simulator."""

import uuid
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from services.simulator.core.rules import Rules
from tests.unit.simulator.process import RunningSimulator, until
from tests.unit.simulator.world import World

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # alpaca-py still uses websockets.legacy
    from alpaca.common.exceptions import APIError
    from alpaca.trading.client import TradingClient
    from alpaca.trading.models import (
        AccountConfiguration,
        Asset,
        Calendar,
        Clock,
        Order,
        PortfolioHistory,
        Position,
        TradeAccount,
        TradeUpdate,
        Watchlist,
    )
    from alpaca.trading.requests import (
        ClosePositionRequest,
        CreateWatchlistRequest,
        GetAssetsRequest,
        GetCalendarRequest,
        GetCorporateAnnouncementsRequest,
        GetOptionContractsRequest,
        GetOrderByIdRequest,
        GetOrdersRequest,
        GetPortfolioHistoryRequest,
        LimitOrderRequest,
        MarketOrderRequest,
        ReplaceOrderRequest,
        StopLimitOrderRequest,
        StopLossRequest,
        StopOrderRequest,
        TakeProfitRequest,
        TrailingStopOrderRequest,
        UpdateWatchlistRequest,
    )

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # alpaca-py still uses websockets.legacy
]

BUY: dict[str, Any] = {"symbol": "AAPL", "side": "buy", "time_in_force": "day"}
EXITS = {"take_profit": TakeProfitRequest(limit_price=300), "stop_loss": StopLossRequest(stop_price=200)}


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSimulator]:
    running = RunningSimulator(tmp_path_factory.mktemp("methods") / "data")
    running.pin("AAPL", "249.90", "250.00")
    yield running
    running.close()


@pytest.fixture
def client(simulator: RunningSimulator) -> Iterator[TradingClient]:
    client = TradingClient("KEY", "SECRET", url_override=simulator.url)
    yield client
    client.close_all_positions(cancel_orders=True)
    until(lambda: not client.get_all_positions() and not client.get_orders())
    client._session.close()


def resting(client: TradingClient, **fields: Any) -> Any:
    """Return an order that rests far below the market."""
    order = client.submit_order(LimitOrderRequest(**{**BUY, "qty": 2, "limit_price": 100, **fields}))
    until(lambda: client.get_order_by_id(order.id).status.value == "new")
    return order


def holding(client: TradingClient, qty: float = 10) -> Any:
    """Return the position that a market order has made."""
    client.submit_order(MarketOrderRequest(**BUY, qty=qty))
    return until(client.get_all_positions)[0]


def watchlist(client: TradingClient) -> Any:
    return client.create_watchlist(CreateWatchlistRequest(name=str(uuid.uuid4()), symbols=["AAPL"]))


def refused(call: Callable[[], object]) -> tuple[int, int]:
    with pytest.raises(APIError) as error:
        call()
    return error.value.status_code, error.value.code


def _submit_order(client: TradingClient) -> None:
    assert isinstance(resting(client), Order)


def _get_orders(client: TradingClient) -> None:
    order = resting(client)
    asked = GetOrdersRequest(
        status="open",
        limit=10,
        after=datetime.now(UTC) - timedelta(hours=1),
        until=datetime.now(UTC) + timedelta(hours=1),
        direction="asc",
        nested=True,
        side="buy",
        symbols=["AAPL", "MSFT"],
    )
    assert [one.id for one in client.get_orders(asked)] == [order.id]


def _get_order_by_id(client: TradingClient) -> None:
    order = resting(client)
    assert client.get_order_by_id(order.id, GetOrderByIdRequest(nested=True)).id == order.id
    assert refused(lambda: client.get_order_by_id(uuid.uuid4())) == (404, 40410000)


def _get_order_by_client_id(client: TradingClient) -> None:
    order = resting(client)
    assert client.get_order_by_client_id(order.client_order_id).id == order.id


def _replace_order_by_id(client: TradingClient) -> None:
    order = resting(client)
    change = ReplaceOrderRequest(qty=3, time_in_force="gtc", limit_price=101.5, client_order_id=str(uuid.uuid4()))
    fresh = client.replace_order_by_id(order.id, change)
    assert (fresh.replaces, fresh.qty, fresh.client_order_id) == (order.id, "3", change.client_order_id)


def _cancel_orders(client: TradingClient) -> None:
    order = resting(client)
    assert [(one.id, one.status) for one in client.cancel_orders()] == [(order.id, 200)]


def _cancel_order_by_id(client: TradingClient) -> None:
    order = resting(client)
    client.cancel_order_by_id(order.id)
    until(lambda: client.get_order_by_id(order.id).status.value == "canceled")
    assert refused(lambda: client.cancel_order_by_id(order.id)) == (422, 42210000)


def _get_all_positions(client: TradingClient) -> None:
    assert isinstance(holding(client), Position)


def _get_open_position(client: TradingClient) -> None:
    position = holding(client)
    assert client.get_open_position("AAPL").asset_id == position.asset_id
    assert client.get_open_position(position.asset_id).symbol == "AAPL"
    assert refused(lambda: client.get_open_position("MSFT")) == (404, 40410000)


def _close_all_positions(client: TradingClient) -> None:
    holding(client)
    resting(client, side="sell", limit_price=400)
    (outcome,) = client.close_all_positions()
    assert (outcome.status, outcome.body.code, outcome.body.held_for_orders) == (403, 40310000, 2)
    (outcome,) = client.close_all_positions(cancel_orders=True)
    assert (outcome.status, outcome.body.side.value, outcome.body.qty) == (200, "sell", "10")


def _close_position(client: TradingClient) -> None:
    holding(client)
    assert client.close_position("AAPL", ClosePositionRequest(qty="2.5")).qty == "2.5"
    until(lambda: client.get_open_position("AAPL").qty == "7.5")
    assert client.close_position("AAPL", ClosePositionRequest(percentage="33.333333333")).qty == "2.499999999"
    until(lambda: client.get_open_position("AAPL").qty == "5.000000001")
    assert client.close_position("AAPL").qty == "5.000000001"


def _exercise_options_position(client: TradingClient) -> None:
    assert refused(lambda: client.exercise_options_position("AAPL261218C00250000")) == (403, 40310000)


def _get_portfolio_history(client: TradingClient) -> None:
    until(lambda: client.get_portfolio_history().equity)
    asked = GetPortfolioHistoryRequest(
        period="1D", timeframe="5Min", intraday_reporting="continuous", pnl_reset="no_reset", extended_hours=True
    )
    history = client.get_portfolio_history(asked)
    assert isinstance(history, PortfolioHistory)
    assert len(history.equity) == len(history.timestamp) == len(history.profit_loss) >= 1
    spoiled = GetPortfolioHistoryRequest(period="1A", timeframe="1Min")
    assert refused(lambda: client.get_portfolio_history(spoiled)) == (422, 40010001)


def _get_all_assets(client: TradingClient) -> None:
    found = client.get_all_assets(GetAssetsRequest(status="active", asset_class="us_equity", exchange="NASDAQ"))
    assert {type(asset) for asset in found} == {Asset}
    assert client.get_all_assets(GetAssetsRequest(asset_class="crypto")) == []


def _get_asset(client: TradingClient) -> None:
    assert client.get_asset("AAPL").id == client.get_asset(client.get_asset("AAPL").id).id
    assert refused(lambda: client.get_asset("BTC/USD")) == (404, 40410000)


def _get_clock(client: TradingClient) -> None:
    assert isinstance(client.get_clock(), Clock)


def _get_calendar(client: TradingClient) -> None:
    days = client.get_calendar(GetCalendarRequest(start=date(2026, 12, 24), end=date(2026, 12, 28)))
    assert [type(day) for day in days] == [Calendar, Calendar]
    assert len(client.get_calendar()) > 10_000


def _get_account(client: TradingClient) -> None:
    account = client.get_account()
    assert isinstance(account, TradeAccount)
    assert (account.status.value, account.multiplier) == ("ACTIVE", "4")


def _get_account_configurations(client: TradingClient) -> None:
    assert isinstance(client.get_account_configurations(), AccountConfiguration)


def _set_account_configurations(client: TradingClient) -> None:
    switches = client.get_account_configurations()
    switches.suspend_trade = True
    assert client.set_account_configurations(switches).suspend_trade is True
    assert client.get_account().trade_suspended_by_user is True
    assert refused(lambda: resting(client)) == (403, 40310000)
    switches.suspend_trade = False
    assert client.set_account_configurations(switches).suspend_trade is False


def _get_watchlists(client: TradingClient) -> None:
    made = watchlist(client)
    assert made.id in {one.id for one in client.get_watchlists()}


def _get_watchlist_by_id(client: TradingClient) -> None:
    made = watchlist(client)
    assert client.get_watchlist_by_id(made.id).name == made.name


def _create_watchlist(client: TradingClient) -> None:
    assert isinstance(watchlist(client), Watchlist)


def _update_watchlist_by_id(client: TradingClient) -> None:
    changed = client.update_watchlist_by_id(watchlist(client).id, UpdateWatchlistRequest(symbols=["SPY"]))
    assert [asset.symbol for asset in changed.assets] == ["SPY"]


def _add_asset_to_watchlist_by_id(client: TradingClient) -> None:
    changed = client.add_asset_to_watchlist_by_id(watchlist(client).id, "SPY")
    assert [asset.symbol for asset in changed.assets] == ["AAPL", "SPY"]


def _delete_watchlist_by_id(client: TradingClient) -> None:
    made = watchlist(client)
    client.delete_watchlist_by_id(made.id)
    assert refused(lambda: client.get_watchlist_by_id(made.id)) == (404, 40410000)


def _remove_asset_from_watchlist_by_id(client: TradingClient) -> None:
    assert client.remove_asset_from_watchlist_by_id(watchlist(client).id, "AAPL").assets == []


def _get_corporate_announcements(client: TradingClient) -> None:
    day = date(2026, 11, 1)
    asked = GetCorporateAnnouncementsRequest(ca_types=["dividend", "split"], since=day, until=day)
    assert client.get_corporate_announcements(asked) == []


def _get_corporate_announcement_by_id(client: TradingClient) -> None:
    assert refused(lambda: client.get_corporate_announcement_by_id(uuid.uuid4())) == (404, 40410000)


def _get_option_contracts(client: TradingClient) -> None:
    found = client.get_option_contracts(GetOptionContractsRequest(underlying_symbols=["AAPL"], limit=10))
    assert found.option_contracts == []


def _get_option_contract(client: TradingClient) -> None:
    assert refused(lambda: client.get_option_contract("AAPL261218C00250000")) == (404, 40410000)


# Each function above tries the client's method of its name.
TRIALS: dict[str, Callable[[TradingClient], None]] = {
    name.removeprefix("_"): trial
    for name, trial in list(globals().items())
    if name.startswith("_") and not name.startswith("__") and callable(trial)
}


def test_no_method_of_the_client_is_left_out() -> None:
    assert set(TRIALS) == {name for name in vars(TradingClient) if not name.startswith("_")}


@pytest.mark.parametrize("method", sorted(TRIALS))
def test_the_answer_of_every_method_is_parsed(client: TradingClient, method: str) -> None:
    TRIALS[method](client)


ORDERS = {
    "market": MarketOrderRequest(**BUY, qty=1),
    "fractional": MarketOrderRequest(**BUY, qty=0.5),
    "notional": MarketOrderRequest(**BUY, notional=50.5),
    "limit": LimitOrderRequest(**BUY, qty=1, limit_price=100),
    "extended hours": LimitOrderRequest(**BUY, qty=1, limit_price=100, extended_hours=True),
    "stop": StopOrderRequest(**BUY, qty=1, stop_price=300),
    "stop limit": StopLimitOrderRequest(**BUY, qty=1, stop_price=300, limit_price=301),
    "trailing price": TrailingStopOrderRequest(**BUY, qty=1, trail_price=5),
    "trailing percent": TrailingStopOrderRequest(**BUY, qty=1, trail_percent=2.5),
    "opg": MarketOrderRequest(**{**BUY, "time_in_force": "opg"}, qty=1),
    "cls": LimitOrderRequest(**{**BUY, "time_in_force": "cls"}, qty=1, limit_price=100),
    "ioc": LimitOrderRequest(**{**BUY, "time_in_force": "ioc"}, qty=1, limit_price=100),
    "fok": LimitOrderRequest(**{**BUY, "time_in_force": "fok"}, qty=1, limit_price=100),
    "bracket": LimitOrderRequest(**BUY, qty=1, limit_price=240, order_class="bracket", **EXITS),
    "oto": MarketOrderRequest(**BUY, qty=1, order_class="oto", stop_loss=EXITS["stop_loss"]),
}


@pytest.mark.parametrize("kind", ORDERS)
def test_every_kind_of_order_is_taken_and_parsed(client: TradingClient, kind: str) -> None:
    order = client.submit_order(ORDERS[kind])
    assert client.get_order_by_id(order.id, GetOrderByIdRequest(nested=True)).id == order.id


def test_the_legs_of_an_oco_are_nested_when_asked_and_listed_alone_otherwise(client: TradingClient) -> None:
    holding(client, 5)
    sell = {**BUY, "side": "sell", "time_in_force": "gtc"}
    oco = client.submit_order(LimitOrderRequest(**sell, qty=5, order_class="oco", **EXITS))
    assert (oco.order_class.value, oco.limit_price) == ("oco", "300")
    until(lambda: all(order.status.value == "new" for order in client.get_orders()))
    (nested,) = client.get_orders(GetOrdersRequest(nested=True))
    assert [(leg.order_type.value, leg.stop_price) for leg in nested.legs] == [("stop", "200")]
    flat = client.get_orders()
    assert [order.legs for order in flat] == [None, None]
    assert client.get_order_by_id(flat[0].id).id == nested.legs[0].id


def test_a_trail_is_replaced(client: TradingClient) -> None:
    order = client.submit_order(TrailingStopOrderRequest(**BUY, qty=1, trail_percent=2))
    until(lambda: client.get_order_by_id(order.id).status.value == "new")
    fresh = client.replace_order_by_id(order.id, ReplaceOrderRequest(trail=4))
    assert (fresh.trail_percent, fresh.trail_price, fresh.hwm) == ("4", None, order.hwm)


def test_every_trade_update_is_parsed() -> None:
    world = World(Rules(always_open=False, done_for_day=True, partial_percent=100, fill_ms=0))
    exits = {"take_profit": {"limit_price": "110"}, "stop_loss": {"stop_price": "90"}}
    world.submit(qty="100", order_class="bracket", time_in_force="gtc", **exits)
    world.wait(100)
    world.move("AAPL", "110.00", "110.10")
    resting = world.submit(qty="1", type="limit", limit_price="100", time_in_force="gtc")
    world.wait(100)
    world.replace(resting.id, limit_price="101")
    world.wait(100)
    lost = world.submit(qty="1", type="limit", limit_price="105")
    world.wait(100)
    world.replace(lost.id, limit_price="106")
    world.move("AAPL", "104.00", "104.10")
    world.wait(100)
    lost = world.submit(qty="1", type="limit", limit_price="102")
    world.submit(qty="1", type="limit", limit_price="99")
    world.wait(100)
    world.cancel(lost.id)
    world.move("AAPL", "101.90", "102.00")
    world.wait(7 * 3_600_000)
    world.submit(qty="1", type="limit", limit_price="90")
    world.store.close()
    parsed = [TradeUpdate(**msgspec.json.decode(msgspec.json.encode(update))) for update in world.updates]
    told = {str(getattr(update.event, "value", update.event)) for update in parsed}
    assert told == {
        *("accepted", "pending_new", "new", "partial_fill", "fill", "held", "restated", "canceled", "expired"),
        *("pending_cancel", "pending_replace", "replaced", "rejected", "done_for_day"),
        *("order_cancel_rejected", "order_replace_rejected"),
    }

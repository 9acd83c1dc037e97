"""The unmodified alpaca-py works against the simulator, told only where it is."""

import asyncio
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from tests.unit.simulator.process import RunningSimulator, until

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # alpaca-py still uses websockets.legacy
    from alpaca.common.exceptions import APIError
    from alpaca.data.enums import MarketType, MostActivesBy
    from alpaca.data.historical import ScreenerClient, StockHistoricalDataClient
    from alpaca.data.live import StockDataStream
    from alpaca.data.requests import (
        MarketMoversRequest,
        MostActivesRequest,
        StockBarsRequest,
        StockLatestBarRequest,
        StockLatestQuoteRequest,
        StockLatestTradeRequest,
        StockQuotesRequest,
        StockSnapshotRequest,
    )
    from alpaca.data.timeframe import TimeFrame
    from alpaca.trading.client import TradingClient
    from alpaca.trading.requests import (
        ClosePositionRequest,
        CreateWatchlistRequest,
        GetCalendarRequest,
        GetCorporateAnnouncementsRequest,
        GetOptionContractsRequest,
        GetOrdersRequest,
        LimitOrderRequest,
        MarketOrderRequest,
        ReplaceOrderRequest,
        UpdateWatchlistRequest,
    )
    from alpaca.trading.stream import TradingStream

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # alpaca-py still uses websockets.legacy
]

WAIT_S = 15.0


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSimulator]:
    running = RunningSimulator(tmp_path_factory.mktemp("simulator") / "data", "--quotes-per-second", "4")
    yield running
    running.close()


@pytest.fixture
def client(simulator: RunningSimulator) -> Iterator[TradingClient]:
    client = TradingClient("KEY", "SECRET", url_override=simulator.url)
    simulator.pin("AAPL", "249.90", "250.00")
    simulator.pin("MSFT", "429.90", "430.00")
    yield client
    client.close_all_positions(cancel_orders=True)
    until(lambda: not client.get_all_positions() and not client.get_orders())
    client._session.close()


@pytest.fixture
def data(simulator: RunningSimulator) -> Iterator[StockHistoricalDataClient]:
    client = StockHistoricalDataClient("KEY", "SECRET", url_override=simulator.url)
    yield client
    client._session.close()


def buy(client: TradingClient, qty: float, **fields: Any) -> Any:
    return client.submit_order(MarketOrderRequest(symbol="AAPL", qty=qty, side="buy", time_in_force="day", **fields))


def limit(client: TradingClient, price: float, **fields: Any) -> Any:
    return client.submit_order(
        LimitOrderRequest(symbol="MSFT", qty=2, side="buy", time_in_force="day", limit_price=price, **fields)
    )


def status(client: TradingClient, order: Any) -> str:
    return client.get_order_by_id(order.id).status.value


def test_a_market_order_is_placed_filled_and_found_by_every_name(client: TradingClient) -> None:
    order = buy(client, 10, client_order_id=f"mine-{datetime.now(UTC).timestamp()}")
    assert order.status.value == "pending_new"
    until(lambda: status(client, order) == "filled")
    found = client.get_order_by_client_id(order.client_order_id)
    assert (found.id, found.filled_avg_price, found.filled_qty) == (order.id, "250", "10")
    listed = client.get_orders(GetOrdersRequest(status="closed", symbols=["AAPL"], limit=5))
    assert order.id in {one.id for one in listed}


def test_a_position_is_listed_got_and_closed_in_parts(client: TradingClient) -> None:
    buy(client, 10)
    position = until(client.get_all_positions)[0]
    assert (position.symbol, position.qty, position.avg_entry_price) == ("AAPL", "10", "250")
    assert client.get_open_position("AAPL").cost_basis == "2500"
    assert client.get_open_position(str(position.asset_id)).symbol == "AAPL"
    client.close_position("AAPL", ClosePositionRequest(qty="4"))
    until(lambda: client.get_open_position("AAPL").qty == "6")
    client.close_position("AAPL", ClosePositionRequest(percentage="50"))
    until(lambda: client.get_open_position("AAPL").qty == "3")
    client.close_position("AAPL")
    until(lambda: not client.get_all_positions())
    with pytest.raises(APIError) as refused:
        client.get_open_position("AAPL")
    assert refused.value.status_code == 404
    assert refused.value.code == 40410000


def test_an_order_is_replaced_and_the_old_one_names_the_new(client: TradingClient) -> None:
    order = limit(client, 400)
    until(lambda: status(client, order) == "new")
    fresh = client.replace_order_by_id(order.id, ReplaceOrderRequest(limit_price=401.5, qty=3))
    assert fresh.replaces == order.id
    until(lambda: status(client, fresh) == "new")
    old = client.get_order_by_id(order.id)
    assert (old.status.value, old.replaced_by) == ("replaced", fresh.id)
    assert client.get_order_by_id(fresh.id).limit_price == "401.5"


def test_orders_are_canceled_one_by_one_and_all_at_once(client: TradingClient) -> None:
    orders = [limit(client, 400 + step) for step in range(3)]
    client.cancel_order_by_id(orders[0].id)
    until(lambda: status(client, orders[0]) == "canceled")
    answers = client.cancel_orders()
    assert {answer.id for answer in answers} == {order.id for order in orders[1:]}
    assert {answer.status for answer in answers} == {200}
    until(lambda: not client.get_orders())
    with pytest.raises(APIError) as refused:
        client.cancel_order_by_id(orders[0].id)
    assert (refused.value.status_code, refused.value.code) == (422, 42210000)


def test_a_client_order_id_is_taken_once(client: TradingClient) -> None:
    order = limit(client, 400)
    with pytest.raises(APIError) as refused:
        limit(client, 401, client_order_id=order.client_order_id)
    assert (refused.value.status_code, refused.value.code) == (422, 40010001)


def test_fractional_and_notional_orders_fill(client: TradingClient) -> None:
    buy(client, 0.25)
    notional = client.submit_order(MarketOrderRequest(symbol="AAPL", notional=100.1, side="buy", time_in_force="day"))
    until(lambda: status(client, notional) == "filled")
    until(lambda: client.get_open_position("AAPL").qty == "0.6504")


def test_the_account_its_switches_and_its_history_are_parsed(client: TradingClient) -> None:
    before = client.get_account()
    assert before.status.value == "ACTIVE"
    limit(client, 400)
    account = client.get_account()
    assert float(before.buying_power) - float(account.buying_power) == pytest.approx(800)
    configurations = client.get_account_configurations()
    configurations.no_shorting = True
    assert client.set_account_configurations(configurations).no_shorting is True
    configurations.no_shorting = False
    client.set_account_configurations(configurations)
    until(lambda: client.get_portfolio_history().equity)


def test_fills_are_listed_as_activities(client: TradingClient) -> None:
    order = buy(client, 2)
    until(lambda: status(client, order) == "filled")
    fills = client.get("/account/activities/FILL", {"order_id": str(order.id)})
    assert [(fill["qty"], fill["price"], fill["type"]) for fill in fills] == [("2", "250", "fill")]
    page = client.get("/account/activities", {"page_size": 1, "activity_types": "FILL"})
    following = client.get("/account/activities", {"page_size": 1, "page_token": page[0]["id"]})
    assert [one["id"] for one in following] != [page[0]["id"]]


def test_assets_clock_and_calendar_are_parsed(client: TradingClient) -> None:
    assets = client.get_all_assets()
    assert {asset.symbol for asset in assets} >= {"AAPL", "SPY", "XOM"}
    assert client.get_asset("SPY").id == client.get_asset(str(client.get_asset("SPY").id)).id
    clock = client.get_clock()
    assert clock.is_open
    assert clock.next_close > clock.timestamp
    days = client.get_calendar(GetCalendarRequest(start=date(2026, 11, 25), end=date(2026, 11, 27)))
    assert [(day.date.day, day.close.hour) for day in days] == [(25, 16), (27, 13)]


def test_latest_prices_and_snapshots_are_parsed(client: TradingClient, data: StockHistoricalDataClient) -> None:
    quotes = data.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols=["AAPL", "SPY"]))
    assert (quotes["AAPL"].bid_price, quotes["AAPL"].ask_price) == (249.9, 250.0)
    trades = data.get_stock_latest_trade(StockLatestTradeRequest(symbol_or_symbols="AAPL"))
    assert trades["AAPL"].price == 249.95
    bars = data.get_stock_latest_bar(StockLatestBarRequest(symbol_or_symbols="SPY"))
    assert bars["SPY"].high >= bars["SPY"].low
    snapshot = data.get_stock_snapshot(StockSnapshotRequest(symbol_or_symbols="NVDA"))["NVDA"]
    assert snapshot.previous_daily_bar.timestamp < snapshot.daily_bar.timestamp


def test_history_comes_in_pages_and_is_complete(data: StockHistoricalDataClient) -> None:
    end = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=1)
    start = end - timedelta(minutes=12_000)
    request = StockBarsRequest(symbol_or_symbols=["AAPL", "SPY"], timeframe=TimeFrame.Minute, start=start, end=end)
    bars = data.get_stock_bars(request)
    for symbol in ("AAPL", "SPY"):
        times = [bar.timestamp for bar in bars[symbol]]
        assert times == [start + timedelta(minutes=n) for n in range(12_001)]
    days = data.get_stock_bars(
        StockBarsRequest(symbol_or_symbols="XOM", timeframe=TimeFrame.Day, start=end - timedelta(days=30))
    )
    assert len(days["XOM"]) >= 18
    quotes = data.get_stock_quotes(
        StockQuotesRequest(symbol_or_symbols="SPY", start=end - timedelta(minutes=1), end=end)
    )
    assert 230 <= len(quotes["SPY"]) <= 241


@asynccontextmanager
async def running(stream: Any) -> AsyncIterator[None]:
    """Run one of alpaca-py's streams, and close its socket at the end."""
    task = asyncio.create_task(stream._run_forever())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await stream.close()


async def connected(stream: Any) -> None:
    """Wait until a stream has authenticated."""
    async with asyncio.timeout(WAIT_S):
        while not stream._running:  # noqa: ASYNC110  # alpaca-py offers no event to wait for
            await asyncio.sleep(0.01)


def name(update: Any) -> str:
    """Return an event's name, which alpaca-py gives as an enum or as a plain string."""
    return str(getattr(update.event, "value", update.event))


def test_trade_updates_tell_the_life_of_every_order(simulator: RunningSimulator, client: TradingClient) -> None:
    async def scenario() -> list[Any]:
        told: asyncio.Queue[Any] = asyncio.Queue()
        stream = TradingStream("KEY", "SECRET", url_override=simulator.ready["stream_url"])
        stream.subscribe_trade_updates(told.put)
        seen: list[Any] = []

        async def awaited(event: str) -> None:
            async with asyncio.timeout(WAIT_S):
                seen.append(await told.get())
                while name(seen[-1]) != event:
                    seen.append(await told.get())

        async with running(stream):
            await connected(stream)
            await asyncio.to_thread(buy, client, 10)
            await awaited("fill")
            order = await asyncio.to_thread(limit, client, 400)
            await awaited("new")
            change = ReplaceOrderRequest(limit_price=401)
            fresh = await asyncio.to_thread(client.replace_order_by_id, order.id, change)
            await awaited("new")
            await asyncio.to_thread(client.cancel_order_by_id, fresh.id)
            await awaited("canceled")
        return seen

    seen = asyncio.run(scenario())
    events = [name(update) for update in seen]
    bought = ["pending_new", "new", "fill"]
    waited = ["pending_new", "new", "pending_replace", "replaced", "new", "pending_cancel", "canceled"]
    assert events == bought + waited
    fill = seen[2]
    assert (fill.price, fill.qty, fill.position_qty) == (250, 10, 10)
    assert fill.order.status.value == "filled"
    assert seen[6].order.replaced_by == seen[7].order.id


def test_quotes_trades_and_bars_are_streamed_as_msgpack(simulator: RunningSimulator) -> None:
    async def scenario() -> dict[str, Any]:
        told: asyncio.Queue[Any] = asyncio.Queue()
        stream = StockDataStream("KEY", "SECRET", url_override=simulator.ready["data_stream_url"])
        stream.subscribe_quotes(told.put, "SPY", "NVDA")
        stream.subscribe_trades(told.put, "TSLA")
        found: dict[str, Any] = {}
        async with running(stream), asyncio.timeout(WAIT_S):
            while set(found) != {"SPY", "NVDA", "TSLA"}:
                item = await told.get()
                found[item.symbol] = item
        return found

    found = asyncio.run(scenario())
    assert found["SPY"].ask_price > found["SPY"].bid_price > 0
    assert found["TSLA"].price > 0
    assert abs(datetime.now(UTC) - found["SPY"].timestamp) < timedelta(minutes=1)


def test_wrong_keys_are_401(simulator: RunningSimulator) -> None:
    client = TradingClient("KEY", "WRONG", url_override=simulator.url)
    with pytest.raises(APIError) as refused:
        client.get_account()
    assert refused.value.status_code == 401
    client._session.close()


def test_watchlists_are_made_changed_and_deleted(client: TradingClient) -> None:
    made = client.create_watchlist(CreateWatchlistRequest(name="tech", symbols=["AAPL", "MSFT"]))
    assert [asset.symbol for asset in made.assets] == ["AAPL", "MSFT"]
    client.add_asset_to_watchlist_by_id(made.id, "NVDA")
    client.remove_asset_from_watchlist_by_id(made.id, "AAPL")
    client.update_watchlist_by_id(made.id, UpdateWatchlistRequest(name="chips"))
    found = client.get_watchlist_by_id(made.id)
    assert (found.name, [asset.symbol for asset in found.assets]) == ("chips", ["MSFT", "NVDA"])
    assert [one.id for one in client.get_watchlists()] == [made.id]
    client.delete_watchlist_by_id(made.id)
    assert client.get_watchlists() == []


def test_what_surrounds_equities_is_answered_truthfully(simulator: RunningSimulator, client: TradingClient) -> None:
    assert client.get_option_contracts(GetOptionContractsRequest()).option_contracts == []
    since = date(2026, 11, 1)
    asked = GetCorporateAnnouncementsRequest(ca_types=["dividend"], since=since, until=since + timedelta(days=9))
    assert client.get_corporate_announcements(asked) == []
    screener = ScreenerClient("KEY", "SECRET", url_override=simulator.url)
    active = screener.get_most_actives(MostActivesRequest(top=3, by=MostActivesBy.VOLUME)).most_actives
    assert [row.volume for row in active] == sorted((row.volume for row in active), reverse=True)
    movers = screener.get_market_movers(MarketMoversRequest(top=5, market_type=MarketType.STOCKS))
    assert all(row.change > 0 for row in movers.gainers)
    assert all(row.change < 0 for row in movers.losers)
    screener._session.close()

"""Alpaca's own MCP server, unchanged in an environment of its own, trades at a running simulator."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.alpaca_mcp import environment
from tests.integration.alpaca_mcp.client import McpServer, ToolError
from tests.unit.simulator.process import RunningSimulator, until

pytestmark = [pytest.mark.timeout(300)]  # the first run installs packages

SERVER = Path(environment.__file__).with_name("server.py")
TOOLSETS = "account,trading,watchlists,assets,locates"
DOCUMENTATION = {
    "fetch_alpaca_doc",
    "get_alpaca_endpoint_docs",
    "list_alpaca_api_endpoints",
    "search_alpaca_api_specs",
    "search_alpaca_docs",
}
LIMIT = {"symbol": "AAPL", "side": "buy", "qty": "2", "type": "limit", "limit_price": "100"}


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSimulator]:
    running = RunningSimulator(tmp_path_factory.mktemp("mcp") / "data")
    running.pin("AAPL", "249.90", "250.00")
    yield running
    running.close()


@pytest.fixture(scope="module")
def mcp(simulator: RunningSimulator) -> Iterator[McpServer]:
    variables = {
        "ALPACA_API_KEY": simulator.key_id,
        "ALPACA_SECRET_KEY": simulator.secret_key,
        "ALPACA_TOOLSETS": TOOLSETS,
        "FASTMCP_CHECK_FOR_UPDATES": "off",
    }
    command = [str(environment.python()), str(SERVER), simulator.url]
    server = McpServer(command, variables, simulator.folder.parent / "mcp.log")
    yield server
    server.close()


def status(mcp: McpServer, order: Any) -> str:
    return mcp.call("get_order_by_id", order_id=order["id"])["status"]


def resting(mcp: McpServer, **fields: Any) -> Any:
    """Return an order that rests far below the market."""
    order = mcp.call("place_stock_order", **{**LIMIT, **fields})
    until(lambda: status(mcp, order) == "new")
    return order


def holding(mcp: McpServer) -> None:
    """Hold some shares."""
    mcp.call("place_stock_order", symbol="AAPL", side="buy", qty="5")
    until(lambda: mcp.call("get_all_positions"))


def watchlist(mcp: McpServer) -> str:
    return mcp.call("create_watchlist", name=str(uuid.uuid4()), symbols=["AAPL"])["id"]


def refused(mcp: McpServer, tool: str, **arguments: Any) -> str:
    with pytest.raises(ToolError) as error:
        mcp.call(tool, **arguments)
    return str(error.value)


def test_an_order_is_placed_listed_replaced_and_canceled(mcp: McpServer) -> None:
    order = resting(mcp, client_order_id="by-mcp")
    assert [one["client_order_id"] for one in mcp.call("get_orders", status="open", symbols="AAPL")] == ["by-mcp"]
    fresh = mcp.call("replace_order_by_id", order_id=order["id"], qty="3", limit_price="101")
    assert (fresh["replaces"], fresh["qty"], fresh["limit_price"]) == (order["id"], "3", "101")
    until(lambda: status(mcp, fresh) == "new")
    assert status(mcp, order) == "replaced"
    mcp.call("cancel_order_by_id", order_id=fresh["id"])
    until(lambda: status(mcp, fresh) == "canceled")
    assert mcp.call("get_orders") == []


def test_a_bracket_with_one_exit_is_refused_by_name_and_one_with_both_is_taken(mcp: McpServer) -> None:
    assert "bracket orders require stop_loss.stop_price" in refused(
        mcp, "place_stock_order", **LIMIT, take_profit_limit_price="300"
    )
    order = mcp.call(
        "place_stock_order",
        **{**LIMIT, "limit_price": "240"},
        take_profit_limit_price="300",
        stop_loss_stop_price="200",
    )
    assert [leg["status"] for leg in order["legs"]] == ["held", "held"]
    (listed,) = mcp.call("get_orders", nested=True)
    assert [leg["group_role"] for leg in listed["legs"]] == ["take_profit", "stop_loss"]
    mcp.call("cancel_all_orders")
    until(lambda: mcp.call("get_orders") == [])


def test_an_order_against_the_rules_comes_back_with_brokers_code(mcp: McpServer) -> None:
    assert "40310000" in refused(mcp, "place_stock_order", symbol="AAPL", side="buy", qty="1000000")
    assert "42210000" in refused(mcp, "place_crypto_order", symbol="BTC/USD", side="buy", qty="1")
    assert "42210000" in refused(mcp, "place_option_order", symbol="AAPL261218C00250000", side="buy", qty="1")


def _place_stock_order(mcp: McpServer) -> None:
    assert resting(mcp, trail_price=None)["order_class"] == ""


def _place_crypto_order(mcp: McpServer) -> None:
    assert "422" in refused(mcp, "place_crypto_order", symbol="BTC/USD", side="buy", qty="1")


def _place_option_order(mcp: McpServer) -> None:
    legs = [{"symbol": "AAPL261218C00250000", "ratio_qty": "1", "side": "buy"}] * 2
    assert "mleg" in refused(mcp, "place_option_order", qty="1", legs=legs)


def _get_orders(mcp: McpServer) -> None:
    order = resting(mcp)
    assert order["id"] in {one["id"] for one in mcp.call("get_orders", asset_class=["us_equity", "crypto"], limit=10)}


def _get_order_by_id(mcp: McpServer) -> None:
    assert mcp.call("get_order_by_id", order_id=resting(mcp)["id"], nested=True)["legs"] is None


def _get_order_by_client_id(mcp: McpServer) -> None:
    order = resting(mcp)
    assert mcp.call("get_order_by_client_id", client_order_id=order["client_order_id"])["id"] == order["id"]


def _replace_order_by_id(mcp: McpServer) -> None:
    order = resting(mcp)
    assert "not changed" in refused(mcp, "replace_order_by_id", order_id=order["id"], limit_price="100")


def _cancel_order_by_id(mcp: McpServer) -> None:
    assert "404" in refused(mcp, "cancel_order_by_id", order_id=str(uuid.uuid4()))


def _cancel_all_orders(mcp: McpServer) -> None:
    order = resting(mcp)
    assert {"id": order["id"], "status": 200} in mcp.call("cancel_all_orders")


def _get_all_positions(mcp: McpServer) -> None:
    holding(mcp)


def _get_open_position(mcp: McpServer) -> None:
    holding(mcp)
    assert mcp.call("get_open_position", symbol_or_asset_id="AAPL")["avg_entry_price"] == "250"


def _close_position(mcp: McpServer) -> None:
    holding(mcp)
    until(lambda: mcp.call("get_orders") == [])
    assert mcp.call("close_position", symbol_or_asset_id="AAPL", percentage=50)["side"] == "sell"


def _close_all_positions(mcp: McpServer) -> None:
    holding(mcp)
    assert [one["symbol"] for one in mcp.call("close_all_positions", cancel_orders=True)] == ["AAPL"]
    until(lambda: mcp.call("get_all_positions") == [])


def _exercise_options_position(mcp: McpServer) -> None:
    assert "403" in refused(mcp, "exercise_options_position", symbol_or_contract_id="AAPL261218C00250000")


def _do_not_exercise_options_position(mcp: McpServer) -> None:
    assert "403" in refused(mcp, "do_not_exercise_options_position", symbol_or_contract_id="AAPL261218C00250000")


def _get_account_info(mcp: McpServer) -> None:
    assert mcp.call("get_account_info")["status"] == "ACTIVE"


def _get_account_config(mcp: McpServer) -> None:
    assert mcp.call("get_account_config")["suspend_trade"] is False


def _update_account_config(mcp: McpServer) -> None:
    assert mcp.call("update_account_config", no_shorting=True)["no_shorting"] is True
    assert mcp.call("update_account_config", no_shorting=False)["no_shorting"] is False


def _get_portfolio_history(mcp: McpServer) -> None:
    asked = {"period": "1D", "timeframe": "1Min", "intraday_reporting": "continuous", "pnl_reset": "no_reset"}
    until(lambda: mcp.call("get_portfolio_history", **asked)["equity"])


def _get_account_activities(mcp: McpServer) -> None:
    holding(mcp)
    fills = mcp.call("get_account_activities", activity_types=["FILL", "DIV"], page_size=1)
    assert [fill["activity_type"] for fill in fills] == ["FILL"]
    assert mcp.call("get_account_activities", category="non_trade_activity") == []


def _get_account_activities_by_type(mcp: McpServer) -> None:
    assert mcp.call("get_account_activities_by_type", activity_type="DIV") == []


def _get_all_assets(mcp: McpServer) -> None:
    assert {one["class"] for one in mcp.call("get_all_assets", status="active")} == {"us_equity"}


def _get_asset(mcp: McpServer) -> None:
    assert mcp.call("get_asset", symbol_or_asset_id="AAPL")["tradable"] is True


def _get_calendar(mcp: McpServer) -> None:
    days = mcp.call("get_calendar", start="2026-11-27", end="2026-11-30", date_type="SETTLEMENT")
    assert [day["date"] for day in days] == ["2026-11-25", "2026-11-27"]


def _get_clock(mcp: McpServer) -> None:
    assert mcp.call("get_clock")["is_open"] is True


def _get_option_contracts(mcp: McpServer) -> None:
    assert mcp.call("get_option_contracts", underlying_symbols="AAPL")["option_contracts"] == []


def _get_option_contract(mcp: McpServer) -> None:
    assert "404" in refused(mcp, "get_option_contract", symbol_or_id="AAPL261218C00250000")


def _get_corporate_action_announcements(mcp: McpServer) -> None:
    asked = {"ca_types": "dividend,split", "since": "2026-11-01", "until": "2026-11-20"}
    assert mcp.call("get_corporate_action_announcements", **asked) == []


def _get_corporate_action_announcement(mcp: McpServer) -> None:
    assert "404" in refused(mcp, "get_corporate_action_announcement", id=str(uuid.uuid4()))


def _get_watchlists(mcp: McpServer) -> None:
    made = watchlist(mcp)
    assert made in {one["id"] for one in mcp.call("get_watchlists")}


def _get_watchlist_by_id(mcp: McpServer) -> None:
    found = mcp.call("get_watchlist_by_id", watchlist_id=watchlist(mcp))
    assert [asset["symbol"] for asset in found["assets"]] == ["AAPL"]


def _create_watchlist(mcp: McpServer) -> None:
    assert watchlist(mcp)


def _update_watchlist_by_id(mcp: McpServer) -> None:
    changed = mcp.call("update_watchlist_by_id", watchlist_id=watchlist(mcp), name=str(uuid.uuid4()), symbols=["SPY"])
    assert [asset["symbol"] for asset in changed["assets"]] == ["SPY"]


def _add_asset_to_watchlist_by_id(mcp: McpServer) -> None:
    changed = mcp.call("add_asset_to_watchlist_by_id", watchlist_id=watchlist(mcp), symbol="SPY")
    assert [asset["symbol"] for asset in changed["assets"]] == ["AAPL", "SPY"]


def _remove_asset_from_watchlist_by_id(mcp: McpServer) -> None:
    changed = mcp.call("remove_asset_from_watchlist_by_id", watchlist_id=watchlist(mcp), symbol="AAPL")
    assert changed["assets"] == []


def _delete_watchlist_by_id(mcp: McpServer) -> None:
    made = watchlist(mcp)
    mcp.call("delete_watchlist_by_id", watchlist_id=made)
    assert "404" in refused(mcp, "get_watchlist_by_id", watchlist_id=made)


def _create_locate(mcp: McpServer) -> None:
    asked = {"Idempotency-Key": str(uuid.uuid4()), "symbol": "AAPL", "quantity": 100}
    assert "403" in refused(mcp, "create_locate", **asked)


def _get_locates(mcp: McpServer) -> None:
    assert "403" in refused(mcp, "get_locates")


def _get_locate(mcp: McpServer) -> None:
    assert "403" in refused(mcp, "get_locate", locate_id=str(uuid.uuid4()))


def _get_locate_quotes(mcp: McpServer) -> None:
    assert "403" in refused(mcp, "get_locate_quotes", symbols="AAPL")


# Each function above tries the tool of its name.
TRIALS: dict[str, Callable[[McpServer], None]] = {
    name.removeprefix("_"): trial
    for name, trial in list(globals().items())
    if name.startswith("_") and not name.startswith("__") and callable(trial)
}


def test_no_tool_that_trades_is_left_out(mcp: McpServer) -> None:
    assert set(TRIALS) == mcp.tools() - DOCUMENTATION


@pytest.mark.parametrize("tool", sorted(TRIALS))
def test_the_answer_to_every_tool_is_what_it_expects(mcp: McpServer, tool: str) -> None:
    TRIALS[tool](mcp)
    mcp.call("close_all_positions", cancel_orders=True)
    until(lambda: mcp.call("get_all_positions") == [] and mcp.call("get_orders") == [])

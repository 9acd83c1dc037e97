"""What the words on the line come to: intents of every kind, and how long one is followed."""

import asyncio
from decimal import Decimal
from typing import Any, cast

import pytest

from contracts.decisions import Decision, Evidence
from contracts.enums import Action, OrderClass, OrderType, Outcome, Side, TimeInForce
from contracts.ids import AgentId, IntentId, OrderId, Symbol
from contracts.intents import CancelAllIntent, CancelIntent, CloseIntent, Intent, ReplaceIntent, SubmitIntent
from contracts.orders import OrderCanceled, OrderCancelRequested, OrderReplaced, OrderTerms
from services.cli import changing, submit
from services.cli.app import main
from services.cli.credential_files import Participant
from services.cli.lines import terms_text
from services.cli.stating import Statement
from tests.risk_world import NOW

D, T, K = Decimal, OrderType, OrderClass


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every intent that a command would state."""
    stated: list[Any] = []

    def keep(intent: Intent, _: object) -> int:
        stated.append(intent)
        return 0

    for module in (submit, changing):
        monkeypatch.setattr(module, "state_as_agent", keep)
    monkeypatch.setattr(changing, "state_as_operator", keep)
    return stated


@pytest.mark.parametrize(
    ("words", "kind", "order_class"),
    [
        ("buy 10", T.MARKET, K.SIMPLE),
        ("buy --notional 500", T.MARKET, K.SIMPLE),
        ("buy 10 --limit-price 189", T.LIMIT, K.SIMPLE),
        ("buy 10 --stop-price 195", T.STOP, K.SIMPLE),
        ("buy 10 --stop-price 195 --limit-price 196", T.STOP_LIMIT, K.SIMPLE),
        ("sell 10 --trail-price 2", T.TRAILING_STOP, K.SIMPLE),
        ("sell 10 --trail-percent 2", T.TRAILING_STOP, K.SIMPLE),
        ("buy 10 --take-profit 199", T.MARKET, K.OTO),
        ("buy 10 --stop-loss 180 --stop-loss-limit 179", T.MARKET, K.OTO),
        ("buy 10 --limit-price 189 --take-profit 199 --stop-loss 180", T.LIMIT, K.BRACKET),
        ("sell 10 --class oco --take-profit 199 --stop-loss 180", T.LIMIT, K.OCO),
        ("buy 10 --type limit", T.LIMIT, K.SIMPLE),
        ("buy 10 --type stop_limit --limit-price 1", T.STOP_LIMIT, K.SIMPLE),
    ],
)
def test_prices_imply_the_type_and_exits_the_class(
    said: list[Any], words: str, kind: OrderType, order_class: OrderClass
) -> None:
    assert main(["submit", "aapl", *words.split()]) == 0
    (intent,) = said
    assert isinstance(intent, SubmitIntent)
    assert (intent.symbol, intent.order_type, intent.order_class) == ("AAPL", kind, order_class)


def test_every_term_on_the_line_reaches_the_intent(said: list[Any]) -> None:
    line = "submit AAPL sell 10 --class oco --take-profit 199 --stop-loss 180 --stop-loss-limit 179 --tif gtc"
    assert main([*line.split(), "--extended-hours", "--reason", "why", "--intent-id", "i-1"]) == 0
    (intent,) = said
    assert (intent.take_profit.limit_price, intent.stop_loss.stop_price) == (D(199), D(180))
    assert (intent.stop_loss.limit_price, intent.time_in_force, intent.extended_hours) == (D(179), "gtc", True)
    assert (intent.intent_id, intent.meta.reason) == ("i-1", "why")


def test_orders_and_positions_that_there_are_can_be_changed(said: list[Any]) -> None:
    for line in (
        "replace lg-1 --qty 5 --limit-price 190 --stop-price 180 --trail 1.5 --tif gtc",
        "cancel lg-1 --reason why",
        "cancel-all",
        "cancel-all --symbol aapl",
        "cancel-all --agent demo --entries-only",
        "close aapl",
        "close AAPL --percent 12.5 --dry-run",
    ):
        assert main(line.split()) == 0
    replaced, canceled, everything, some, theirs, close, part = said
    assert isinstance(replaced, ReplaceIntent)
    assert (replaced.order_id, replaced.qty, replaced.limit_price) == ("lg-1", D(5), D(190))
    assert (replaced.stop_price, replaced.trail, replaced.time_in_force) == (D(180), D("1.5"), TimeInForce.GTC)
    assert isinstance(canceled, CancelIntent)
    assert canceled.meta.reason == "why"
    assert isinstance(everything, CancelAllIntent)
    assert (everything.symbol, some.symbol) == (None, "AAPL")
    assert (some.agent, some.entries_only, theirs.agent, theirs.entries_only) == (None, False, "demo", True)
    assert isinstance(close, CloseIntent)
    assert (close.symbol, close.qty, close.percent, part.percent) == ("AAPL", None, None, D("12.5"))


def test_conditions_on_the_line_reach_every_kind_of_intent(said: list[Any]) -> None:
    told = "--if-position -3 --if-state-seq 12 --expected-price 189.1 --tolerance-bps 5 --dry-run"
    for line in ("submit AAPL buy 10", "replace lg-1 --qty 5", "close AAPL"):
        assert main([*line.split(), *told.split()]) == 0
    for intent in said:
        conditions = intent.if_position, intent.if_state_seq, intent.expected_price, intent.price_tolerance_bps
        assert (*conditions, intent.dry_run) == (D(-3), 12, D("189.1"), D(5), True)


def test_terms_are_told_whole() -> None:
    terms = OrderTerms(symbol=Symbol("AAPL"), side=Side.SELL, order_type=T.TRAILING_STOP, qty=D(10))
    for more, told in (
        ({"trail_percent": D("2.5")}, "sell 10 AAPL trailing by 2.5 % day"),
        ({"trail_price": D(2)}, "sell 10 AAPL trailing by 2 day"),
        ({"order_type": T.MARKET, "notional_usd": D(500)}, "sell 500 USD of AAPL market day"),
        ({"limit_price": D(9), "stop_price": D(8)}, "sell 10 AAPL limit 9 stop 8 day"),
    ):
        fields = {name: getattr(terms, name) for name in terms.__struct_fields__} | more
        assert terms_text(OrderTerms(**fields)) == told


def decision(action: Action, *order_ids: str, order_id: str | None = None) -> Decision:
    return Decision(
        epoch=1,
        at=NOW,
        agent=AgentId("demo"),
        intent_id=IntentId("i"),
        action=action,
        outcome=Outcome.APPROVED,
        order_id=None if order_id is None else OrderId(order_id),
        order_ids=tuple(OrderId(one) for one in order_ids),
        evidence=Evidence(received_at=NOW, decided_at=NOW, trading_day=NOW.date()),
        state_seq=0,
        limits_version=1,
        code_version="test",
    )


def followed(of: Decision, *events: Any) -> list[Any]:
    """Everything that following a decision yields, of these events."""

    async def follow() -> list[Any]:
        nowhere = dict.fromkeys(("nats_url", "nkey_seed", "http_url", "api_key", "inbox_prefix"), "")
        who = Participant(account="paper", agent="demo", **nowhere)
        statement = Statement(cast("Any", None), who, CancelIntent(intent_id=IntentId("i"), order_id=OrderId("a")))
        for event in events:
            statement._orders.put_nowait(event)  # pyright: ignore[reportPrivateUsage]
        return [event async for event in statement.until_over(of)]

    return asyncio.run(follow())


def on(order_id: str) -> dict[str, Any]:
    return {"epoch": 1, "at": NOW, "order_id": OrderId(order_id)}


def test_a_cancel_of_all_is_followed_until_every_order_has_ended() -> None:
    asked = OrderCancelRequested(**on("a"), requested_by=AgentId("demo"))
    ends = [OrderCanceled(**on(order_id)) for order_id in ("a", "other", "b")]
    assert followed(decision(Action.CANCEL_ALL, "a", "b"), asked, *ends) == [asked, ends[0], ends[2]]
    assert followed(decision(Action.CANCEL_ALL)) == []


def test_a_replace_is_followed_until_the_order_is_replaced() -> None:
    terms = OrderTerms(symbol=Symbol("AAPL"), side=Side.BUY, order_type=T.MARKET, qty=D(1))
    done = OrderReplaced(**on("a"), broker_order_id="b", terms=terms)
    assert followed(decision(Action.REPLACE, order_id="a"), done) == [done]

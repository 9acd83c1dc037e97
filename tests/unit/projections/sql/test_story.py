"""The story of an intent or order, as the trail tells it."""

from decimal import Decimal

import pytest

from contracts.enums import OrderStatus, Outcome
from contracts.ids import OPERATOR, AgentId
from contracts.orders import OrderFilled
from projections.sql.story import AmbiguousIdError, story
from projections.sql.trail import EventFilter, events
from tests.read_models import KINDS, location_of, opened, stretch
from tests.story_events import (
    AAPL,
    AGENT,
    OPEN,
    approved,
    denied,
    epoch_taken,
    filled,
    limits_set,
    order_id,
    short_day,
)


@pytest.fixture(params=KINDS)
def trail(request, tmp_path):
    """A function that stores a day's events and opens the trail for reading, in both databases."""
    kind, readers = request.param, []
    url = request.getfixturevalue("postgres_url") if kind == "postgresql" else None

    def stored(day):
        location = location_of(kind, tmp_path, url)
        store = opened(location)
        stretch(store, list(day))
        store.close()
        readers.append(location.open_reader())
        return readers[-1]

    yield stored
    for reader in readers:
        reader.close()


def test_story_of_a_filled_intent_has_decision_order_fills_position_and_headroom(trail):
    told = story(trail(short_day()), "i1")
    assert told is not None
    assert (told.agent, told.intent_id, told.order_id, told.symbol) == (AGENT, "i1", order_id("i1"), AAPL)
    assert told.decision.outcome is Outcome.APPROVED
    assert told.intent.limit_price == Decimal("189.12")
    assert [event.type for event in told.order_events] == ["order.acknowledged", *["order.filled"] * 3]
    assert [fill.fill_id for fill in told.fills] == ["x1", "x2"]
    assert told.order.status is OrderStatus.FILLED
    assert told.position_before.qty == 5
    assert told.position_after.qty == 15
    assert told.position_after.avg_price == (5 * 180 + 4 * 189 + 6 * 190) / Decimal(15)
    assert told.headroom_after.position_usd == Decimal("8108.8")
    assert told.last_seq == 13


def test_story_by_order_id_is_the_story_of_the_intent_it_came_from(trail):
    connection = trail(short_day())
    assert story(connection, order_id("i1")) == story(connection, "i1")


def test_story_of_a_canceled_order_names_the_cancel_and_ignores_void_fills(trail):
    told = story(trail(short_day()), "i2")
    assert [(other.intent_id, other.event.action) for other in told.others] == [("c2", "cancel")]
    assert told.order.status is OrderStatus.CANCELED
    assert told.order.filled_qty == 0
    assert told.fills == ()
    void = [event for event in told.order_events if not event.admitted]
    assert [event.event.fill_id for event in void] == ["x9"]


def test_story_of_a_cancel_intent_follows_the_order_it_cancels(trail):
    told = story(trail(short_day()), "c2")
    assert told.decision.action == "cancel"
    assert told.order_id == order_id("i2")
    assert told.symbol == AAPL
    assert [other.intent_id for other in told.others] == ["i2"]
    assert told.order.status is OrderStatus.CANCELED


def test_story_of_a_denied_intent_ends_with_the_denial(trail):
    told = story(trail(short_day()), "i3")
    assert told.decision.outcome is Outcome.DENIED
    assert told.intent is None
    assert told.symbol == AAPL
    assert told.order is None
    assert told.order_events == told.fills == ()
    assert told.position_after.qty == 15


def test_story_of_an_unknown_id_is_none(trail):
    assert story(trail(short_day()), "nobody") is None


def test_story_asks_for_the_agent_when_several_used_the_same_intent_id(trail):
    other = AgentId("other")
    connection = trail([limits_set(), approved("same"), approved("same", agent=other), approved("own", agent=other)])
    with pytest.raises(AmbiguousIdError) as caught:
        story(connection, "same")
    assert caught.value.agents == (AGENT, other)
    assert story(connection, "same", other).order_id == order_id("same", other)
    assert story(connection, "own", AGENT) is None
    assert story(connection, order_id("own", other), OPERATOR) is None


def test_an_agents_claims_cannot_put_a_false_symbol_on_anothers_order(trail):
    claim = f'{{"symbol":"EVIL","order_id":"{order_id("i1")}"}}'.encode()
    connection = trail(
        [denied("evil", claim, action=None, agent=AgentId("eve")), approved("i1"), filled("i1", "x", "10", "10")]
    )
    told = story(connection, order_id("i1"))
    assert told.symbol == AAPL
    assert told.others == ()


def test_events_are_found_by_type_agent_symbol_time_correlation_and_place(trail):
    connection = trail(short_day())
    every = events(connection)
    assert [event.seq for event in every] == list(range(1, 20))
    assert [e.seq for e in events(connection, EventFilter(type="order.filled.v1"))] == [8, 10, 13, 17]
    assert events(connection, EventFilter(type="order.filled")) == events(
        connection, EventFilter(type="order.filled.v1")
    )
    assert [e.seq for e in events(connection, EventFilter(correlation_id="c2"))] == [11]
    assert {e.seq for e in events(connection, EventFilter(symbol=AAPL))} == {4, *range(5, 16), 17}
    assert [e.seq for e in events(connection, EventFilter(admitted=False))] == [17]
    assert events(connection, EventFilter(since=OPEN, until=OPEN)) == ()
    assert len(events(connection, EventFilter(since=OPEN))) == 19
    assert [e.seq for e in events(connection, EventFilter(agent=AGENT, after_seq=14))] == [15, 17]
    assert [e.seq for e in events(connection, limit=2, newest_first=True)] == [19, 18]


def test_events_come_back_typed_with_their_place_and_digest(trail):
    found = events(trail(short_day()), EventFilter(type="order.filled"), limit=1)[0]
    assert isinstance(found.event, OrderFilled)
    assert (found.version, found.at, found.event_at, found.epoch) == (1, OPEN, OPEN, 1)
    assert len(found.digest) == 64


def test_rows_say_who_may_still_write(trail):
    connection = trail([epoch_taken("oms", 2), filled("i1", "x", "1", "1", epoch=1), epoch_taken("oms", 1)])
    assert [event.admitted for event in events(connection)] == [True, False, False]

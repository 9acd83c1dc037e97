"""What rests where: the fold equals a look at all orders, and says of each whether it could meet one of them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map
from msgspec.structs import replace

from contracts.enums import OrderClass, OrderStatus, OrderType, Side
from contracts.ids import AgentId, OrderId, Symbol
from contracts.orders import OrderTerms
from projections import resting
from projections.order_state import OrderState, Replacement
from projections.resting import NOTHING_RESTS, Resting

S, T = OrderStatus, OrderType
AAPL = Symbol("AAPL")
LIVE = [S.PENDING_SUBMIT, S.UNKNOWN, S.WORKING, S.PENDING_CANCEL]


def terms(side: Side, kind: OrderType, limit: int | None = None, form: OrderClass = OrderClass.SIMPLE) -> OrderTerms:
    return OrderTerms(
        symbol=AAPL,
        side=side,
        order_type=kind,
        qty=Decimal(1),
        limit_price=None if limit is None else Decimal(limit),
        order_class=form,
    )


LIMITS = st.builds(
    terms,
    st.sampled_from(Side),
    st.sampled_from([T.LIMIT, T.STOP_LIMIT]),
    st.integers(90, 110),
    st.sampled_from([OrderClass.SIMPLE, OrderClass.SIMPLE, OrderClass.BRACKET]),
)
OTHERS = st.builds(terms, st.sampled_from(Side), st.sampled_from([T.MARKET, T.STOP, T.TRAILING_STOP]))
TERMS = LIMITS | OTHERS


def order(number: int, asked: OrderTerms, status: OrderStatus = S.WORKING, group: str | None = None) -> OrderState:
    return OrderState(
        order_id=OrderId(f"o{number}"),
        agent=AgentId("ada"),
        intent_id=None,
        terms=asked,
        worst_price=Decimal(100),
        reduces=False,
        status=status,
        resting=status,
        decision_seq=number,
        valid_until=None,
        group_id=None if group is None else OrderId(group),
    )


def replacing(one: OrderState, asked: OrderTerms) -> OrderState:
    wanted = replace(asked, side=one.terms.side)
    new = Replacement(terms=wanted, worst_price=Decimal(1), requested_by=one.agent, decision_seq=0, valid_until=None)
    return replace(one, replacement=new)


def lists(one: OrderState) -> list[OrderTerms]:
    """All terms under which an order may trade now."""
    if one.is_terminal or one.status is S.HELD:
        return []
    return [one.terms] if one.replacement is None else [one.terms, one.replacement.terms]


def is_alone(asked: OrderTerms, group: OrderId | None) -> bool:
    return group is None and asked.order_class is OrderClass.SIMPLE and asked.order_type is not T.TRAILING_STOP


def could_meet(known: list[OrderState], asked: OrderTerms) -> bool:
    """Compare with every order there is, as the broker does."""
    for other in known:
        for theirs in lists(other):
            if theirs.side is asked.side:
                continue
            both_limited = theirs.limit_price is not None and asked.limit_price is not None
            if both_limited:
                buy, sell = (asked, theirs) if asked.side is Side.BUY else (theirs, asked)
                assert buy.limit_price is not None
                assert sell.limit_price is not None
                if buy.limit_price >= sell.limit_price:
                    return True
            elif is_alone(asked, None) and is_alone(theirs, other.group_id):
                return True
    return False


STEPS = st.lists(
    st.tuples(st.integers(0, 7), TERMS, st.sampled_from([*LIVE, S.HELD, S.CANCELED]), st.booleans(), st.booleans()),
    max_size=40,
)


@given(STEPS, TERMS)
def test_the_fold_equals_a_look_at_all_orders(
    steps: list[tuple[int, OrderTerms, OrderStatus, bool, bool]], asked: OrderTerms
) -> None:
    known: dict[int, OrderState] = {}
    rests: Map[Symbol, Resting] = Map()
    for number, its_terms, status, in_group, changes in steps:
        old = known.get(number)
        if old is not None and changes:
            new = replace(replacing(old, its_terms), status=status)
        elif old is not None:
            new = replace(old, status=status, replacement=None)
        else:
            new = order(number, its_terms, status, "g" if in_group else None)
        rests, known[number] = resting.after_order(rests, old, new), new
        assert could_meet(list(known.values()), asked) is (
            resting.meeting(rests.get(AAPL, NOTHING_RESTS), asked) is not None
        )
    from_scratch: Map[Symbol, Resting] = Map()
    for one in known.values():
        from_scratch = resting.after_order(from_scratch, None, one)
    assert rests == from_scratch


@pytest.mark.parametrize(
    ("mine", "theirs", "met"),
    [
        (terms(Side.BUY, T.LIMIT, 100), terms(Side.SELL, T.LIMIT, 100), True),
        (terms(Side.BUY, T.LIMIT, 99), terms(Side.SELL, T.LIMIT, 100), False),
        (terms(Side.SELL, T.LIMIT, 99), terms(Side.BUY, T.STOP_LIMIT, 99), True),
        (terms(Side.BUY, T.MARKET), terms(Side.SELL, T.LIMIT, 500), True),
        (terms(Side.BUY, T.LIMIT, 1), terms(Side.SELL, T.STOP), True),
        (terms(Side.BUY, T.STOP), terms(Side.SELL, T.STOP), True),
        (terms(Side.BUY, T.TRAILING_STOP), terms(Side.SELL, T.STOP), False),
        (terms(Side.BUY, T.MARKET), terms(Side.SELL, T.TRAILING_STOP), False),
        (terms(Side.BUY, T.MARKET, None, OrderClass.BRACKET), terms(Side.SELL, T.LIMIT, 100), False),
        (terms(Side.BUY, T.LIMIT, 100, OrderClass.BRACKET), terms(Side.SELL, T.LIMIT, 100), True),
    ],
)
def test_orders_meet_as_the_brokers_rule_on_wash_trades_says(
    mine: OrderTerms, theirs: OrderTerms, *, met: bool
) -> None:
    rests = resting.after_order(Map(), None, order(1, theirs))
    assert (resting.meeting(rests.get(AAPL, NOTHING_RESTS), mine) is not None) is met


def test_an_exit_that_the_broker_holds_back_rests_nowhere_until_it_works() -> None:
    held = order(1, terms(Side.SELL, T.LIMIT, 100), S.HELD, "g")
    rests = resting.after_order(Map(), None, held)
    assert rests == Map()
    rests = resting.after_order(rests, held, replace(held, status=S.WORKING))
    found = resting.meeting(rests[AAPL], terms(Side.BUY, T.LIMIT, 101))
    assert found is not None
    assert found.price == Decimal(100)
    assert resting.meeting(rests[AAPL], terms(Side.BUY, T.MARKET)) is None

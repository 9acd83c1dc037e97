"""Our books against the broker's, as arithmetic at given times."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map
from msgspec.structs import replace

from contracts.broker import BreakFound, ObservedPosition
from contracts.enums import BreakKind, OrderStatus
from contracts.ids import Symbol
from projections import positions
from projections.positions import Position
from services.oms import books
from services.oms.books import HEALS_WITHIN, NO_SUSPICIONS, Difference, Verdict
from tests.unit.oms.order_stories import AAPL, NOW, order, report

MSFT = Symbol("MSFT")
NONE_STAND: Map[str, BreakFound] = Map()


def gap(theirs: str, ours: str = "10", kind: BreakKind = BreakKind.POSITION) -> Difference:
    return Difference(kind=kind, key="AAPL", ours=ours, theirs=theirs, gap=Decimal(theirs) - Decimal(ours))


def looked(*looks: tuple[int, Difference | None], standing: Map[str, BreakFound] = NONE_STAND) -> Verdict:
    """Judge looks at given seconds; None is a look that finds both equal."""
    verdict = Verdict(suspicions=NO_SUSPICIONS, true=(), healed=())
    for at_s, difference in looks:
        seen = [] if difference is None else [difference]
        agreeing = [gap("0").name] if difference is None else []
        verdict = books.judge(verdict.suspicions, seen, agreeing, standing, NOW + timedelta(seconds=at_s))
    return verdict


def standing(difference: Difference) -> Map[str, BreakFound]:
    found = BreakFound(
        epoch=1,
        at=NOW,
        kind=difference.kind,
        key=difference.key,
        ours=difference.ours,
        theirs=difference.theirs,
        since=NOW,
    )
    return Map({difference.name: found})


def held(symbol: Symbol, qty: str, average: str = "10") -> Position:
    return Position(symbol=symbol, qty=Decimal(qty), avg_price=Decimal(average))


def shown(symbol: Symbol, qty: str, average: str = "10") -> ObservedPosition:
    return ObservedPosition(symbol=symbol, qty=Decimal(qty), avg_entry_price=Decimal(average))


def test_a_difference_is_true_only_when_it_lasts_as_long_as_its_kind_may():
    assert HEALS_WITHIN[BreakKind.POSITION] == timedelta(seconds=10)
    assert looked((0, gap("12")), (5, gap("12")), (9, gap("12"))).true == ()
    (found,) = looked((0, gap("12")), (5, gap("12")), (10, gap("12"))).true
    assert (found.difference, found.since) == (gap("12"), NOW)


def test_one_look_proves_nothing_however_late_it_comes():
    assert looked((0, None), (3_600, gap("12"))).true == ()


def test_agreement_in_between_begins_the_time_anew():
    assert looked((0, gap("12")), (8, None), (9, gap("12")), (18, gap("12"))).true == ()


def test_another_gap_begins_the_time_anew():
    assert looked((0, gap("12")), (8, gap("13")), (17, gap("13"))).true == ()


def test_trading_beside_a_gap_leaves_it_the_same_difference():
    (found,) = looked((0, gap("12", "10")), (10, gap("25", "23"))).true
    assert found.since == NOW
    assert (found.difference.ours, found.difference.theirs) == ("23", "25")


def test_a_look_that_cannot_judge_leaves_a_suspicion_as_it_is():
    first = looked((0, gap("12")))
    unjudged = books.judge(first.suspicions, [], [], NONE_STAND, NOW + timedelta(seconds=5))
    assert unjudged.suspicions == first.suspicions
    later = books.judge(unjudged.suspicions, [gap("12")], [], NONE_STAND, NOW + timedelta(seconds=10))
    assert len(later.true) == 1


def test_what_stands_already_is_not_found_again_unless_its_gap_changed():
    stands = standing(gap("12"))
    assert looked((0, gap("12")), (60, gap("12")), standing=stands).true == ()
    assert len(looked((0, gap("13")), (60, gap("13")), standing=stands).true) == 1


def test_a_standing_difference_heals_when_a_look_finds_agreement_also_after_a_restart():
    verdict = looked((0, None), standing=standing(gap("12")))
    assert verdict.healed == (gap("12").name,)
    assert looked((0, None)).healed == ()


def test_positions_are_compared_symbol_by_symbol_shorts_and_absent_ones_too():
    folded = Map({AAPL: held(AAPL, "-5"), MSFT: held(MSFT, "0"), Symbol("SPY"): held(Symbol("SPY"), "1.5")})
    theirs = {
        AAPL: shown(AAPL, "5"),
        Symbol("QQQ"): shown(Symbol("QQQ"), "2"),
        Symbol("SPY"): shown(Symbol("SPY"), "1.50"),
    }
    found = books.position_differences(folded, theirs)
    assert {symbol: (d.ours, d.theirs, d.gap) for symbol, d in found.items()} == {
        AAPL: ("-5", "5", 10),
        Symbol("QQQ"): ("0", "2", 2),
    }


@pytest.mark.parametrize(
    ("theirs", "differs"), [("100.00", False), ("100.01", False), ("99.98", True), ("100.02", True)]
)
def test_cash_is_equal_to_the_cent(theirs: str, *, differs: bool):
    assert (books.cash_difference("paper", Decimal(100), Decimal(theirs)) is not None) is differs


def test_an_order_differs_in_what_it_filled_and_in_whether_it_lives():
    ours = replace(order(), filled_qty=Decimal(40))
    assert books.order_difference(ours, report("partially_filled", 40, "10")) is None
    more = books.order_difference(ours, report("partially_filled", 60))
    assert more is not None
    assert (more.kind, more.ours, more.theirs) == (BreakKind.ORDER, "40", "60")
    ended = books.order_difference(order(OrderStatus.CANCELED), report("new"))
    assert ended is not None
    assert (ended.ours, ended.theirs) == ("canceled", "new")
    assert books.order_difference(order(OrderStatus.FILLED), report("calculated")) is not None


def test_an_overfill_is_more_than_the_order_could_become():
    assert books.overfill(replace(order(qty=100), filled_qty=Decimal(100))) is None
    over = books.overfill(replace(order(qty=100), filled_qty=Decimal("100.5")))
    assert over is not None
    assert (over.kind, over.ours, over.theirs) == (BreakKind.OVERFILL, "100", "100.5")


SHARES = st.decimals(min_value="-500", max_value="500", places=0)
PRICES = st.decimals(min_value="1", max_value="900", places=2)


@given(SHARES, PRICES, SHARES, PRICES)
def test_an_accepted_gap_makes_the_quantity_the_brokers_and_the_average_where_shares_were_added(
    ours: Decimal, our_average: Decimal, theirs: Decimal, their_average: Decimal
):
    folded = Position(symbol=AAPL, qty=ours, avg_price=our_average if ours else Decimal(0))
    observed = shown(AAPL, str(theirs), str(their_average)) if theirs else None
    apart = theirs - ours
    if not apart:
        return
    price = books.adoption_price(folded, observed, apart)
    after = positions.adopted(folded, apart, price)
    assert after.qty == theirs
    assert after.cash_usd == folded.cash_usd
    crossed = ours * theirs < 0 or not ours
    if theirs and (crossed or (ours * apart > 0 and price != their_average)):
        assert abs(after.avg_price - their_average) < Decimal("0.01")


def test_averages_that_differ_are_named_and_are_no_break():
    folded = Map({AAPL: held(AAPL, "10", "10"), MSFT: held(MSFT, "5", "20")})
    theirs = {AAPL: shown(AAPL, "10", "10.02"), MSFT: shown(MSFT, "5", "20.01")}
    assert books.odd_averages(folded, theirs) == (AAPL,)
    assert books.position_differences(folded, theirs) == {}


def test_a_standing_break_is_read_back_as_the_difference_it_was():
    for difference in (gap("12"), gap("-0.5", kind=BreakKind.CASH)):
        (found,) = standing(difference).values()
        assert books.as_difference(found) == difference

"""The words in which faults are asked for, and which of them strikes when: pure."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from services.simulator.faults import Fault, FaultError, Occasion, checked_fault, parsed_fault
from services.simulator.faults_board import Armed, FaultBoard
from services.simulator.faults_catalogue import KINDS
from services.simulator.faults_updates import reordered, without

FILL = Occasion(event="fill", symbol="AAPL", client_order_id="lg-1", order_id="o-1")


class Time:
    """Monotonic seconds that only pass when told to."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def fault(name: str, **options: Any) -> Fault:
    return checked_fault({"fault": name, **options})


def struck(made: Fault, count: int = 200, occasion: Occasion = FILL) -> list[int]:
    """Return at which of so many equal occasions a fault strikes."""
    armed = Armed(1, made, 0.0)
    return [number for number in range(count) if armed.decide(occasion, 0.0)]


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_fault_stands_with_what_it_needs_and_names_its_options(name: str) -> None:
    needs: Mapping[str, Any] = {"clock_skew": {"skew_seconds": 5}, "correct_trade": {"qty": 1}}.get(name, {})
    made = fault(name, **needs)
    assert set(made.kind.defaults) <= set(made.kind.allowed())
    with pytest.raises(FaultError, match=f"{name} has no option 'nonsense'; its options are: "):
        fault(name, nonsense=1)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"fault": "explode"}, "unknown fault 'explode'; the faults are: accept_then_504, accept_then_reset"),
        ({}, "unknown fault ''; the faults are"),
        ({"fault": "drop_update", "times": 0}, "drop_update: times must be from 1 to 1000000"),
        ({"fault": "drop_update", "probability": "1.5"}, "probability must be from 0 to 1"),
        ({"fault": "drop_update", "probability": "often"}, "probability must be a number from 0 to 1"),
        ({"fault": "drop_update", "times": "1.5"}, "drop_update: "),
        ({"fault": "drop_update", "event": [1]}, "event must be text, or a list of texts"),
        ({"fault": "lose_cancel", "outcome": "explode"}, "outcome must be one of: fill, rejected"),
        ({"fault": "stall", "accept": "perhaps"}, "stall: "),
        ({"fault": "clock_skew"}, "clock_skew needs skew_seconds"),
        ({"fault": "clock_skew", "skew_seconds": 0}, "needs skew_seconds other than 0"),
        ({"fault": "correct_trade"}, "correct_trade needs qty or price"),
        ({"fault": "server_error", "http_status": 404}, "http_status must be from 500 to 599"),
        ({"fault": "bust_trade", "times": 2}, "bust_trade has no option 'times'"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_is_allowed(given: Mapping[str, Any], said: str) -> None:
    with pytest.raises(FaultError) as refusal:
        checked_fault(given)
    assert said in str(refusal.value)


@pytest.mark.parametrize("body", [b"", b"[]", b'"drop_update"', b"{"])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(FaultError, match="the body must be a JSON object"):
        parsed_fault(body)


def test_words_and_numbers_may_come_as_text() -> None:
    made = parsed_fault(b'{"fault":"drop_update","event":"fill, new","times":"2","probability":0.3,"symbol":"aapl"}')
    assert (made.event, made.times, made.probability) == (("fill", "new"), 2, Decimal("0.3"))
    assert made.symbol == ("AAPL",)


def test_a_fault_strikes_what_matches_all_its_patterns() -> None:
    assert struck(fault("drop_update", event="fill", client_order_id="lg-*"), 2) == [0, 1]
    assert struck(fault("drop_update", event="new,canceled"), 2) == []
    assert struck(fault("drop_update", event="fill", symbol="MSFT"), 2) == []


def test_a_fault_skips_then_strikes_so_many_times() -> None:
    assert struck(fault("drop_update", skip=3, times=2), 10) == [3, 4]


def test_chance_is_the_seeds_alone() -> None:
    first = struck(fault("drop_update", probability="0.3", seed=7))
    assert first == struck(fault("drop_update", probability="0.3", seed=7))
    assert first != struck(fault("drop_update", probability="0.3", seed=8))
    assert 30 < len(first) < 90
    assert struck(fault("drop_update", probability=0)) == []
    assert struck(fault("drop_update", probability="0.3", seed=7, skip=50)) == [n for n in first if n >= 50]


def test_a_fault_ends_after_its_seconds_and_when_it_is_cleared() -> None:
    time = Time()
    board = FaultBoard(time)
    short = board.arm(fault("drop_update", seconds="1.5"))
    assert board.strikes("drop_update", FILL) is short
    time.now_s = 1.5
    assert board.strikes("drop_update", FILL) is None
    long = board.arm(fault("drop_update"))
    assert board.strikes("drop_update", FILL) is long
    assert board.clear(long.id) == [long.id]
    assert board.strikes("drop_update", FILL) is None
    assert board.clear(long.id) is None
    assert board.clear() == [short.id]
    assert not board


def test_the_listing_counts_matches_and_hits_and_says_what_was_struck() -> None:
    board = FaultBoard(Time())
    board.arm(fault("drop_update", event="fill", skip=1, times=1))
    for _ in range(3):
        board.strikes("drop_update", FILL)
    (shown,) = board.listing()
    assert (shown["id"], shown["fault"], shown["event"]) == ("f1", "drop_update", ("fill",))
    assert (shown["matches"], shown["hits"], shown["stands"]) == (2, 1, False)
    assert shown["recent"] == ["event=fill symbol=AAPL client_order_id=lg-1 order_id=o-1"]


def test_an_order_once_caught_stays_caught_until_the_fault_is_gone() -> None:
    board = FaultBoard(Time())
    armed = board.arm(fault("stuck_cancel", times=1))
    other = Occasion(order_id="o-2")
    assert [board.holds("stuck_cancel", FILL) for _ in range(3)] == [armed] * 3
    assert board.holds("stuck_cancel", other) is None
    assert armed.hits == 1
    board.clear()
    assert board.holds("stuck_cancel", FILL) is None


def test_updates_kept_together_never_come_in_the_order_they_had() -> None:
    for seed in range(20):
        armed = Armed(1, fault("reorder_update", seed=seed, window=3), 0.0)
        held: list[Any] = ["a", "b", "c"]
        told = reordered(held, armed)
        assert sorted(map(str, told)) == held != told


def test_fields_are_left_out_on_every_level() -> None:
    body = {"at": 1, "order": {"qty": 2, "id": 3}}
    assert without(without(body, "at"), "order.qty") == {"order": {"id": 3}}
    assert without(body, "nothing.there") == body

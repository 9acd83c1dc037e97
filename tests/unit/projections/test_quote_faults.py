"""What is wrong with a quote, and its words: what is written is read again as it was."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from contracts.thresholds import DEFAULTS, Thresholds
from projections.quote_faults import (
    AGE,
    SPREAD,
    UNTOLD,
    fault_told,
    halt_fault,
    in_force,
    quote_faults,
    silence_fault,
    spread_bps,
    threshold_of,
    told_in_force,
)
from tests.risk_world import NOW, quote

THRESHOLDS = st.builds(
    Thresholds,
    quote_age_max_ms=st.integers(1, 86_400_000),
    spread_max_bps=st.decimals("0.000000001", "20000", places=9),
)
PRICES = st.decimals("0", "1000", places=4)
AGES_MS = st.integers(-100_000_000, 100_000_000)


def seen(bid: Decimal, ask: Decimal, age_ms: int):
    return replace(quote(str(bid), str(ask)), at=NOW - timedelta(milliseconds=age_ms))


@given(PRICES, PRICES, AGES_MS, THRESHOLDS)
def test_every_fault_is_read_as_it_was_written(bid, ask, age_ms, thresholds):
    for fault in quote_faults(seen(bid, ask, age_ms), NOW, thresholds):
        read = fault_told(fault.told)
        assert (read.told, read.threshold, read.measured) == fault[:3]
        assert read.limit in {None, fault.limit}
        if fault.threshold is not None:
            assert fault.measured > threshold_of(thresholds, fault.threshold) == fault.limit


@given(THRESHOLDS, st.sampled_from([UNTOLD, DEFAULTS, Thresholds(quote_age_max_ms=7, spread_max_bps=Decimal(7))]))
def test_thresholds_in_force_are_read_as_they_were_told(thresholds, known):
    assert in_force(("no trend evidence", told_in_force(thresholds)), known) == replace(
        known, quote_age_max_ms=thresholds.quote_age_max_ms, spread_max_bps=thresholds.spread_max_bps
    )


def test_a_fault_tells_its_own_threshold_and_leaves_the_others_as_they_were_known():
    known = Thresholds(quote_age_max_ms=900, spread_max_bps=Decimal(9))
    assert in_force(("spread_bps 59.8 > 40",), known) == replace(known, spread_max_bps=Decimal(40))
    assert in_force(("halted H/T1", "quote_age_ms 901 > 300"), known) == replace(known, quote_age_max_ms=300)
    assert in_force(("halted H/T1", "no quote for 901 ms", "crossed 2 x 1"), known) == known
    assert in_force(()) == UNTOLD


@pytest.mark.parametrize(
    ("reason", "threshold", "measured", "limit"),
    [
        ("quote_age_ms 5001 > 5000", AGE, 5001, 5000),
        ("quote 5001 ms in the future", AGE, 5001, None),
        ("no quote for 5001 ms", AGE, 5001, None),
        ("spread_bps 59.8 > 50", SPREAD, Decimal("59.8"), 50),
    ],
)
def test_a_reason_tells_which_threshold_was_broken(reason, threshold, measured, limit):
    assert fault_told(reason)[1:] == (threshold, measured, limit)


@pytest.mark.parametrize(
    "reason",
    [
        "halted H/T1",
        "halted spread_bps 1 > 50/x",
        "one-sided 0 x 100.00",
        "crossed 100.02 x 100.00",
        "spread 61.2 bps",
        "spread_bps  59.8 > 50",
        "spread_bps 59.8 > 50 ",
        "spread_bps NaN > 50",
        "spread_bps 5e1 > 50",
        "spread_bps ٥٩ > 50",
        "spread_bps " + "9" * 40 + " > 50",
        "",
    ],
)
def test_a_reason_that_tells_of_no_threshold_is_a_fault_under_any(reason):
    assert fault_told(reason)[1:] == (None, 0, None)
    assert in_force((reason,), DEFAULTS) == DEFAULTS


def test_a_halt_stands_apart_and_silence_counts_as_age():
    assert halt_fault("2/LUDP").told == "halted 2/LUDP"
    assert silence_fault(5_000, DEFAULTS) is None
    told = silence_fault(5_001, DEFAULTS)
    assert told is not None
    assert (told.told, told.threshold) == ("no quote for 5001 ms", AGE)


def test_spread_is_measured_against_the_mid():
    assert spread_bps(quote("99", "101")) == 200

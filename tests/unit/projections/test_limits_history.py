"""Versions of the limits, and what differs between any two values."""

from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from contracts.controls import KillReleased, LimitsProposed, LimitsSet, WhatIfSummary
from contracts.ids import Symbol
from contracts.limits import LimitSet
from projections.differences import differences
from projections.limits_history import changes, hash_of, history

AT = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)


def limits_set(version: int, **limits: object) -> LimitsSet:
    return LimitsSet(epoch=0, at=AT, version=version, limits=LimitSet(**limits), by=f"p{version}", reason="because")


def test_the_hash_is_that_of_the_values_not_of_how_they_were_written():
    wanted = hash_of(LimitSet(max_daily_loss_usd=Decimal(1000), symbol_allowlist=(Symbol("A"), Symbol("B"))))
    for loss in ("1000", "1E+3", "1000.00"):
        same = LimitSet(symbol_allowlist=(Symbol("B"), Symbol("A")), max_daily_loss_usd=Decimal(loss))
        assert hash_of(same) == wanted
    assert hash_of(LimitSet(max_daily_loss_usd=Decimal("1000.01"))) != wanted


@given(st.decimals(0, 10**9, places=2), st.decimals(0, 10**9, places=2))
def test_hashes_and_changes_agree_on_what_is_equal(one: Decimal, other: Decimal):
    first, second = LimitSet(max_drawdown_usd=one), LimitSet(max_drawdown_usd=other)
    assert (hash_of(first) == hash_of(second)) == (not changes(first, second)) == (one == other)


def test_history_tells_who_when_why_and_what_changed():
    journal = [
        (1, limits_set(1)),
        (5, KillReleased(epoch=0, at=AT, by="x", reason="y")),
        (9, limits_set(2, max_daily_trades=7, symbol_allowlist=(Symbol("SPY"),))),
    ]
    first, second = history(journal)
    assert (first.version, first.seq, first.by, first.changes) == (1, 1, "p1", ())
    assert (second.version, second.seq, second.by, second.reason) == (2, 9, "p2", "because")
    assert [(c.path, c.after) for c in second.changes] == [("max_daily_trades", 7), ("symbol_allowlist", "SPY")]
    assert second.hash == hash_of(second.limits) != first.hash


def test_a_version_shows_the_last_proposal_of_the_very_same_limits():
    limits = LimitSet(max_daily_trades=7)
    seen = WhatIfSummary(
        first_seq=1,
        last_seq=9,
        decisions=5,
        newly_denied=1,
        newly_approved=0,
        peak_gross_was_usd=Decimal(2),
        peak_gross_would_be_usd=Decimal(1),
        profit_was_usd=Decimal(0),
        profit_would_be_usd=Decimal(0),
    )
    proposals = [
        LimitsProposed(epoch=0, at=AT, limits=limits, by=by, reason="calmer", what_if=seen) for by in ("anna", "bert")
    ]
    journal = [(1, limits_set(1)), (2, proposals[0]), (3, proposals[1]), (4, limits_set(2, max_daily_trades=7))]
    first, second = history([*journal, (5, limits_set(3)), (6, limits_set(4, max_daily_trades=7))])[:2]
    assert (first.proposal, second.proposal) == (None, proposals[1])


def test_differences_match_items_by_name_and_tell_what_is_only_on_one_side():
    before = {"a": 1, "list": [{"symbol": "X", "qty": 1}], "words": ["b", "a"], "gone": {"x": 1}}
    after = {"a": 1, "list": [{"symbol": "N", "qty": 5}, {"symbol": "X", "qty": 2}], "words": ["a", "b"], "new": []}
    found = {(one.path, one.before, one.after) for one in differences(before, after)}
    assert found == {
        ("gone.x", 1, None),
        ("list[N].qty", None, 5),
        ("list[N].symbol", None, "N"),
        ("list[X].qty", 1, 2),
    }


def test_bytes_are_compared_as_the_json_that_they_are():
    assert [d.path for d in differences(b'{"a":{"b":1}}', b'{"a":{"b":2}}')] == ["a.b"]
    assert differences(b'{"a":1,"b":2}', b'{"b":2,"a":1}') == ()

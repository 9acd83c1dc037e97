"""Every denial tells what was measured, what is allowed and what to do; and it is of exactly one kind."""

from decimal import Decimal

import pytest

from contracts.enums import Outcome
from contracts.reasons import DenialCode as C
from contracts.reasons import Reason
from services.risk.advice import ADVICE, advised
from tests.risk_world import answer
from tests.unit.risk.row import Row, ready
from tests.unit.risk.test_controls import ROWS

SIZES = {C.MAX_ORDER_NOTIONAL, C.MAX_POSITION_NOTIONAL, C.MAX_GROSS_EXPOSURE, C.MAX_NET_EXPOSURE, C.MAX_ORDER_QTY}
BY_THEMSELVES = ": "
"""Stands between what is so and what to do, in messages that say both."""


def reason_of(row: Row) -> Reason:
    reason = answer(row.state, row.content, row.seen, row.agent).reason
    assert reason is not None
    return reason


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.code}-{place}" for place, row in enumerate(ROWS)])
def test_a_denial_is_of_one_kind_and_says_what_to_do(row: Row) -> None:
    reason = reason_of(row)
    assert not (reason.retryable and reason.needs_human), "of two kinds"
    assert (reason.retry_after_ms is not None) == reason.retryable, "when again?"
    assert reason.retry_after_ms is None or reason.retry_after_ms >= 0
    advice = ADVICE[reason.code]
    assert (BY_THEMSELVES if advice is None else advice) in reason.message
    assert len(reason.message) < 600


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.code}-{place}" for place, row in enumerate(ROWS)])
def test_a_denial_on_a_size_says_how_much_would_pass(row: Row) -> None:
    reason = reason_of(row)
    if reason.code not in SIZES:
        return
    assert None not in {reason.limit, reason.attempted, reason.headroom, reason.max_acceptable_qty}
    if reason.max_acceptable_qty:
        assert "would pass" in reason.message


def test_every_code_has_its_advice_or_says_it_itself() -> None:
    assert set(ADVICE) == set(C)


def test_what_would_pass_is_written_as_people_write_numbers() -> None:
    reason = Reason(code=C.MAX_ORDER_QTY, message="too many", max_acceptable_qty=Decimal("1E+2"))
    told = advised(reason)
    assert told is not None
    assert told.message == "too many; state fewer shares, 100 would pass"


def test_approvals_and_cancels_need_no_advice() -> None:
    assert advised(None) is None
    assert answer(ready(), b'{"type":"intent.cancel_all.v1","intent_id":"i"}').outcome is Outcome.APPROVED

"""What waits for a person under one mandate and not under another: what flips, and what only follows from it."""

from decimal import Decimal
from typing import Any

from contracts.enums import Outcome
from contracts.ids import OPERATOR
from contracts.mandates import Mandate
from services.risk.whatif import WhatIf
from services.risk.whatif_report import WhatIfReport
from tests.prepared_day import Day
from tests.risk_world import DEMO, PAPER
from tests.unit.risk.rows_mandates import LATER, approval, granted

WAITING: dict[str, Any] = {"approval_from_usd": Decimal(1000)}


def tried(day: Day, **terms: Any) -> WhatIfReport:
    asked = WhatIf(PAPER, {}, mandates={DEMO: Mandate(expires_at=LATER, **terms)})
    for seq, event in enumerate(day.events, 1):
        asked.take(seq, event)
    return asked.finish()


def let_go() -> Day:
    """One intent that waits, and the operator's word that lets it go."""
    day = Day()
    day.add(granted(**WAITING))
    assert day.ask("a", "10").outcome is Outcome.HELD
    day.agent = OPERATOR
    released = day.state_intent("yes", approval("yes", held="a"))
    assert released.outcome is Outcome.APPROVED, released.reason
    day.fill(released, "101")
    return day


def test_an_order_that_would_wait_for_a_person_is_left_out() -> None:
    day = Day()
    day.ask("a", "10")
    day.ask("b", "9")
    report = tried(day, **WAITING)
    assert [(flip.intent_id, flip.would_be, flip.would_be_code) for flip in report.flips] == [
        ("a", Outcome.HELD, "NEEDS_APPROVAL")
    ]
    assert (report.orders_left_out, report.peak_gross.would_be_usd) == (1, 900)


def test_what_need_not_have_waited_flips_and_the_persons_word_only_follows() -> None:
    report = tried(let_go())
    assert [(flip.intent_id, flip.was, flip.would_be) for flip in report.flips] == [
        ("a", Outcome.HELD, Outcome.APPROVED)
    ]
    assert [(flip.intent_id, flip.would_be_code) for flip in report.consequences] == [("yes", "NOT_HELD")]
    assert report.peak_gross.would_be_usd == 1000  # held once: the real fill is left out


def test_the_same_mandate_flips_nothing() -> None:
    report = tried(let_go(), **WAITING)
    assert (report.flips, report.consequences, report.changes) == ((), (), ())

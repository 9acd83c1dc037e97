"""Advice on sizes in the gateway's answers."""

from services.gateway.account_view import Decided
from services.gateway.decision_answers import intent_answer
from tests.risk_world import answer, body
from tests.unit.risk.row import ready
from tests.unit.risk.rows_market import STATS, D, seen


def test_advice_stands_beside_the_controls_answer_where_it_was_given() -> None:
    advised = answer(ready(risk_per_trade_pct=D(1)), body(), seen(stats=STATS))
    assert advised.sizing is not None
    told = intent_answer(Decided(7, advised), repeated=False)
    assert told.risk.sizing == advised.sizing
    silent = answer(ready(), body(), seen(stats=STATS))
    assert intent_answer(Decided(7, silent), repeated=False).risk.sizing is None

"""The loop breaker: who it stops, for how long, and whom it never stops."""

import json
from datetime import timedelta
from typing import Any

from contracts.decisions import Decision, checks_of
from contracts.enums import Outcome
from contracts.ids import OPERATOR, AgentId, IntentId
from contracts.reasons import DenialCode as C
from projections import account
from projections.denials import REMEMBERED_MAX
from projections.state_codec import decode_state, encode_state
from services.risk.answer import Stated
from services.risk.decider import decide
from tests.risk_world import DEMO, NOW, PAPER, STAMP, body, bought, evidence, intent, limits_set, quote
from tests.unit.risk.row import ready
from tests.unit.risk.rows_loops import LIMITS


class Talk:
    """One account and those who talk to its risk; every word under an id of its own, a millisecond apart."""

    def __init__(self, **limits: Any) -> None:
        self.state = ready(**(LIMITS | limits))
        self.at = NOW
        self._said = 0

    def say(self, content: bytes, agent: str = DEMO) -> Decision:
        self._said += 1
        self.at += timedelta(milliseconds=1)
        intent_id = f"i{self._said}"
        named = json.dumps(json.loads(content) | {"intent_id": intent_id}).encode()
        seen = evidence(quote(at=self.at), at=self.at)
        stated = Stated(PAPER, AgentId(agent), IntentId(intent_id), named, self._said)
        decision = decide(self.state, stated, seen, STAMP)
        self.state = account.evolve(self.state, decision, 100 + self._said)
        return decision

    def codes(self, times: int, content: bytes, agent: str = DEMO) -> list[str | None]:
        decisions = [self.say(content, agent) for _ in range(times)]
        return [None if one.reason is None else one.reason.code for one in decisions]


TOO_LARGE = [C.MAX_ORDER_NOTIONAL] * 3


def test_the_fourth_of_three_is_stopped_and_told_what_was_wrong_and_for_how_long() -> None:
    talk = Talk()
    assert talk.codes(3, body()) == TOO_LARGE
    stopped = talk.say(body())
    assert stopped.reason is not None
    assert (stopped.reason.code, checks_of(stopped)) == (C.LOOP_BREAKER, ())
    assert "MAX_ORDER_NOTIONAL" in stopped.reason.message
    assert (stopped.reason.retryable, stopped.reason.retry_after_ms) == (True, 9_999)


def test_who_goes_on_all_the_same_is_heard_when_the_time_is_over() -> None:
    talk = Talk()
    talk.codes(3, body())
    for _ in range(5):
        talk.at += timedelta(milliseconds=1_900)
        assert talk.codes(1, body()) == [C.LOOP_BREAKER]
    talk.at += timedelta(milliseconds=1_900)
    assert talk.codes(4, body()) == [*TOO_LARGE, C.LOOP_BREAKER]


def test_other_words_of_the_same_agent_and_the_same_words_of_another_are_heard() -> None:
    talk = Talk()
    talk.codes(3, body())
    assert talk.say(body(qty="1")).outcome is Outcome.APPROVED
    assert talk.codes(4, body(qty="11")) == [*TOO_LARGE, C.LOOP_BREAKER]
    assert talk.codes(4, body(), "eve") == [*TOO_LARGE, C.LOOP_BREAKER]


def test_another_reason_for_the_same_words_begins_anew() -> None:
    talk = Talk()
    first = talk.codes(2, intent("replace", order_id="lg-a", limit_price="99.00"))
    talk.codes(2, body())
    talk.state = account.evolve(talk.state, limits_set(2, **(LIMITS | {"symbol_allowlist": ()})), 50)
    assert talk.codes(4, body()) == [C.SYMBOL_NOT_ALLOWED] * 3 + [C.LOOP_BREAKER]
    assert first == [C.ORDER_NOT_FOUND] * 2


def test_what_reduces_or_cancels_and_what_a_person_says_is_never_a_loop() -> None:
    talk = Talk()
    assert talk.codes(9, intent("close", symbol="AAPL")) == [C.NO_POSITION] * 9
    assert talk.codes(9, intent("cancel", order_id="lg-a")) == [C.ORDER_NOT_FOUND] * 9
    assert talk.codes(9, body(), OPERATOR) == [C.MAX_ORDER_NOTIONAL] * 9
    sale = body(side="sell", qty="5")
    assert talk.codes(4, sale)[-1] == C.LOOP_BREAKER
    talk.state = account.evolve(talk.state, bought("10"), 60)
    assert talk.say(sale).outcome is Outcome.APPROVED


def test_dry_runs_neither_count_nor_are_stopped() -> None:
    talk = Talk()
    before = talk.state
    assert talk.codes(9, body(dry_run=True)) == [C.MAX_ORDER_NOTIONAL] * 9
    assert talk.state is before
    talk.codes(3, body())
    assert talk.codes(2, body(dry_run=True)) == [C.MAX_ORDER_NOTIONAL] * 2


def test_the_memory_is_small_and_survives_a_snapshot() -> None:
    talk = Talk()
    for number in range(20):
        talk.say(body(qty=str(50 + number)))
    assert len(talk.state.denials[DEMO]) == REMEMBERED_MAX
    assert decode_state(encode_state(talk.state)).denials == talk.state.denials


def test_without_the_rails_nothing_is_remembered() -> None:
    talk = Talk(loop_cooldown_ms=None)
    assert talk.codes(9, body()) == [C.MAX_ORDER_NOTIONAL] * 9
    assert not talk.state.denials

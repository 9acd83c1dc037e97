"""The subject grammar, both ways, and what may not stand in it."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import subjects
from contracts.enums import Role
from contracts.ids import AccountId, AgentId, IntentId, OrderId, Symbol, is_token
from contracts.subjects import BadSubjectError, IntentSubject

TOKENS = st.from_regex(re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII), fullmatch=True)
BAD_TOKENS = ["", "a.b", "*", ">", "a b", "a\n", "x" * 65, "ü", "a\r\nPUB x 0"]
P, D = AccountId("paper"), AgentId("demo")


@given(TOKENS, TOKENS, TOKENS)
def test_an_intents_subject_is_read_back_as_it_was_built(account: str, agent: str, intent_id: str) -> None:
    stated = IntentSubject(AccountId(account), AgentId(agent), IntentId(intent_id))
    assert subjects.parse_intent(subjects.intent(stated.account, stated.agent, stated.intent_id)) == stated


@given(st.text())
def test_any_text_is_either_an_intents_subject_or_refused(text: str) -> None:
    try:
        stated = subjects.parse_intent(text)
    except BadSubjectError:
        return
    assert subjects.intent(stated.account, stated.agent, stated.intent_id)


@given(st.text(min_size=1).filter(lambda text: "." not in text and not is_token(text)))
def test_an_odd_intent_id_is_answered_under_an_id_made_from_it(odd: str) -> None:
    stated = subjects.parse_intent(f"intent.paper.demo.{odd}")
    assert (stated.account, stated.agent) == (P, D)
    assert is_token(stated.intent_id)
    assert stated.intent_id.startswith("_odd-")
    assert stated == subjects.parse_intent(f"intent.paper.demo.{odd}")
    assert stated != subjects.parse_intent(f"intent.paper.demo.{odd}x")


@pytest.mark.parametrize(
    "subject", ["", "intent", "intent.a.b", "intent.a.b.c.d", "acct.a.b.c", "intent..b.c", "intent.a.*.c", "intent.>"]
)
def test_what_is_no_intents_subject_is_refused(subject: str) -> None:
    with pytest.raises(BadSubjectError):
        subjects.parse_intent(subject)


BUILDERS: dict[str, Callable[[Any], str]] = {
    "intent.account": lambda bad: subjects.intent(bad, D, IntentId("i")),
    "intent.agent": lambda bad: subjects.intent(P, bad, IntentId("i")),
    "intent.id": lambda bad: subjects.intent(P, D, bad),
    "intents_of": subjects.intents_of,
    "journal_all": subjects.journal_all,
    "decision.agent": lambda bad: subjects.decision(P, bad, IntentId("i")),
    "decision.id": lambda bad: subjects.decision(P, D, bad),
    "decisions_of": subjects.decisions_of,
    "order.agent": lambda bad: subjects.order(P, bad, OrderId("o")),
    "order.id": lambda bad: subjects.order(P, D, bad),
    "orders_of": subjects.orders_of,
    "control": subjects.control,
    "broker": subjects.broker,
    "audit": subjects.audit,
    "epoch": lambda bad: subjects.epoch(bad, Role.RISK),
}


@pytest.mark.parametrize("bad", BAD_TOKENS)
@pytest.mark.parametrize("builder", sorted(BUILDERS))
def test_a_bad_token_never_becomes_part_of_a_subject(builder: str, bad: str) -> None:
    with pytest.raises(BadSubjectError):
        BUILDERS[builder](bad)


def test_the_grammar_is_written_as_the_design_says() -> None:
    assert subjects.journal_stream(P) == "JOURNAL_paper"
    assert subjects.intent(P, D, IntentId("7f0c")) == "intent.paper.demo.7f0c"
    assert subjects.intents_of(P) == "intent.paper.*.*"
    assert subjects.journal_all(P) == "acct.paper.>"
    assert subjects.decision(P, D, IntentId("7f0c")) == "acct.paper.decision.demo.7f0c"
    assert subjects.decisions_of(P) == "acct.paper.decision.*.*"
    assert subjects.decisions_of(P, D) == "acct.paper.decision.demo.*"
    assert subjects.order(P, D, OrderId("lg-1")) == "acct.paper.order.demo.lg-1"
    assert subjects.orders_of(P) == "acct.paper.order.*.*"
    assert subjects.orders_of(P, D) == "acct.paper.order.demo.*"
    assert subjects.control(P) == "acct.paper.control"
    assert subjects.broker(P) == "acct.paper.broker"
    assert subjects.audit(P) == "acct.paper.audit"
    assert subjects.epoch(P, Role.OMS) == "acct.paper.epoch.oms"
    assert subjects.quote(Symbol("BRK.B")) == "quote.BRK_B"
    assert subjects.bar("1Min", Symbol("AAPL")) == "bar.1Min.AAPL"
    assert subjects.status(Symbol("AAPL")) == "status.AAPL"
    assert subjects.regime(subjects.MARKET_WIDE) == "regime._market"


@pytest.mark.parametrize("odd", ["é", "a*", "%s", "x" * 65, ">", "a\n", "_odd-0123"])
def test_an_intent_under_an_odd_id_is_still_decided_under_an_id_of_its_own(odd: str) -> None:
    parsed = subjects.parse_intent(f"intent.paper.demo.{odd}")
    assert parsed.intent_id.startswith("_odd-")
    assert parsed == subjects.parse_intent(f"intent.paper.demo.{odd}")
    assert subjects.parse_intent(f"intent.paper.demo.{parsed.intent_id}") != parsed

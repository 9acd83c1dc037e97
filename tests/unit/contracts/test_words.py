"""Identifiers, subjects, values: the grammar that everything else leans on."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import codec, subjects
from contracts.ids import AccountId, AgentId, IntentId, Symbol, is_symbol, is_token, order_id_for
from contracts.values import has_price_step, is_exact, plain

TOKENS = st.from_regex(r"\A[A-Za-z0-9_-]{1,64}\Z")


@given(TOKENS, TOKENS, TOKENS)
def test_an_intent_subject_reads_back_as_it_was_built(account: str, agent: str, intent_id: str) -> None:
    subject = subjects.intent(AccountId(account), AgentId(agent), IntentId(intent_id))
    parsed = subjects.parse_intent(subject)
    assert (parsed.account, parsed.agent, parsed.intent_id) == (account, agent, intent_id)


@pytest.mark.parametrize("bad", ["", "a.b", "a*", ">", "a b", "ä", "a\n", "x" * 65])
def test_what_could_widen_a_subject_is_no_token(bad: str) -> None:
    assert not is_token(bad)
    with pytest.raises(subjects.BadSubjectError):
        subjects.decision(AccountId("paper"), AgentId(bad), IntentId("i"))


@pytest.mark.parametrize("bad", ["intent.a.b", "intent.a.b.c.d", "acct.a.b.c", "intent.a.*.c", ""])
def test_a_foreign_subject_is_refused(bad: str) -> None:
    with pytest.raises(subjects.BadSubjectError):
        subjects.parse_intent(bad)


@given(st.tuples(TOKENS, TOKENS, TOKENS), st.tuples(TOKENS, TOKENS, TOKENS))
def test_different_intents_have_different_order_ids(one: tuple[str, str, str], two: tuple[str, str, str]) -> None:
    ids = [order_id_for(AccountId(a), AgentId(b), IntentId(c)) for a, b, c in (one, two)]
    assert (ids[0] == ids[1]) == (one == two)
    assert is_token(ids[0])


@pytest.mark.parametrize(
    ("text", "good"),
    [("AAPL", True), ("BRK.B", True), ("aapl", False), ("", False), ("A" * 22, False), ("AAPL\n", False)],
)
def test_a_symbol_has_capital_letters(text: str, good: bool) -> None:  # noqa: FBT001
    assert is_symbol(text) is good


def test_a_dot_in_a_symbol_does_not_split_the_subject() -> None:
    assert subjects.quote(Symbol("BRK.B")) == "quote.BRK_B"


@pytest.mark.parametrize(
    ("number", "exact"),
    [
        ("0", True),
        ("1", True),
        ("0.000000001", True),
        ("0.0000000001", False),
        ("999999999999", True),
        ("1000000000000", False),
        ("1e400", False),
        ("1e-400", False),
        ("NaN", False),
        ("-Infinity", False),
        ("1.0000000000000000000000000000000000001", False),
        ("1.000000000000", True),
    ],
)
def test_only_numbers_that_arithmetic_keeps_exact_are_exact(number: str, exact: bool) -> None:  # noqa: FBT001
    assert is_exact(Decimal(number)) is exact


@pytest.mark.parametrize(
    ("price", "good"), [("1.00", True), ("1.001", False), ("0.9999", True), ("0.99999", False), ("100.10", True)]
)
def test_a_price_lies_on_its_tick(price: str, good: bool) -> None:  # noqa: FBT001
    assert has_price_step(Decimal(price)) is good


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**9), max_value=10**9))
def test_equal_numbers_are_written_alike(number: Decimal) -> None:
    assert str(plain(number)) == str(plain(number * Decimal("1.000")))
    assert plain(number) == number
    assert "E" not in str(plain(number)) or abs(number) < Decimal("1e-6")


@pytest.mark.parametrize("odd", ["é", "a*", "%s", "x" * 65, ">", "a\n"])
def test_an_intent_under_an_odd_id_is_still_decided_under_an_id_of_its_own(odd: str) -> None:
    parsed = subjects.parse_intent(f"intent.paper.demo.{odd}")
    assert parsed.intent_id.startswith("bad-")
    assert is_token(parsed.intent_id)
    assert parsed == subjects.parse_intent(f"intent.paper.demo.{odd}")


@pytest.mark.parametrize("junk", [b"\xff\xfe", b"\\q", b"\x01"])
def test_an_intent_whose_unknown_fields_are_no_json_is_not_read(junk: bytes) -> None:
    body = b'{"type":"intent.cancel.v1","intent_id":"i","order_id":"o","junk":"' + junk + b'"}'
    with pytest.raises(codec.UndecodableError):
        codec.decode_intent(body)


@pytest.mark.parametrize("number", ["1_0", " 10", "10 ", "\u0663", "\uff11", ""])
def test_a_number_in_a_form_that_programs_do_not_write_is_not_read(number: str) -> None:
    body = {"type": "intent.submit.v1", "intent_id": "i", "symbol": "AAPL", "side": "buy", "qty": number}
    with pytest.raises(codec.UndecodableError, match="qty"):
        codec.decode_intent(json.dumps(body | {"order_type": "market"}).encode())

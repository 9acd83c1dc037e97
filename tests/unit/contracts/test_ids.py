"""Identifiers: one grammar that is safe in subjects, and order ids that can only name one intent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.ids import AccountId, AgentId, IntentId, is_symbol, is_token, order_id_for

TOKENS = st.text("ABCXYZabcxyz0189_-", min_size=1, max_size=64)


@pytest.mark.parametrize("text", ["a", "A-1_b", "_operator", "-", "x" * 64, "7f0c1d2e-0000-4000-8000-000000000000"])
def test_a_token_is_up_to_64_letters_digits_dashes_and_underscores(text: str) -> None:
    assert is_token(text)


@pytest.mark.parametrize(
    "text", ["", "x" * 65, "a.b", "a b", "*", ">", "a\n", "\na", "a\r\n", "a\x00", "é", "１", "a/b", "a>", "$SYS"]
)
def test_nothing_else_is_a_token(text: str) -> None:
    assert not is_token(text)


@pytest.mark.parametrize("text", ["A", "AAPL", "BRK.B", "BTC/USD", "A1", "AAPL261218C00200000", "A" * 21])
def test_symbols_are_capitals_digits_dots_and_slashes(text: str) -> None:
    assert is_symbol(text)


@pytest.mark.parametrize(
    "text", ["", "aapl", "1A", ".A", "A" * 22, "AA PL", "AAPL\n", "AAPL\r", "А", "BRK_B", "A*", "A>", "_market"]
)
def test_nothing_else_is_a_symbol(text: str) -> None:
    assert not is_symbol(text)


@given(st.tuples(TOKENS, TOKENS, TOKENS), st.tuples(TOKENS, TOKENS, TOKENS))
def test_two_intents_share_an_order_id_only_when_account_agent_and_id_are_the_same(
    one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    ids = [order_id_for(AccountId(a), AgentId(b), IntentId(c)) for a, b, c in (one, other)]
    assert (ids[0] == ids[1]) == (one == other)


def test_moving_a_letter_between_the_parts_gives_another_order_id() -> None:
    parts = [("a", "bc", "d"), ("ab", "c", "d"), ("a", "b", "cd"), ("abc", "d", "e"), ("a", "bcd", "e")]
    assert len({order_id_for(AccountId(a), AgentId(b), IntentId(c)) for a, b, c in parts}) == len(parts)


def test_an_order_id_is_the_same_in_every_release() -> None:
    given_id = order_id_for(AccountId("paper"), AgentId("demo"), IntentId("7f0c"))
    assert given_id == "lg-90cb0e26846bf98b6edf20e1c8fa90"


@given(TOKENS, TOKENS, TOKENS)
def test_an_order_id_can_stand_in_a_subject_and_at_the_broker(account: str, agent: str, intent_id: str) -> None:
    order_id = order_id_for(AccountId(account), AgentId(agent), IntentId(intent_id))
    assert is_token(order_id)
    assert len(order_id) <= 48

"""The hash chain: whatever is changed, moved, dropped or added shows in every digest after it."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from contracts.ids import AccountId
from projections.chain import Chain, ChainGapError, Link, extend, framing, genesis

ACCOUNT = AccountId("paper")
texts = st.text(max_size=12)
bodies = st.binary(max_size=24)
headers = st.lists(st.tuples(st.just("traceparent"), texts), max_size=1).map(tuple)
contents = st.lists(st.tuples(texts, bodies, headers), min_size=1, max_size=8)


def links(content: list[tuple[str, bytes, tuple[tuple[str, str], ...]]]) -> list[Link]:
    return [Link(seq=n, subject=s, body=b, headers=h) for n, (s, b, h) in enumerate(content, start=1)]


def digest_of(chained: list[Link], account: AccountId = ACCOUNT) -> bytes:
    chain = genesis(account)
    for link in chained:
        chain = extend(chain, link)
    return chain.digest


@given(contents, st.data())
def test_digest_changes_when_any_byte_of_any_message_changes(content, data):
    before = links(content)
    at = data.draw(st.integers(0, len(before) - 1))
    field, other = data.draw(
        st.one_of(
            st.tuples(st.just("body"), bodies),
            st.tuples(st.just("subject"), texts),
            st.tuples(st.just("headers"), headers),
        )
    )
    changed = [*before[:at], replace(before[at], **{field: other}), *before[at + 1 :]]
    assert (digest_of(changed) == digest_of(before)) == (changed == before)


@given(contents, st.data())
def test_digest_changes_when_messages_change_places(content, data):
    shuffled = data.draw(st.permutations(content))
    assert (digest_of(links(shuffled)) == digest_of(links(content))) == (shuffled == content)


@given(contents, st.data())
def test_digest_changes_when_a_message_is_left_out_or_added(content, data):
    at = data.draw(st.integers(0, len(content) - 1))
    assert digest_of(links(content[:at] + content[at + 1 :])) != digest_of(links(content))


@given(st.tuples(texts, bodies, headers), st.tuples(texts, bodies, headers))
def test_framing_is_equal_only_for_equal_messages(one, other):
    first, second = links([one])[0], links([other])[0]
    assert (framing(first) == framing(second)) == (first == second)


def test_framing_keeps_bytes_from_moving_between_fields():
    short = Link(seq=1, subject="acct.paper.control", body=b"xy")
    assert framing(short) != framing(Link(seq=1, subject="acct.paper.controlx", body=b"y"))


def test_digest_covers_the_trace_header_whatever_its_case_and_no_other_header():
    plain = Link(seq=1, subject="s", body=b"b")
    assert digest_of([plain]) == digest_of([replace(plain, headers=(("Nats-Expected-Last-Subject-Sequence", "3"),))])
    traced = replace(plain, headers=(("traceparent", "00-a-b-01"),))
    assert digest_of([traced]) != digest_of([plain])
    assert digest_of([traced]) == digest_of([replace(plain, headers=(("Traceparent", "00-a-b-01"),))])


def test_genesis_names_the_account():
    assert genesis(AccountId("paper")) != genesis(AccountId("live"))


def test_chain_refuses_a_gap_and_a_repeat():
    chain = extend(genesis(ACCOUNT), Link(seq=1, subject="s", body=b"b"))
    for seq in (1, 3):
        with pytest.raises(ChainGapError):
            extend(chain, Link(seq=seq, subject="s", body=b"b"))


def test_chain_is_computed_as_documented():
    """The recipe in bytes, written out again: another language must come to the same digests."""

    def field(text: bytes) -> bytes:
        return len(text).to_bytes(8, "big") + text

    start = hashlib.sha256(field(b"lockgate.chain.v1") + field(b"paper")).digest()
    message = (
        (1).to_bytes(8, "big")
        + field(b"acct.paper.control")
        + (1).to_bytes(8, "big")
        + field(b"traceparent")
        + field(b"00-a-b-01")
        + field(b'{"type":"x.v1"}')
    )
    link = Link(seq=1, subject="acct.paper.control", body=b'{"type":"x.v1"}', headers=(("traceparent", "00-a-b-01"),))
    expected = hashlib.sha256(start + message).digest()
    assert extend(genesis(ACCOUNT), link) == Chain(seq=1, digest=expected)
    assert expected.hex() == "22cd508cc6063d490e05c7bbdd5a760905e655e05a89741af1691e898c12b78d"

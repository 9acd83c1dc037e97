"""Snapshots as bytes: small ones readable, large ones compressed, old ones still read."""

import json
import zlib
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runtime import saved_state
from services.runtime.ports import Snapshot
from services.runtime.saved_state import COMPRESSED_FROM_BYTES, pack, unpack

ORDER = b'{"order_id":"lg-0001","status":"filled","filled_qty":"12","avg_price":"189.12"},'


@given(st.integers(0, 2**53), st.text(), st.binary(max_size=300), st.sampled_from([1, COMPRESSED_FROM_BYTES]))
def test_a_snapshot_comes_back_as_it_was_packed(sequence, schema, state, times):
    snapshot = Snapshot(sequence, schema, state * times)
    assert unpack(pack(snapshot)) == snapshot


def test_a_small_state_can_be_read_by_whoever_wrote_it_uncompressed_before():
    packed = json.loads(pack(Snapshot(7, "s", b"{}")))
    assert packed == {"sequence": 7, "schema": "s", "state": b64encode(b"{}").decode()}


def test_a_state_that_was_stored_before_states_were_compressed_is_read():
    state = ORDER * 2_000
    old = {"sequence": 3, "schema": "s", "state": b64encode(state).decode()}
    assert unpack(json.dumps(old).encode()) == Snapshot(3, "s", state)


def test_a_large_state_becomes_several_times_smaller():
    snapshot = Snapshot(3, "s", b"".join(ORDER.replace(b"0001", b"%04d" % n) for n in range(10_000)))
    assert len(pack(snapshot)) * 4 < len(snapshot.state)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"sequence":1,"schema":"s"}',
        b'{"sequence":1,"schema":"s","zlib":"AAAA"}',
        json.dumps({"sequence": 1, "schema": "s", "zlib": b64encode(zlib.compress(ORDER)[:-6]).decode()}).encode(),
    ],
)
def test_what_is_no_snapshot_is_as_good_as_none(body):
    assert unpack(body) is None


def test_no_more_is_unpacked_than_a_state_may_be(monkeypatch):
    packed = pack(Snapshot(1, "s", ORDER * 2_000))
    monkeypatch.setattr(saved_state, "STATE_BYTES_MAX", 10_000)
    assert unpack(packed) is None

"""A set of limits is either usable or never comes into being."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from contracts.codec import UndecodableError, decode_event, encode
from contracts.limits import LimitSet
from tests.wire.samples import CONTROL_EVENTS

AMOUNTS = [f.name for f in msgspec.structs.fields(LimitSet) if f.type is Decimal]
COUNTS = [f.name for f in msgspec.structs.fields(LimitSet) if f.type is int]


@pytest.mark.parametrize("name", AMOUNTS)
@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "-1", "-0.01", "1E+1000000", "1E+16", "0E+1000000"])
def test_an_amount_is_finite_not_negative_and_not_beyond_sense(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=name):
        LimitSet(**{name: Decimal(text)})


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("count", [-1, 10**12])
def test_a_count_or_time_is_not_negative_and_not_beyond_sense(name: str, count: int) -> None:
    with pytest.raises(ValueError, match=name):
        LimitSet(**{name: count})


def test_every_limit_may_be_zero() -> None:
    nothing: dict[str, Any] = dict.fromkeys(AMOUNTS, Decimal(0)) | dict.fromkeys(COUNTS, 0)
    assert LimitSet(**nothing, symbol_allowlist=()).max_order_notional_usd == 0


def test_bad_limits_in_a_journal_stop_the_reader() -> None:
    body = encode(CONTROL_EVENTS[0]).replace(b'"4999.5"', b'"NaN"')
    with pytest.raises(UndecodableError, match="max_order_notional_usd"):
        decode_event(body)

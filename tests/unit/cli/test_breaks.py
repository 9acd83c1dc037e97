"""Which difference somebody means who accepts one."""

from datetime import UTC, datetime

import pytest
from immutables import Map

from contracts.broker import BreakFound
from contracts.enums import BreakKind
from projections.account import break_name
from services.cli.breaks import chosen
from services.cli.outcome import UsageError

AT = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)


def standing(*breaks: tuple[BreakKind, str]) -> Map[str, BreakFound]:
    found = [BreakFound(epoch=1, at=AT, kind=kind, key=key, ours="1", theirs="2", since=AT) for kind, key in breaks]
    return Map({break_name(one): one for one in found})


@pytest.mark.parametrize("wanted", ["AAPL", "position:AAPL", "position"])
def test_a_difference_is_meant_by_its_key_its_name_or_its_kind(wanted: str) -> None:
    there = standing((BreakKind.POSITION, "AAPL"), (BreakKind.CASH, "paper"))
    assert chosen(there, wanted).key == "AAPL"


def test_cash_is_meant_without_naming_the_account() -> None:
    assert chosen(standing((BreakKind.CASH, "paper")), "cash").kind is BreakKind.CASH


@pytest.mark.parametrize("wanted", ["MSFT", "lg-1", "order"])
def test_what_does_not_stand_or_is_not_one_is_refused_with_what_there_is(wanted: str) -> None:
    there = standing((BreakKind.ORDER, "lg-1"), (BreakKind.OVERFILL, "lg-1"), (BreakKind.ORDER, "lg-2"))
    with pytest.raises(UsageError, match="order:lg-1, order:lg-2, overfill:lg-1"):
        chosen(there, wanted)

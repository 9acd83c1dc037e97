"""The table of rails names every limit that is none at first, and nothing may start without one of them."""

from datetime import UTC, datetime, timedelta
from typing import Any, get_args, get_origin

import msgspec
import pytest

from contracts.limits import DEFAULT_ALLOWLIST, LimitSet, Waiver
from contracts.rails import RAILS, SECTORS, lapsed_rails, missing_rails, unset_rails

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
RECOMMENDED: dict[str, Any] = {name: rail.value for name, rail in RAILS.items()}


def test_every_limit_that_is_none_at_first_is_a_rail_with_a_value_of_its_kind() -> None:
    optional = {field.name: field.type for field in msgspec.structs.fields(LimitSet) if field.default is None}
    assert optional.keys() == RAILS.keys()
    LimitSet(**RECOMMENDED)
    for name, kind in optional.items():
        (kind_set,) = (get_origin(one) or one for one in get_args(kind) if one is not type(None))
        assert type(RAILS[name].value) is kind_set, name
        assert RAILS[name].meaning.endswith(".")


def test_the_recommended_rails_leave_none_missing() -> None:
    assert missing_rails(LimitSet(**RECOMMENDED), NOW) == ()
    assert set(missing_rails(LimitSet(), NOW)) == RAILS.keys()


@pytest.mark.parametrize("name", sorted(RAILS))
def test_a_rail_is_missing_unless_it_is_set_or_waived_for_now(name: str) -> None:
    without = msgspec.structs.replace(LimitSet(**RECOMMENDED), **{name: None})
    waiver = Waiver(rail=name, until=NOW + timedelta(days=1), by="ada", reason="not yet")
    waived = msgspec.structs.replace(without, waivers=(waiver,))
    assert (unset_rails(without), missing_rails(without, NOW)) == ((name,), (name,))
    assert missing_rails(waived, NOW) == ()
    later = NOW + timedelta(days=1)
    assert (unset_rails(waived), lapsed_rails(waived, later), missing_rails(waived, later)) == ((), (name,), (name,))


def test_the_default_sectors_hold_symbols_of_the_default_allowlist_once() -> None:
    symbols = [symbol for sector in SECTORS for symbol in sector.symbols]
    assert len(symbols) == len(set(symbols))
    assert {*symbols, "SPY"} == set(DEFAULT_ALLOWLIST)

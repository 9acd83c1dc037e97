"""A mandate in words: one line for a list, one line for each thing that it says."""

from collections.abc import Iterator, Sequence

import msgspec

from contracts.mandates import APPROVAL_WAIT_MS, Hours, Mandate
from services.cli.lines import amount

_S_MS = 1000


def summary_of(mandate: Mandate | None) -> str:
    """Write a mandate on one line."""
    if mandate is None:
        return "REVOKED: reduces what it holds and nothing else"
    words = [" ".join(mandate.sides) or "nothing", _any(mandate.symbols, "every symbol")]
    if mandate.budget_per_day_usd is not None:
        words.append(f"{amount(mandate.budget_per_day_usd)} USD a day")
    if mandate.approval_from_usd is not None:
        words.append(f"a person from {amount(mandate.approval_from_usd)} USD")
    return ", ".join((*words, " ".join(mandate.venues), f"until {mandate.expires_at:%Y-%m-%d %H:%M}Z"))


def lines_of(mandate: Mandate | None) -> Iterator[str]:
    """Write everything that a mandate says."""
    if mandate is None:
        yield summary_of(None)
        return
    yield f"until          {mandate.expires_at:%Y-%m-%d %H:%M:%S}Z"
    yield f"symbols        {_any(mandate.symbols, 'all that the account allows')}"
    yield f"asset classes  {_any(mandate.asset_classes, '')}"
    yield f"sides          {_any(mandate.sides, '')}"
    yield f"order types    {_any(mandate.order_types, '')}"
    yield f"strategies     {_any(mandate.strategies, 'any, or none named')}"
    yield f"venues         {_any(mandate.venues, '')}"
    yield f"hours          {_hours(mandate.hours)}"
    yield f"budget a day   {_usd(mandate.budget_per_day_usd)}"
    yield f"a person from  {_approval(mandate)}"
    yield f"lease          {'none' if mandate.lease_ms is None else f'{mandate.lease_ms / _S_MS:g} s'}"
    for name, value in msgspec.structs.asdict(mandate.limits).items():
        if value is not None:
            yield f"{name} {' '.join(value) if isinstance(value, tuple) else value}"


def _any(words: Sequence[str] | None, otherwise: str) -> str:
    return otherwise if words is None else ", ".join(words) or "none"


def _hours(hours: Hours | None) -> str:
    if hours is None:
        return "all"
    first, last = (f"{minute // 60:02}:{minute % 60:02}" for minute in (hours.from_minute, hours.to_minute))
    return f"{first} to {last} New York time"


def _usd(value: object) -> str:
    return "no bound" if value is None else f"{value} USD"


def _approval(mandate: Mandate) -> str:
    if mandate.approval_from_usd is None:
        return "no order waits"
    wait_ms = APPROVAL_WAIT_MS if mandate.approval_wait_ms is None else mandate.approval_wait_ms
    return f"{amount(mandate.approval_from_usd)} USD, for {wait_ms // _S_MS} s"

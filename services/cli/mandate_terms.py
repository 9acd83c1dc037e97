"""What the line and a file say of a mandate, as one form; the line wins over the file."""

import re
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from services.cli.outcome import UsageError
from services.runtime.mandate_form import MandateError, MandateForm, read_form

_LISTS = frozenset({"symbol_allowlist", "symbol_denylist", "regimes_allowed"})
"""Limits of several words, separated by commas."""
NO_BOUND = "none"
"""Typed for a list or an amount: what the account allows is the only bound."""
_SPAN = re.compile(r"(\d{1,6})(ms|s|m|h|d)")
_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_HOURS = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What an agent may do; `none` lifts a bound."""

    file: Annotated[Path | None, Parameter(help="TOML with these terms in the names of the mandate.")] = None
    symbols: Annotated[str | None, Parameter(help="Only these, separated by commas.")] = None
    sides: Annotated[str | None, Parameter(help="Of buy, sell, short.")] = None
    types: Annotated[
        str | None, Parameter(help="Order types, of market, limit, stop, stop_limit, trailing_stop.")
    ] = None
    strategies: Annotated[str | None, Parameter(help="Only these may be named, and one must be.")] = None
    venues: Annotated[str | None, Parameter(help="Of paper, live.")] = None
    expires: Annotated[str | None, Parameter(help="A span as 30d or 12h, or a time with its zone.")] = None
    hours: Annotated[str | None, Parameter(help="New York time, as 09:30-16:00.")] = None
    budget: Annotated[str | None, Parameter(help="USD of new orders a day, at their worst.")] = None
    approval_from: Annotated[str | None, Parameter(help="Orders worth so many USD wait for a person.")] = None
    approval_wait: Annotated[str | None, Parameter(help="For how long, as 15m.")] = None
    lease: Annotated[str | None, Parameter(help="Entries are canceled after so long a silence, as 60s.")] = None
    limit: Annotated[
        tuple[str, ...], Parameter(help="A limit of the agent's own, as max_order_notional_usd=2000; repeatable.")
    ] = ()


FlatTerms = Annotated[Terms, Parameter(name="*")]
NOTHING = Terms()


def form_of(terms: Terms, now: datetime) -> MandateForm:
    """Read everything that was said; raise `UsageError` on what makes no sense."""
    table = {} if terms.file is None else _table(terms.file)
    limits = {**table.pop("limits", {}), **dict(_limit(text) for text in terms.limit)}
    said = _lists(terms) | _amounts(terms) | _times(terms, now)
    try:
        return read_form(table | said | ({"limits": limits} if limits else {}))
    except MandateError as error:
        raise UsageError(f"no such mandate: {error}") from error


def _table(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(), parse_float=str)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error


def _limit(text: str) -> tuple[str, Any]:
    name, is_said, value = text.partition("=")
    if not is_said:
        raise UsageError(f"--limit {text!r}: say NAME=VALUE")
    is_list = name.strip() in _LISTS
    return name.strip(), _words(value) if is_list else value.strip()


def _lists(terms: Terms) -> dict[str, Any]:
    given = {
        "symbols": None if terms.symbols is None else terms.symbols.upper(),
        "sides": terms.sides,
        "order_types": terms.types,
        "strategies": terms.strategies,
        "venues": terms.venues,
    }
    return {name: _words(text) for name, text in given.items() if text is not None}


def _words(text: str) -> list[str] | None:
    return None if text.lower() == NO_BOUND else [word.strip() for word in text.split(",") if word.strip()]


def _amounts(terms: Terms) -> dict[str, Any]:
    given = {"budget_per_day_usd": terms.budget, "approval_from_usd": terms.approval_from}
    return {name: None if text == NO_BOUND else text for name, text in given.items() if text is not None}


def _times(terms: Terms, now: datetime) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for name, text in {"approval_wait_ms": terms.approval_wait, "lease_ms": terms.lease}.items():
        if text is not None:
            said[name] = None if text == NO_BOUND else _span_ms(text)
    if terms.expires is not None:
        is_span = _SPAN.fullmatch(terms.expires) is not None
        said["expires_at"] = (
            now + timedelta(milliseconds=_span_ms(terms.expires)) if is_span else _moment(terms.expires)
        )
    if terms.hours is not None:
        said["hours"] = None if terms.hours == NO_BOUND else _hours(terms.hours)
    return said


def _span_ms(text: str) -> int:
    found = _SPAN.fullmatch(text)
    if found is None:
        raise UsageError(f"{text!r} is no span of time: write 500ms, 60s, 15m, 12h or 30d")
    return int(found[1]) * _UNITS[found[2]]


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--expires {text!r}: write a span as 30d, or a time as 2026-12-31T21:00:00Z") from None
    if moment.tzinfo is None:
        raise UsageError(f"--expires {text!r} has no zone: end it with Z for UTC")
    return moment.astimezone(UTC)


def _hours(text: str) -> dict[str, int]:
    found = _HOURS.fullmatch(text)
    if found is None:
        raise UsageError(f"--hours {text!r}: write them as 09:30-16:00")
    first, last = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
    return {"from_minute": first, "to_minute": last}

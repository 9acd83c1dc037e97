"""Faults: what can go wrong at this broker on command, and the words in which each is asked for; pure."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from services.simulator.faults_catalogue import CHOICES, KINDS, Kind, Place

LARGEST_COUNT = 1_000_000
LONGEST_MS = 600_000
LONGEST_SECONDS = Decimal(86_400)
BOUNDS: Mapping[str, tuple[Decimal, Decimal]] = {
    "skip": (Decimal(0), Decimal(LARGEST_COUNT)),
    "times": (Decimal(1), Decimal(LARGEST_COUNT)),
    "probability": (Decimal(0), Decimal(1)),
    "seconds": (Decimal(0), LONGEST_SECONDS),
    "skew_seconds": (-LONGEST_SECONDS, LONGEST_SECONDS),
    "delay_ms": (Decimal(0), Decimal(LONGEST_MS)),
    "hold_ms": (Decimal(0), Decimal(LONGEST_MS)),
    "copies": (Decimal(1), Decimal(100)),
    "window": (Decimal(2), Decimal(100)),
    "retry_after": (Decimal(0), LONGEST_SECONDS),
    "http_status": (Decimal(500), Decimal(599)),
    "qty": (Decimal("0.000000001"), Decimal(10) ** 12),
    "price": (Decimal("0.0001"), Decimal(10) ** 12),
}
MATCHERS = ("event", "symbol", "client_order_id", "order_id", "method", "path", "api", "channel", "execution_id")
LISTS = {*MATCHERS, "fields"}


class FaultError(ValueError):
    """Asked for in a way that makes no sense; the message names what is allowed."""


class Fault(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One fault as asked for: which occasions it matches, how often it strikes, and what it does then.

    Patterns are shell globs; an occasion must match one of each list that is not empty.
    """

    fault: str
    event: tuple[str, ...] = ()
    symbol: tuple[str, ...] = ()
    client_order_id: tuple[str, ...] = ()
    order_id: tuple[str, ...] = ()
    execution_id: tuple[str, ...] = ()
    method: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    api: tuple[str, ...] = ()
    channel: tuple[str, ...] = ()
    skip: int = 0
    times: int | None = None
    probability: Decimal = Decimal(1)
    seed: int = 1
    seconds: Decimal | None = None
    delay_ms: int = 0
    hold_ms: int = 0
    copies: int = 1
    window: int = 2
    form: str = "cumulative"
    value: str = ""
    where: str = "both"
    fields: tuple[str, ...] = ()
    instead: bool = False
    deaf: bool = False
    accept: bool = False
    headers: str = "all"
    retry_after: int = 1
    http_status: int = 500
    outcome: str = "fill"
    activities: str = "keep"
    skew_seconds: Decimal = Decimal(0)
    qty: Decimal | None = None
    price: Decimal | None = None

    @property
    def kind(self) -> Kind:
        """Return what the catalogue says of this fault."""
        return KINDS[self.fault]


class Occasion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A moment at which something could go wrong; what does not apply to it is empty."""

    event: str = ""
    symbol: str = ""
    client_order_id: str = ""
    order_id: str = ""
    execution_id: str = ""
    method: str = ""
    path: str = ""
    api: str = ""
    channel: str = ""

    def matches(self, fault: Fault) -> bool:
        """Say whether a fault is meant for this occasion."""
        for name in MATCHERS:
            patterns: tuple[str, ...] = getattr(fault, name)
            if patterns and not any(fnmatchcase(getattr(self, name), pattern) for pattern in patterns):
                return False
        return True


def parsed_fault(body: bytes) -> Fault:
    """Read a fault from JSON; numbers may be JSON numbers or strings, lists may be one comma-separated text."""
    try:
        given = msgspec.json.Decoder(dict[str, Any], float_hook=str).decode(body)
    except msgspec.DecodeError as error:
        raise FaultError(f"the body must be a JSON object with a fault and its options: {error}") from error
    return checked_fault(given)


def checked_fault(given: Mapping[str, Any]) -> Fault:
    """Return the fault that these words ask for, or raise `FaultError`."""
    name = str(given.get("fault", ""))
    kind = KINDS.get(name)
    if kind is None:
        raise FaultError(f"unknown fault {name!r}; the faults are: {', '.join(sorted(KINDS))}")
    allowed = kind.allowed()
    for option in given:
        if option != "fault" and option not in allowed:
            raise FaultError(f"{name} has no option {option!r}; its options are: {', '.join(allowed)}")
    merged = {**kind.defaults, **{option: value for option, value in given.items() if value is not None}}
    values = {option: _read(name, option, value) for option, value in merged.items() if option != "fault"}
    try:
        fault = msgspec.convert({"fault": name, **values}, Fault, strict=False)
    except msgspec.ValidationError as error:
        raise FaultError(f"{name}: {error}") from error
    _check_needs(fault, values)
    return fault


def _read(name: str, option: str, value: Any) -> Any:
    """Bring one option into shape and hold it against what it may be."""
    if option in LISTS:
        words = value.split(",") if isinstance(value, str) else value
        if not isinstance(words, list | tuple) or not all(isinstance(word, str) for word in words):
            raise FaultError(f"{name}: {option} must be text, or a list of texts")
        read = tuple(word.strip() for word in words if word.strip())
        return tuple(word.upper() for word in read) if option in {"symbol", "method"} else read
    if option in CHOICES and value not in CHOICES[option]:
        raise FaultError(f"{name}: {option} must be one of: {', '.join(CHOICES[option])}")
    if option in BOUNDS:
        _check_bounds(name, option, value)
    return value


def _check_bounds(name: str, option: str, value: Any) -> None:
    low, high = BOUNDS[option]
    try:
        number = Decimal(str(value))
    except InvalidOperation as error:
        raise FaultError(f"{name}: {option} must be a number from {low} to {high}") from error
    if not number.is_finite() or not low <= number <= high:
        raise FaultError(f"{name}: {option} must be from {low} to {high}")


def _check_needs(fault: Fault, given: Mapping[str, Any]) -> None:
    """Refuse what would do nothing."""
    for option in fault.kind.needs:
        if option not in given:
            raise FaultError(f"{fault.fault} needs {option}")
    if fault.fault == "correct_trade" and fault.qty is None and fault.price is None:
        raise FaultError("correct_trade needs qty or price: what the execution should have been")
    if fault.kind.place is Place.CLOCK and not fault.skew_seconds:
        raise FaultError("clock_skew needs skew_seconds other than 0; clear it to set the clock right")

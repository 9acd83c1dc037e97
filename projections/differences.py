"""What differs between two values of the same kind: one line for each field, named by its path."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from contracts.base import Value

GONE = None
_NAMES = ("symbol", "order_id", "name", "intent_id")
"""By these fields the items of a list are matched, so that one more item does not shift all that follow."""


class Difference(Value, frozen=True, kw_only=True):
    """One field that differs; a side is None where the field is not there."""

    path: str
    before: Any
    after: Any


def differences(before: Any, after: Any) -> tuple[Difference, ...]:
    """List what differs between two values (structs, maps, lists, plain values), in the order of their paths."""
    sides = dict(_leaves("", _plain(before))), dict(_leaves("", _plain(after)))
    paths = sorted(sides[0].keys() | sides[1].keys())
    found = ((path, sides[0].get(path, GONE), sides[1].get(path, GONE)) for path in paths)
    return tuple(Difference(path=path, before=was, after=now) for path, was, now in found if was != now)


def _plain(value: Any) -> Any:
    """Bring a value to what JSON knows; bytes are read as JSON."""
    return msgspec.json.decode(value if isinstance(value, bytes) else msgspec.json.encode(value))


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    match value:
        case Mapping() if value:
            for name, item in value.items():
                yield from _leaves(f"{path}.{name}" if path else str(name), item)
        case Sequence() if value and not isinstance(value, str):
            yield from _items(path, value)
        case Mapping() | []:
            return  # an empty map or list is as good as none
        case _:
            yield path, value


def _items(path: str, values: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    if all(isinstance(item, str) for item in values):
        yield path, ", ".join(sorted(values))  # a list of words is a set to us
        return
    for number, item in enumerate(values):
        yield from _leaves(f"{path}[{_name_of(item) or number}]", item)


def _name_of(item: Any) -> str | None:
    if not isinstance(item, Mapping):
        return None
    return next((str(item[name]) for name in _NAMES if item.get(name)), None)

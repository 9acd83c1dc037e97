"""The versions of an account's limits: who set them, why, and a hash that is the same however they were written."""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from contracts.base import Value
from contracts.codec import JournalEvent
from contracts.controls import LimitsProposed, LimitsSet
from contracts.limits import LimitOverride, LimitSet
from contracts.values import plain
from projections.differences import Difference


class LimitsVersion(Value, frozen=True, kw_only=True):
    """One version of the limits, and what it changed of the one before."""

    version: int
    seq: int
    at: datetime
    by: str
    reason: str
    hash: str
    limits: LimitSet
    changes: tuple[Difference, ...] = ()
    proposal: LimitsProposed | None = None
    """The last proposal of these very limits before they were set, with what they would have done."""


def hash_of(limits: LimitSet) -> str:
    """Give the SHA-256 (hex) of limits as values: order of keys and of symbols, and trailing zeros, do not count."""
    canonical = {name: _canonical(value) for name, value in msgspec.structs.asdict(limits).items()}
    return hashlib.sha256(msgspec.json.encode(canonical, order="deterministic")).hexdigest()


def _canonical(value: Any) -> Any:
    match value:
        case Decimal():
            return str(plain(value))
        case tuple():
            return ", ".join(sorted({one if isinstance(one, str) else _text(one) for one in value}))
        case _:
            return value


def _text(part: Any) -> str:
    return msgspec.json.encode(part, order="deterministic").decode()


def history(events: Iterable[tuple[int, JournalEvent]]) -> tuple[LimitsVersion, ...]:
    """Pick the versions out of a journal, oldest first; operators write them, so no fence voids one."""
    versions: list[LimitsVersion] = []
    proposals: dict[str, LimitsProposed] = {}
    for seq, event in events:
        if isinstance(event, LimitsProposed):
            proposals[hash_of(event.limits)] = event
        elif isinstance(event, LimitsSet):
            before = versions[-1].limits if versions else None
            versions.append(_version(seq, event, before, proposals.pop(hash_of(event.limits), None)))
    return tuple(versions)


def _version(seq: int, event: LimitsSet, before: LimitSet | None, proposal: LimitsProposed | None) -> LimitsVersion:
    return LimitsVersion(
        version=event.version,
        seq=seq,
        at=event.at,
        by=event.by,
        reason=event.reason,
        hash=hash_of(event.limits),
        limits=event.limits,
        changes=() if before is None else changes(before, event.limits),
        proposal=proposal,
    )


def changes[L: (LimitSet, LimitOverride)](before: L, after: L) -> tuple[Difference, ...]:
    """List the limits in which two versions differ as values: 5000 and 5000.0 do not."""
    sides = msgspec.structs.asdict(before), msgspec.structs.asdict(after)
    found = ((name, _canonical(sides[0][name]), _canonical(sides[1][name])) for name in sides[0])
    return tuple(Difference(path=name, before=was, after=now) for name, was, now in found if was != now)

"""Mandates through time: every version with who and why, and whether one lets an agent do more than another."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec.structs import replace

from contracts.base import Value
from contracts.codec import JournalEvent
from contracts.controls import MandateGranted, MandateRevoked
from contracts.ids import AgentId
from contracts.limits import LimitOverride
from contracts.mandates import APPROVAL_WAIT_MS, Hours, Mandate
from projections.differences import Difference, differences
from projections.standing import Granted, Standing

type MandateEvent = MandateGranted | MandateRevoked

_SETS = ("asset_classes", "sides", "order_types", "venues")
_OPEN_SETS = ("symbols", "strategies")
"""Where none means all."""
_ALLOWED = ("symbol_allowlist", "regimes_allowed")
_DENIED, _SHORTS = "symbol_denylist", "shorts_allowed"
NO_MANDATES: Mapping[AgentId, Mandate | None] = MappingProxyType({})
_FIRST_VERSION = 1


class MandateVersion(Value, frozen=True, kw_only=True):
    """One version of an agent's mandate, none when it was revoked, and what it changed of the one before."""

    agent: AgentId
    version: int
    seq: int
    at: datetime
    by: str
    reason: str
    mandate: Mandate | None
    changes: tuple[Difference, ...] = ()


def history(events: Iterable[tuple[int, JournalEvent]]) -> tuple[MandateVersion, ...]:
    """Pick the versions out of a journal, oldest first; operators write them, so no fence voids one."""
    last: dict[AgentId, MandateVersion] = {}
    found: list[MandateVersion] = []
    for seq, event in events:
        if isinstance(event, MandateGranted | MandateRevoked):
            last[event.agent] = _version(seq, event, last.get(event.agent))
            found.append(last[event.agent])
    return tuple(found)


def newest(versions: Sequence[MandateVersion], agent: AgentId) -> MandateVersion | None:
    """Give the version of an agent's mandate that holds, if there ever was one."""
    return next((one for one in reversed(versions) if one.agent == agent), None)


def _version(seq: int, event: MandateEvent, before: MandateVersion | None) -> MandateVersion:
    mandate = event.mandate if isinstance(event, MandateGranted) else None
    was = None if before is None else before.mandate
    return MandateVersion(
        agent=event.agent,
        version=event.version,
        seq=seq,
        at=event.at,
        by=event.by,
        reason=event.reason,
        mandate=mandate,
        changes=() if was is None or mandate is None else differences(was, mandate),
    )


def with_mandates(standing: Standing, mandates: Mapping[AgentId, Mandate | None]) -> Standing:
    """Put mandates in the place of those that stand, for a what-if; none is one that was revoked."""
    changed = standing.mandates
    for agent, mandate in mandates.items():
        known = changed.get(agent)
        version = _FIRST_VERSION if known is None else known.version
        changed = changed.set(agent, Granted(version=version, mandate=mandate))
    return replace(standing, mandates=changed) if mandates else standing


def mandates_changed(before: Standing, after: Standing) -> tuple[Difference, ...]:
    """List in what all mandates of two moments differ, each named with its agent."""
    agents = sorted({*before.mandates, *after.mandates})
    pairs = ((f"mandates.{agent}", before.mandates.get(agent), after.mandates.get(agent)) for agent in agents)
    return tuple(one for path, was, now in pairs for one in _granted_changes(path, was, now))


def _granted_changes(path: str, was: Granted | None, now: Granted | None) -> tuple[Difference, ...]:
    words = _word_of(was), _word_of(now)
    turned = () if words[0] == words[1] else (Difference(path=path, before=words[0], after=words[1]),)
    if now is None or now.mandate is None:
        return turned
    terms = differences(None if was is None else was.mandate, now.mandate)
    return (*turned, *(replace(one, path=f"{path}.{one.path}") for one in terms))


def _word_of(granted: Granted | None) -> str:
    if granted is None:
        return "none"
    return "revoked" if granted.mandate is None else "granted"


def widened(old: Mandate, new: Mandate) -> tuple[str, ...]:
    """Name everything in which a mandate lets an agent do more than another does; none, and it only tightens."""
    wider = [name for name in _SETS if not set(getattr(new, name)) <= set(getattr(old, name))]
    wider += [name for name in _OPEN_SETS if not _within(getattr(old, name), getattr(new, name))]
    wider += [name for name in ("budget_per_day_usd", "approval_from_usd", "lease_ms") if _more(old, new, name)]
    if new.expires_at > old.expires_at:
        wider.append("expires_at")
    if _wait_ms(new) > _wait_ms(old):
        wider.append("approval_wait_ms")
    if not _hours_within(old.hours, new.hours):
        wider.append("hours")
    return (*wider, *(f"limits.{name}" for name in widened_limits(old.limits, new.limits)))


def widened_limits(old: LimitOverride, new: LimitOverride) -> tuple[str, ...]:
    """Name every limit that allows more than another's does; none is no limit."""
    amounts = [name for name in new.__struct_fields__ if name not in {*_ALLOWED, _DENIED, _SHORTS}]
    wider = [name for name in amounts if _more(old, new, name)]
    wider += [name for name in _ALLOWED if not _within(getattr(old, name), getattr(new, name))]
    if not set(old.symbol_denylist or ()) <= set(new.symbol_denylist or ()):
        wider.append(_DENIED)
    if old.shorts_allowed is False and new.shorts_allowed is not False:
        wider.append(_SHORTS)
    return tuple(wider)


def _more(old: msgspec.Struct, new: msgspec.Struct, name: str) -> bool:
    was: Decimal | int | None = getattr(old, name)
    now: Decimal | int | None = getattr(new, name)
    return was is not None and (now is None or now > was)


def _within(old: Sequence[Any] | None, new: Sequence[Any] | None) -> bool:
    return old is None or (new is not None and set(new) <= set(old))


def _hours_within(old: Hours | None, new: Hours | None) -> bool:
    if old is None:
        return True
    return new is not None and old.from_minute <= new.from_minute and new.to_minute <= old.to_minute


def _wait_ms(mandate: Mandate) -> int:
    return APPROVAL_WAIT_MS if mandate.approval_wait_ms is None else mandate.approval_wait_ms

"""The versions of each layer of limits: who set it, why, and what it changed of the one before."""

from collections.abc import Iterable
from datetime import datetime

from contracts.base import Value
from contracts.codec import JournalEvent
from contracts.controls import LayerSet
from contracts.limits import LimitOverride
from contracts.scopes import Scope
from projections.differences import Difference
from projections.layers import NOTHING
from projections.limits_history import changes
from projections.standing import Standing


class LayerVersion(Value, frozen=True, kw_only=True):
    """One version of one layer; without limits the layer was taken away."""

    scope: Scope
    version: int
    seq: int
    at: datetime
    by: str
    reason: str
    limits: LimitOverride | None
    changes: tuple[Difference, ...] = ()


def layers_history(events: Iterable[tuple[int, JournalEvent]]) -> tuple[LayerVersion, ...]:
    """Pick the versions of all layers out of a journal, oldest first."""
    last: dict[Scope, LimitOverride] = {}
    versions: list[LayerVersion] = []
    for seq, event in events:
        if isinstance(event, LayerSet):
            now = event.limits or NOTHING
            versions.append(_version(seq, event, layer_changes(last.get(event.scope), now)))
            last[event.scope] = now
    return tuple(versions)


def layer_changes(before: LimitOverride | None, after: LimitOverride | None) -> tuple[Difference, ...]:
    """List the limits in which two versions of a layer differ as values; no layer holds no limit."""
    return changes(before or NOTHING, after or NOTHING)


def layers_changed(before: Standing, after: Standing) -> tuple[Difference, ...]:
    """List the limits in which all layers of two moments differ, each named with its layer."""
    return tuple(
        Difference(path=f"{scope}.{one.path}", before=one.before, after=one.after)
        for scope in sorted({*before.layers, *after.layers})
        for one in layer_changes(before.layer(scope), after.layer(scope))
    )


def _version(seq: int, event: LayerSet, changed: tuple[Difference, ...]) -> LayerVersion:
    return LayerVersion(
        scope=event.scope,
        version=event.version,
        seq=seq,
        at=event.at,
        by=event.by,
        reason=event.reason,
        limits=event.limits,
        changes=changed,
    )

"""The configured limits and layers, written to the journal at the start where they differ from what stands there."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from contracts import subjects
from contracts.controls import LayerSet, LimitsSet
from contracts.ids import AccountId
from contracts.limits import LimitOverride, LimitSet
from contracts.scopes import Scope
from services.runtime.clock import SystemClock
from services.runtime.connection import Connection
from services.runtime.jetstream import JetStreamJournal
from services.runtime.layer_book import controls_upto

CONFIGURATION = "configuration"
_DIFFER = "the configured limits differ from the last ones"
_GONE = "the configuration names this layer no more"


@dataclass(slots=True)
class _Stands:
    """What the journal says last, and the sequence of its newest control."""

    limits: LimitsSet | None = None
    layers: dict[Scope, LayerSet] = field(default_factory=dict[Scope, LayerSet])
    newest_seq: int = 0


async def set_limits(
    link: Connection, account: AccountId, limits: LimitSet, layers: Mapping[Scope, LimitOverride]
) -> int:
    """Write what differs from the last limits and layers; give the version of the limits that holds.

    A layer that people set and the configuration does not name stands; one that the configuration set and names no
    more is taken away.
    """
    journal, subject = JetStreamJournal(link, account), subjects.control(account)
    newest = await journal.last_on(subject)
    stands = await _standing(link, account, newest.seq) if newest else _Stands()
    seq, last = stands.newest_seq, stands.limits
    version = last.version if last is not None else 0
    if last is None or last.limits != limits:
        version += 1
        seq = await journal.append(subject, _limits_event(version, limits), expected_seq=seq)
    for event in _layer_events(stands.layers, layers):
        seq = await journal.append(subject, event, expected_seq=seq)
    return version


def _limits_event(version: int, limits: LimitSet) -> LimitsSet:
    return LimitsSet(
        epoch=0,
        at=SystemClock().now(),
        version=version,
        limits=limits,
        by=CONFIGURATION,
        reason=_DIFFER if version > 1 else "first start",
    )


def _layer_events(last: Mapping[Scope, LayerSet], wanted: Mapping[Scope, LimitOverride]) -> list[LayerSet]:
    """Say what must be written so that the configured layers stand."""
    events: list[LayerSet] = []
    for scope in sorted(last.keys() | wanted.keys()):
        was, now = last.get(scope), wanted.get(scope)
        is_ours = was is not None and was.by == CONFIGURATION
        if (was.limits if was else None) == now or (now is None and not is_ours):
            continue
        events.append(
            LayerSet(
                epoch=0,
                at=SystemClock().now(),
                scope=scope,
                version=was.version + 1 if was else 1,
                limits=now,
                by=CONFIGURATION,
                reason=_GONE if now is None else (_DIFFER if was else "first start with this layer"),
            )
        )
    return events


async def _standing(link: Connection, account: AccountId, newest_seq: int) -> _Stands:
    stands = _Stands(newest_seq=newest_seq)
    for _, event in await controls_upto(link, account, newest_seq):
        match event:
            case LimitsSet():
                stands.limits = event
            case LayerSet(scope=scope):
                stands.layers[scope] = event
            case _:
                continue
    return stands

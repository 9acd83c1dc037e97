"""Layers of limits as the journal holds them, written by people: each write builds on what it read.

The controls of an account are few, so they are read whole; what another control put in between makes us read again.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from contracts import subjects
from contracts.codec import JournalEvent, decode_event
from contracts.controls import KillEngaged, KillReleased, LayerSet, LimitsSet, MandateGranted, MandateRevoked
from contracts.ids import AccountId
from contracts.limits import LimitOverride, LimitSet
from contracts.scopes import Scope
from projections import standing as standing_fold
from projections.standing import NOTHING_SAID, Standing
from services.runtime.connection import Connection
from services.runtime.ordered import OrderedReader
from services.runtime.ports import ConflictError, Journal, JournalUnavailableError

ATTEMPTS_MAX = 5
"""So often another control may come between reading and writing before we give up."""
_STANDING = (LayerSet, MandateGranted, MandateRevoked, KillEngaged, KillReleased)


class NothingChangesError(Exception):
    """The layer is as it was asked to be."""


class Stated(NamedTuple):
    """What a person wants of one layer: its new limits out of those that stand, none to take it away."""

    scope: Scope
    change: Callable[[LimitOverride | None], LimitOverride | None]
    by: str
    reason: str
    at: datetime


class Written(NamedTuple):
    """A layer as it now stands, and where that was written."""

    event: LayerSet
    seq: int
    before: LimitOverride | None


class Controls(NamedTuple):
    """What the controls say: the account's limits with their version, and what stands beside them."""

    limits: LimitSet | None
    version: int
    standing: Standing
    seq: int


async def change_layer(
    journal: Journal, account: AccountId, standing_at: Callable[[int], Awaitable[Standing]], stated: Stated
) -> Written:
    """Write the next version of one layer, never over one that was not read.

    `standing_at` gives what stands at a sequence, which is the newest control's. Raise `NothingChangesError` when
    the layer is so already.
    """
    subject = subjects.control(account)
    for _ in range(ATTEMPTS_MAX):
        newest = await journal.last_on(subject)
        seq = 0 if newest is None else newest.seq
        layer = (await standing_at(seq)).layers.get(stated.scope)
        before = None if layer is None else layer.limits
        limits = stated.change(before)
        if limits == before:
            raise NothingChangesError(f"layer {stated.scope} is so already")
        event = LayerSet(
            epoch=0,
            at=stated.at,
            scope=stated.scope,
            version=1 if layer is None else layer.version + 1,
            limits=limits,
            by=stated.by,
            reason=stated.reason,
        )
        with suppress(ConflictError):
            return Written(event, await journal.append(subject, event, expected_seq=seq), before)
    raise JournalUnavailableError(f"other controls came in between {ATTEMPTS_MAX} times: try again")


async def controls_upto(link: Connection, account: AccountId, seq: int) -> list[tuple[int, JournalEvent]]:
    """Read the controls alone, up to the one that stands at a sequence."""
    found: list[tuple[int, JournalEvent]] = []
    if not seq:
        return found
    stream, subject = subjects.journal_stream(account), subjects.control(account)
    async with OrderedReader(link, stream, 0, subject=subject) as reader:
        while not found or found[-1][0] < seq:
            found += [(place, decode_event(body)) for place, _, _, body, _ in await reader.next_batch()]
    return [one for one in found if one[0] <= seq]


def controls_of(events: list[tuple[int, JournalEvent]]) -> Controls:
    """Fold what operators said; nobody's epoch fences them."""
    limits: LimitSet | None = None
    version, standing, last_seq = 0, NOTHING_SAID, 0
    for seq, event in events:
        last_seq = seq
        if isinstance(event, LimitsSet):
            limits, version = event.limits, event.version
        elif isinstance(event, _STANDING):
            standing = standing_fold.evolve(standing, event, seq)
    return Controls(limits, version, standing, last_seq)

"""Invariants 3 and 6: what lives equals what is replayed, from the start or a snapshot; decisions re-derive."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

from contracts.enums import Role
from projections.state_codec import encode_state
from services.audit.verification import verify
from services.oms.core import OmsCore
from services.risk.core import RiskCore
from services.risk.rederive import Rederivation
from services.runtime.ports import Recorded
from tests.simulation.checks.reading import NaiveBook, valid
from tests.simulation.runtime import CODE_VERSION
from tests.simulation.world import World

SNAPSHOTS_TRIED = 1


def live_equals_replayed(world: World) -> Iterator[str]:
    """Fold the journal again for risk and OMS, and compare with those that live."""
    journal = world.server.journal.events
    yield from _compare(world, Role.OMS, OmsCore, _oms_state, journal)
    yield from _compare(world, Role.RISK, lambda: RiskCore(CODE_VERSION), _risk_state, journal)


def _compare(
    world: World, role: Role, make: Callable[[], Any], state_of: Callable[[Any], bytes], journal: list[Recorded]
) -> Iterator[str]:
    runtime = world.crew.one_of(role)
    if runtime is None or runtime.process.core is None:
        yield f"no {role} lives at the end"
        return
    live = state_of(runtime.process.core)
    if state_of(_replayed(make(), journal)) != live:
        yield f"the state of {role} that lived is not the one that its journal gives"
    saved = world.server.snapshots(role)._saved
    for snapshot in saved[-SNAPSHOTS_TRIED:]:
        core = make()
        core.load(snapshot.state)
        if state_of(_replayed(core, journal)) != live:
            yield f"{role} from its snapshot at {snapshot.sequence} comes to another state than it lived"


def _replayed(core: Any, journal: list[Recorded]) -> Any:
    for recorded in journal[core.read_seq :]:
        core.take(recorded.seq, recorded.event)
    if isinstance(core, RiskCore):
        core.go_live(1_000_000)
    return core


def _oms_state(core: OmsCore) -> bytes:
    return core.save()


def _risk_state(core: RiskCore) -> bytes:
    return encode_state(core.state)


def decisions_rederive(world: World) -> Iterator[str]:
    """Decide everything again, and compare bytes."""
    again = Rederivation(world.server.journal.account)
    for recorded in world.server.journal.events:
        for divergence in again.take(recorded.seq, recorded.event, recorded.body):
            yield f"#{divergence.seq} decides differently: {divergence.derived.decode()[:300]}"


def the_chain_holds(world: World) -> Iterator[str]:
    """Verify the hash chain and audit's checkpoints in it."""
    verdict = asyncio.run(verify(world.server.journal))
    if not verdict.is_clean:
        yield f"#{verdict.bad_seq}: {verdict.fault}"


def nothing_is_reserved(world: World) -> Iterator[str]:
    """Look at the live states: no exposure but that of positions, and positions as a naive reader has them."""
    book = NaiveBook()
    for entry in valid(world.server.journal.events):
        book.take(entry)
    for role in (Role.OMS, Role.RISK):
        runtime = world.crew.one_of(role)
        if runtime is None or runtime.process.core is None:
            continue
        state = runtime.process.core.state
        account = state.account if role is Role.OMS else state
        for symbol, one in sorted(account.exposure.symbols.items()):
            if one.buy_qty or one.sell_qty:
                yield f"{role} still reserves {one.buy_qty} to buy and {one.sell_qty} to sell of {symbol}"
            if one.position_qty != book.position(symbol):
                yield f"{role} holds {one.position_qty} {symbol}, its fills come to {book.position(symbol)}"

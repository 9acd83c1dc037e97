"""A long journal as days of quiet trading leave it, written as an export while it comes about.

Nothing breaks here and everything that is over is forgotten, so length costs time and no memory.
"""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from contracts.audit import ExportManifest
from contracts.enums import TimeInForce
from services.audit.export import Format
from services.audit.exported import Order, write_export
from services.runtime.ports import Received
from tests.simulation.runtime import CODE_VERSION
from tests.simulation.world import LIMITS, MIDDAY, Plan, World

if TYPE_CHECKING:
    from contracts.ids import AccountId

SESSION_S = 1_200.0
"""So long do agents trade on each exchange day; then all clocks leap to the next."""
NIGHT = timedelta(days=1) - timedelta(seconds=SESSION_S)
KEPT = 4_000
"""So many events stay in memory for readers that are behind."""
TEND_EVERY_S = 20.0
STEPS_PER_EVENT_MAX = 1_000
FOR_EVER_S = 1e12
PLENTY = Decimal(100_000_000)
QUIET = Plan(active_s=FOR_EVER_S, think_s=0.25, hazard_every_s=FOR_EVER_S, start=MIDDAY, hazards=())
WIDE = replace(
    LIMITS,
    max_order_notional_usd=Decimal(10_000),
    max_position_notional_usd=Decimal(60_000),
    max_gross_exposure_usd=Decimal(150_000),
    max_net_exposure_usd=Decimal(120_000),
    max_daily_trades=1_000_000,
    order_rate_per_min=100_000,
    max_daily_loss_usd=PLENTY,
    max_drawdown_usd=PLENTY,
)


class ForgettingJournal:
    """The journal of a run that goes on, for one reader: what was read is let go."""

    def __init__(self, world: World) -> None:
        self.account: AccountId = world.server.journal.account
        self._events = world.server.journal.events

    async def read_raw(self, after: int = 0) -> AsyncGenerator[Received, None]:
        seq = after
        while True:
            while seq >= len(self._events):  # noqa: ASYNC110 - a look each second of virtual time costs nothing
                await asyncio.sleep(1)
            one = self._events[seq]
            seq += 1
            yield Received(one.seq, one.subject, one.at, one.body, one.headers)
            if seq > KEPT:
                self._events[seq - KEPT - 1] = None  # pyright: ignore[reportArgumentType] - nobody reads it again

    async def last_seq(self) -> int:
        return len(self._events)


class LongWorld(World):
    """A world without dangers, in which days pass."""

    snapshot_every = 100_000

    def __init__(self, seed: int) -> None:
        super().__init__(seed, QUIET, WIDE)
        self.venue.temper.late_fill = self.venue.temper.late_reject = 0.0
        self.server.story.is_kept = False

    async def write(self, events: int, folder: Path) -> ExportManifest:
        """Trade until the journal is as long as wished, and export it on the way."""
        self.loop.steps_left = events * STEPS_PER_EVENT_MAX
        self._open()
        work = [self.loop.create_task(self._trade(agent)) for agent in self.agents]
        work.append(self.loop.create_task(self._tend()))
        order = Order(
            folder=folder,
            format=Format.JSONL,
            first_seq=1,
            last_seq=events,
            at=self.server.clock.now(),
            code_version=CODE_VERSION,
        )
        manifest = await write_export(ForgettingJournal(self), order, lambda _seq: None)
        for task in work:
            task.cancel()
        return manifest

    async def _tend(self) -> None:
        """Let days pass, and forget what is over."""
        night_falls = SESSION_S
        while True:
            await asyncio.sleep(TEND_EVERY_S)
            self._forget()
            if self.loop.time() >= night_falls:
                night_falls += SESSION_S
                self._end_day()

    def _end_day(self) -> None:
        for order in self.venue.orders:
            if order.terms.time_in_force is TimeInForce.DAY:
                self.venue.end(order, "expired")
        self.server.clock.leap(NIGHT)
        for runtimes in self.crew.running.values():
            for runtime in runtimes:
                runtime.clock.leap(NIGHT)

    def _forget(self) -> None:
        recent = self.server.clock.now() - timedelta(minutes=30)
        self.venue.orders = [one for one in self.venue.orders if one.is_open or one.updated_at > recent]
        self.venue.by_client_id = {one.client_order_id: one for one in self.venue.orders}
        self.venue.by_broker_id = {one.broker_order_id: one for one in self.venue.orders}
        self.venue.fills = [fill for fill in self.venue.fills if fill.at > recent]
        self.wire.sent.clear()
        self.wire.arrived.clear()
        for agent in self.agents:
            agent.forget()


def write_journal(events: int, folder: Path, seed: int = 0) -> ExportManifest:
    """Write the journal of one seed, so many events long, as an unsigned export into an empty folder."""
    world = LongWorld(seed)
    return world.live(world.write(events, folder))

"""The risk process: two streams in, one decision for each intent out, in order and never twice.

Intents are read from the place that the journal itself records (the newest decided intent), so no consumer state
outside the journal matters. Decisions are pipelined: each counts from the moment it is made, and all of them
reach the stream in the order of deciding. Whatever breaks that ends the process; starting again is the recovery.
"""

import asyncio
from datetime import datetime
from typing import Any

from contracts import subjects
from contracts.decisions import Decision, Evidence
from contracts.enums import Role
from contracts.rails import unset_rails
from projections.trading_state import not_active
from services.risk.answer import Stated
from services.risk.core import SNAPSHOT_SCHEMA, FencedError, RiskCore
from services.risk.flatten import FIRST_WAIT_MS, ClosingPace, closing_intents
from services.risk.halt import FileHalt
from services.risk.heartbeats import CHECK_EVERY_MS, Heartbeats
from services.risk.market import MarketWatch
from services.runtime.lease import hold_right_to_write
from services.runtime.ports import Lease, LeaseLostError, Received, Snapshot
from services.runtime.process import Runtime
from services.runtime.setting_values import SettingsError

SNAPSHOT_EVERY_EVENTS = 20_000
TICK_S = 1.0
LIVE = "live"
DRAIN_S_MAX = 4.0
YIELD_EVERY_INTENTS = 16


class RiskService:
    """One account's risk, wired to its streams."""

    def __init__(self, runtime: Runtime, core: RiskCore, lease: Lease) -> None:
        """Bind the core to the outside."""
        self._runtime = runtime
        self._core = core
        self._lease = lease
        self._market = MarketWatch()
        self._pace = ClosingPace()
        self._halt = FileHalt(runtime.settings.home, core)
        self._beats = Heartbeats(runtime.account, core.epoch)
        self._in_flight = 0
        self._all_landed = asyncio.Event()
        self._all_landed.set()
        self._snapshot_seq = core.read_seq
        self._live = runtime.settings.broker.mode == LIVE

    async def run(self) -> None:
        """Work until told to stop; then let what is in flight land, and keep a snapshot."""
        limits = self._core.state.limits
        await self._market.watch(self._runtime.connection, limits.symbol_allowlist if limits else ())
        backlog_end = await self._runtime.inbox.last_seq()
        self._runtime.freshly(self._figures)
        self._runtime.mark_ready()
        async with asyncio.TaskGroup() as group:
            jobs = (
                self._follow_journal(),
                self._answer_intents(backlog_end),
                self._tick(),
                self._keep_closing(),
                self._cancel_for_the_silent(),
                self._halt.watch(),
            )
            tasks = [group.create_task(job) for job in jobs]
            await self._runtime.stopping.wait()
            for task in tasks:
                task.cancel()
        async with asyncio.timeout(DRAIN_S_MAX):
            await self._all_landed.wait()
        await self._keep_snapshot()

    async def _follow_journal(self) -> None:
        async for recorded in self._runtime.journal.read(after=self._core.read_seq):
            self._core.take(recorded.seq, recorded.event)

    async def _answer_intents(self, backlog_end: int) -> None:
        taken = 0
        async for received in self._runtime.inbox.read(after=self._core.intent_seq):
            if received.seq <= backlog_end and await self._is_decided(received):
                self._core.skip(received.seq)
                continue
            await self._runtime.journal.wait_for_room()
            await self._halt.is_on_record()
            self._answer(received)
            taken += 1
            if taken % YIELD_EVERY_INTENTS == 0:
                await asyncio.sleep(0)  # let confirmations and the others' events in between

    async def _is_decided(self, received: Received) -> bool:
        """Look an intent up that was there before us: an id may have been used before the stream forgot it."""
        stated = subjects.parse_intent(received.subject)
        subject = subjects.decision(stated.account, stated.agent, stated.intent_id)
        stands = await self._runtime.journal.last_on(subject)
        return stands is not None

    def _answer(self, received: Received) -> None:
        parsed = subjects.parse_intent(received.subject)
        self._beats.hear(parsed.agent, self._runtime.clock.monotonic_ms())
        stated = Stated(parsed.account, parsed.agent, parsed.intent_id, received.body, received.seq)
        evidence = self._evidence(received.body, received.at)
        self._decide(stated, evidence, dict(received.headers).get("traceparent"))

    def _evidence(self, body: bytes, received_at: datetime | None) -> Evidence:
        """Gather what is known now of the market that an intent names; what we state ourselves came this moment."""
        now, seen = self._runtime.clock.now(), self._market.evidence_for(body, self._core.state)
        return Evidence(
            received_at=received_at or now,
            decided_at=now,
            trading_day=self._runtime.clock.trading_day(now),
            quote=seen.quote,
            regime=seen.regime,
            stats=seen.stats,
            status=seen.status,
            live=self._live,
        )

    def _decide(self, stated: Stated, evidence: Evidence, traceparent: str | None) -> None:
        if not self._lease.held():
            raise LeaseLostError("the lease on this account's risk is gone")
        decision = self._core.decide(stated, evidence)
        subject = subjects.decision(stated.account, stated.agent, stated.intent_id)
        stored = self._runtime.journal.start_append(subject, decision, expected_seq=0, traceparent=traceparent)
        self._in_flight += 1
        self._all_landed.clear()
        stored.add_done_callback(lambda future: self._landed(decision, future))

    def _landed(self, decision: Decision, stored: asyncio.Future[int]) -> None:
        self._in_flight -= 1
        if not self._in_flight:
            self._all_landed.set()
        error = stored.exception()
        if error is not None:
            self._runtime.fail(error)
            return
        self._core.stands(decision, stored.result())

    async def _tick(self) -> None:
        """Keep a snapshot now and then."""
        while True:
            await asyncio.sleep(TICK_S)
            if self._core.read_seq - self._snapshot_seq >= SNAPSHOT_EVERY_EVENTS:
                await self._keep_snapshot()

    async def _keep_closing(self) -> None:
        """Close, for as long as a flatten is on, what it wants closed."""
        while True:
            await asyncio.sleep(FIRST_WAIT_MS / 1000)
            self._close_positions()

    async def _cancel_for_the_silent(self) -> None:
        """Hear agents' beats, and cancel the entries of those whose lease is over."""
        await self._runtime.connection.subscribe_raw(subjects.beats_of(self._runtime.account), self._hear_beat)
        while True:
            await asyncio.sleep(CHECK_EVERY_MS / 1000)
            for stated in self._beats.cancels(self._core.state, self._runtime.clock.monotonic_ms()):
                self._decide_own(stated)

    def _hear_beat(self, subject: bytes, _reply: bytes, _body: bytes, _headers: bytes | None) -> None:
        self._beats.hear(subjects.parse_beat(subject.decode()), self._runtime.clock.monotonic_ms())

    def _decide_own(self, stated: Stated) -> None:
        """Decide what risk itself states, at this moment's market."""
        evidence = self._evidence(stated.body, None)
        self._decide(stated, evidence, None)

    def _close_positions(self) -> None:
        now_ms = self._runtime.clock.monotonic_ms()
        core = self._core
        for stated in closing_intents(core.state, self._runtime.account, core.read_seq, self._pace, now_ms):
            self._decide_own(stated)

    async def _keep_snapshot(self) -> None:
        """Save only between decisions, when everything decided is known to stand."""
        if self._in_flight:
            return
        self._snapshot_seq = self._core.read_seq
        snapshot = Snapshot(self._core.read_seq, SNAPSHOT_SCHEMA, self._core.save())
        await self._runtime.snapshots.save(snapshot)

    def _figures(self) -> dict[str, Any]:
        state, core, now = self._core.state, self._core, self._runtime.clock.now()
        return {
            "seq": core.read_seq,
            "intent_seq": core.intent_seq,
            "epoch": core.epoch,
            "open_orders": state.open_orders,
            "limits_version": state.limits_version,
            "kill": None if state.kill is None else state.kill.mode,
            "kills": {scope: kill.event.mode for scope, kill in state.standing.kills.items()},
            "kill_file": self._halt.is_there,
            "account_age_ms": core.account_age_ms(now),
            "trading": not_active(state, now),
        }


async def rebuild(runtime: Runtime, core: RiskCore, upto_seq: int) -> None:
    """Bring the core to a journal sequence, from the newest snapshot when there is one we understand."""
    snapshot = await runtime.snapshots.load(SNAPSHOT_SCHEMA)
    if snapshot is not None:
        core.load(snapshot.state)
    if core.read_seq >= upto_seq:
        return
    async for recorded in runtime.journal.read(after=core.read_seq):
        core.take(recorded.seq, recorded.event)
        if recorded.seq >= upto_seq:
            return


def _require_rails(core: RiskCore) -> None:
    """Refuse limits with a rail that nobody chose; one whose waiver is over denies new risk and traps no position."""
    state = core.state
    unset = () if state.limits is None else unset_rails(state.limits)
    if unset:
        told = f"limits version {state.limits_version} of the journal"
        allowed = "limits with every rail set, or waived by name: `lockgate up` writes them"
        raise SettingsError(told, f"without {', '.join(unset)}", allowed)


async def serve(runtime: Runtime) -> None:
    """Take the right to write, fold everything up to that moment, and only then decide."""
    lease = await hold_right_to_write(runtime, Role.RISK)
    core = RiskCore(runtime.settings.code_version)
    await rebuild(runtime, core, await runtime.journal.last_seq())
    _require_rails(core)
    core.go_live(lease.epoch)
    try:
        await RiskService(runtime, core, lease).run()
    except* FencedError as fenced:
        raise LeaseLostError(str(fenced.exceptions[0])) from fenced

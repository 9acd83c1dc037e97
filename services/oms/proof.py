"""The proof of a kill: what the broker itself shows is asked until nothing is left, and then put on the record.

Measured are the time to block (from the time that the word gives for itself, by the clock of whoever said it, to the
moment when the gate was shut here; after that no byte of new risk in the scope is handed to the broker's socket) and
the time to flat (from there on, by the monotonic clock, to the broker's answers that showed nothing left). In between
lies the silence: the broker has answered all new risk that was handed over before, so none reaches it any more.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from contracts.broker import KillVerified
from contracts.controls import KillEngaged
from contracts.enums import BreakKind, KillMode
from contracts.ids import AgentId, Symbol
from contracts.scopes import Scope, ScopeKind, parse_scope
from projections.order_state import OrderState
from projections.standing import Kill, scopes_over, switch_of
from services.oms.brokers.port import Broker, BrokerOrder
from services.oms.core import OmsCore
from services.oms.desk import OrderDesk
from services.oms.flights import Silence
from services.oms.kill import Hearing, KillSwitch, foreign, whose_of
from services.oms.state import key_of
from services.runtime.ports import Clock

LATE_AFTER_MS = 10_000
"""A kill that is not done by then is told to be late, on the record and in health; trying goes on."""
_US = timedelta(microseconds=1)
_MS = Decimal(1000)


@dataclass(slots=True)
class _Claim:
    """A kill whose proof is owed."""

    scope: Scope
    mode: KillMode
    seq: int
    blocked_after_ms: Decimal | None
    began_ms: int
    silence: Silence | None
    asked: int = 0
    is_late: bool = False

    @property
    def is_silent(self) -> bool:
        """Say whether no answer to new risk is waited for; each comes, or is given up, within the adapter's time."""
        return self.silence is None or self.silence.is_over

    @property
    def silent_after_ms(self) -> Decimal | None:
        """Give the time (ms) from the word to the last answer, None when it cannot be said."""
        passed_ms = None if self.silence is None else self.silence.passed_ms
        return None if passed_ms is None or self.blocked_after_ms is None else self.blocked_after_ms + passed_ms


class ProofDesk:
    """Owes a proof for every kill, and writes it once the broker shows what it takes."""

    def __init__(
        self, broker: Broker, desk: OrderDesk, kill: KillSwitch, core: OmsCore, clock: Clock, log: Any
    ) -> None:
        """Owe nothing yet."""
        self._broker = broker
        self._desk = desk
        self._kill = kill
        self._core = core
        self._clock = clock
        self._log = log
        self._owed: dict[Scope, _Claim] = {}

    @property
    def is_owed(self) -> bool:
        """Say whether a kill still waits for its proof."""
        return bool(self._owed)

    @property
    def late(self) -> tuple[Scope, ...]:
        """Name the scopes whose kill is not done though it should be, for health."""
        return tuple(sorted(claim.scope for claim in self._owed.values() if claim.is_late))

    def owe(self, event: KillEngaged, seq: int, heard: Hearing) -> None:
        """Owe a proof for a word that was just read; one that changes nothing is proved anew, too."""
        scope = switch_of(event.scope)
        kill = self._core.state.account.standing.kills.get(scope)
        if kill is None:
            return  # void already
        blocked_after_ms = max(Decimal((heard.at - event.at) // _US) / _MS, Decimal(0))
        self._owed[scope] = _Claim(scope, kill.event.mode, seq, blocked_after_ms, heard.monotonic_ms, heard.silence)

    def owe_rest(self) -> None:
        """Owe, after a start, the proofs that a predecessor could not write; its times are counted by the wall."""
        for scope, kill in self._core.state.account.standing.kills.items():
            if scope not in self._owed and not _is_proved(kill):
                passed = (self._clock.now() - kill.event.at) // timedelta(milliseconds=1)
                began_ms = self._clock.monotonic_ms() - max(passed, 0)
                self._owed[scope] = _Claim(scope, kill.event.mode, kill.seq, None, began_ms, None)

    async def settle_blocks(self) -> None:
        """Prove the kills that only block: the gate is shut, and what had left before is answered."""
        for claim in tuple(self._owed.values()):
            if not self._is_on(claim):
                self._owed.pop(claim.scope, None)
            elif claim.mode is KillMode.BLOCK_NEW and claim.is_silent:
                left = (order for order in self._core.state.open_orders() if self._is_in(claim, order))
                await self._write(claim, sum(1 for _ in left), self._held_in(claim))
                self._settled(claim)

    async def judge(self, reports: Iterable[BrokerOrder]) -> None:
        """Hold the broker's open orders, asked for just now, against every kill whose proof is owed."""
        reports = tuple(reports)
        for claim in tuple(self._owed.values()):
            if self._is_on(claim) and claim.mode is not KillMode.BLOCK_NEW:
                await self._judge(claim, reports)

    async def _judge(self, claim: _Claim, reports: tuple[BrokerOrder, ...]) -> None:
        claim.asked += 1
        orders_left = self._orders_left(claim, reports)
        positions_left = self._held_in(claim)
        if claim.mode is KillMode.FLATTEN and not orders_left:
            # Asked after the orders: with none left nothing can move them any more.
            positions_left = max(positions_left, await self._shown_in(claim))
        passed_ms = self._clock.monotonic_ms() - claim.began_ms
        if claim.is_silent and not orders_left and not (claim.mode is KillMode.FLATTEN and positions_left):
            await self._write(claim, 0, positions_left, Decimal(max(passed_ms, 0)))
            self._settled(claim)
        elif passed_ms > LATE_AFTER_MS and not claim.is_late:
            claim.is_late = True
            self._log.error("a kill is not done", scope=claim.scope, orders=orders_left, positions=positions_left)
            await self._write(claim, orders_left, positions_left)

    def _settled(self, claim: _Claim) -> None:
        if self._owed.get(claim.scope) is claim:
            del self._owed[claim.scope]

    def _is_on(self, claim: _Claim) -> bool:
        return claim.scope in self._core.state.account.standing.kills

    def _orders_left(self, claim: _Claim, reports: tuple[BrokerOrder, ...]) -> int:
        """Count what the broker shows, and what may still turn up there; cancel_all leaves later exits be."""
        left = 0
        shown: set[str] = set()
        for report in reports:
            order = self._desk.order(key_of(report, self._core.state))
            if order is None:
                left += claim.scope in scopes_over(foreign(report.symbol))
            else:
                shown.add(order.order_id)
                left += self._counts(claim, order)
        for order in self._core.state.open_orders():
            unsure = order.broker_order_id is None and order.order_id not in shown
            left += unsure and self._counts(claim, order)
        return left

    def _counts(self, claim: _Claim, order: OrderState) -> bool:
        return self._is_in(claim, order) and (claim.mode is KillMode.FLATTEN or self._kill.ends(order))

    def _is_in(self, claim: _Claim, order: OrderState) -> bool:
        return claim.scope in scopes_over(whose_of(order))

    async def _shown_in(self, claim: _Claim) -> int:
        """Count the positions of a scope that the broker shows; of agents and strategies it knows nothing."""
        kind, name = parse_scope(claim.scope)
        if kind in {ScopeKind.AGENT, ScopeKind.STRATEGY}:
            return 0
        held = {one.symbol for one in await self._broker.positions() if one.qty}
        return len(held) if kind is not ScopeKind.SYMBOL else len(held & {name})

    def _held_in(self, claim: _Claim) -> int:
        """Count the positions of a scope in our books; one whose books differ from the broker's is not proved."""
        state = self._core.state.account
        kind, name = parse_scope(claim.scope)
        match kind:
            case ScopeKind.AGENT:
                positions = state.agents.book(AgentId(name)).positions
            case ScopeKind.STRATEGY:
                positions = state.strategies.book(name).positions
            case ScopeKind.SYMBOL | ScopeKind.ACCOUNT | ScopeKind.FIRM:
                positions = state.positions
        chosen = {Symbol(name)} & set(positions) if kind is ScopeKind.SYMBOL else set(positions)
        broken = {found.key for found in state.breaks.values() if found.kind is BreakKind.POSITION}
        return sum(1 for symbol in chosen if positions[symbol].qty or symbol in broken)

    async def _write(
        self, claim: _Claim, orders_left: int, positions_left: int, flat_after_ms: Decimal | None = None
    ) -> None:
        stamp = self._desk.stamp()
        event = KillVerified(
            epoch=stamp.epoch,
            at=stamp.at,
            scope=claim.scope,
            mode=claim.mode,
            engaged_seq=claim.seq,
            blocked_after_ms=claim.blocked_after_ms,
            flat_after_ms=flat_after_ms,
            orders_left=orders_left,
            positions_left=positions_left,
            detail=_detail(claim),
            silent_after_ms=claim.silent_after_ms,
        )
        await self._desk.append(event)


def _is_proved(kill: Kill) -> bool:
    proof = kill.proof
    return proof is not None and (not kill.cancels or proof.flat_after_ms is not None)


def _detail(claim: _Claim) -> str:
    """Say how it was measured, and of what nothing can be said."""
    unsaid = _unsaid(claim.silence)
    if claim.mode is KillMode.BLOCK_NEW:
        return f"the gate to the broker is shut for new risk{unsaid}"
    kind, _ = parse_scope(claim.scope)
    is_ours = kind in {ScopeKind.AGENT, ScopeKind.STRATEGY}
    whose = "; whose positions they are, our books say" if is_ours else ""
    since = "; times by the wall clock, because the OMS was started after the word"
    return f"the broker was asked {claim.asked} times{whose}{since if claim.blocked_after_ms is None else ''}{unsaid}"


def _unsaid(silence: Silence | None) -> str:
    """Say why nobody knows from when on the broker hears nothing more; nothing where that is known."""
    if silence is None:
        return "; what was sent before the OMS started may still arrive"
    unanswered = silence.unanswered
    return f"; {unanswered} requests sent before were never answered, and may still arrive" if unanswered else ""

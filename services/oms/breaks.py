"""Differences that are true go into the journal, and out of it when the books agree or a person settles them."""

from typing import Any

from contracts.broker import BreakFound, BreakHealed, CashMoved, PositionAdopted
from contracts.enums import BreakKind
from contracts.ids import OrderId, Symbol
from contracts.values import ZERO
from services.oms import books
from services.oms.books import NO_SUSPICIONS, Difference, Suspicion, Suspicions
from services.oms.comparison import Comparison
from services.oms.core import OmsCore
from services.oms.desk import OrderDesk
from services.oms.ledger import Acceptance

_OURS = frozenset({BreakKind.POSITION, BreakKind.CASH, BreakKind.ORDER, BreakKind.OVERFILL})
"""Kinds that this process finds; an orphan is another's to find and to heal."""
_HAS_NO_FIGURE = frozenset({BreakKind.ORDER, BreakKind.OVERFILL})


class BreakDesk:
    """Weighs what comparisons saw, and writes what it comes to."""

    def __init__(self, desk: OrderDesk, core: OmsCore, log: Any) -> None:
        """Write at a desk."""
        self._desk = desk
        self._core = core
        self._log = log
        self._suspicions: Suspicions = NO_SUSPICIONS
        self._alarms: dict[OrderId, Difference] = {}

    @property
    def watched(self) -> frozenset[str]:
        """Name every difference that is suspected or stands."""
        standing = (name for name, found in self._core.state.account.breaks.items() if found.kind in _OURS)
        return frozenset({*self._suspicions, *standing})

    @property
    def suspects_anew(self) -> bool:
        """Say whether there are differences that do not stand yet: everything should be asked for that could heal."""
        return any(name not in self._core.state.account.breaks for name in self._suspicions)

    async def settle(self, found: Comparison) -> None:
        """Write what is true now, and what is so no more."""
        await self._settle_accepted(found)
        standing = self._core.state.account.breaks
        seen = [d for d in found.differences.values() if not self._is_accepted(d)]
        verdict = books.judge(self._suspicions, seen, found.agreeing, standing, self._desk.stamp().at)
        self._suspicions = verdict.suspicions
        for suspicion in verdict.true:
            await self._write_found(suspicion)
        for name in verdict.healed:
            await self._write_healed(standing[name], "the books agree again")
        await self._desk.all_read()

    def concerns(self, order_id: OrderId) -> bool:
        """Say whether an order filled more than it could become, or stands as if it had."""
        order = self._core.state.order(order_id)
        over = order is not None and order.filled_qty > order.terms.qty
        return over or f"{BreakKind.OVERFILL}:{order_id}" in self._core.state.account.breaks

    async def check_fill(self, order_id: OrderId) -> None:
        """Alarm at once when an order filled more than it could ever become; say so when that is undone."""
        order = self._core.state.order(order_id)
        over = None if order is None else books.overfill(order)
        if over is None:
            told = self._core.state.account.breaks.get(f"{BreakKind.OVERFILL}:{order_id}")
            if order is not None and told is not None:
                self._alarms.pop(order_id, None)
                await self._write_healed(told, "no more than its quantity counts as filled")
        elif not self._is_known(order_id, over):
            self._alarms[order_id] = over
            await self._write_found(Suspicion(difference=over, since=self._desk.stamp().at))

    def _is_known(self, order_id: OrderId, over: Difference) -> bool:
        told = self._core.state.account.breaks.get(over.name)
        standing = told is not None and books.as_difference(told).is_same(over)
        return standing or self._is_accepted(over) or self._alarms.get(order_id) == over

    def _is_accepted(self, difference: Difference) -> bool:
        acceptance = self._core.state.ledger.accepted.get(difference.name)
        return acceptance is not None and books.as_difference(acceptance.found).is_same(difference)

    async def _settle_accepted(self, found: Comparison) -> None:
        """Bring the books to the figure that a person accepted, while it is still the one they saw."""
        for name, acceptance in sorted(self._core.state.ledger.accepted.items()):
            if name not in self._core.state.account.breaks:
                continue
            if acceptance.found.kind in _HAS_NO_FIGURE:
                await self._write_healed(acceptance.found, acceptance.words)
                continue
            difference = found.differences.get(name)
            if difference is not None and self._is_accepted(difference):
                await self._move_books(difference, acceptance, found)
                await self._write_healed(acceptance.found, acceptance.words)
                del found.differences[name]
                self._suspicions = self._suspicions.delete(name) if name in self._suspicions else self._suspicions
        await self._desk.all_read()

    async def _move_books(self, difference: Difference, acceptance: Acceptance, found: Comparison) -> None:
        gap = difference.gap or ZERO
        stamp = self._desk.stamp()
        if difference.kind is BreakKind.CASH:
            moved = CashMoved(
                epoch=stamp.epoch,
                at=stamp.at,
                activity_id=f"accepted-{acceptance.found.since.isoformat()}",
                kind="accepted",
                amount_usd=gap,
                detail=acceptance.words,
            )
            await self._desk.append(moved)
            return
        symbol = Symbol(difference.key)
        price = books.adoption_price(self._core.state.account.positions.get(symbol), found.shown.get(symbol), gap)
        adopted = PositionAdopted(
            epoch=stamp.epoch, at=stamp.at, symbol=symbol, qty=gap, price=price, detail=acceptance.words
        )
        await self._desk.append(adopted)

    async def _write_found(self, suspicion: Suspicion) -> None:
        difference, stamp = suspicion.difference, self._desk.stamp()
        event = BreakFound(
            epoch=stamp.epoch,
            at=stamp.at,
            kind=difference.kind,
            key=difference.key,
            ours=difference.ours,
            theirs=difference.theirs,
            since=suspicion.since,
        )
        self._log.error(
            "BREAK: our books and the broker's differ",
            kind=event.kind,
            key=event.key,
            ours=event.ours,
            theirs=event.theirs,
        )
        await self._desk.append(event)

    async def _write_healed(self, was: BreakFound, detail: str) -> None:
        stamp = self._desk.stamp()
        self._log.info("break healed", kind=was.kind, key=was.key, detail=detail)
        await self._desk.append(
            BreakHealed(epoch=stamp.epoch, at=stamp.at, kind=was.kind, key=was.key, detail=detail)
        )

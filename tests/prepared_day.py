"""A journal made by hand: every intent is decided as risk would have, so all of it derives again."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from contracts import subjects
from contracts.audit import ExportManifest
from contracts.base import Event
from contracts.broker import AccountObserved
from contracts.controls import KillEngaged, KillReleased, LayerSet, LimitsSet, MandateGranted, MandateRevoked
from contracts.decisions import Decision
from contracts.enums import Outcome
from contracts.ids import FillId, IntentId, OrderId
from contracts.orders import OrderEvent, OrderFilled
from projections import account
from services.audit.export import Format
from services.audit.exported import Order, write_export
from services.audit.signing import Signer
from services.risk.decider import Stamp, Stated, decide
from services.runtime.memory import ManualClock, MemoryJournal
from tests.risk_world import DEMO, NOW, PAPER, body, evidence, limits_set, observed, quote


class Day:
    """The day as it grows; approved orders fill whole at once unless told otherwise; decisions see `facts` too."""

    def __init__(self, code_version: str = "0.1.0", **limits: Any) -> None:
        self.events: list[Any] = []
        self.state = account.EMPTY
        self.code_version = code_version
        self.facts: dict[str, Any] = {}
        self.agent = DEMO
        self.add(limits_set(**({"order_rate_per_min": 1000} | limits)))
        self.add(observed())

    @property
    def now(self) -> datetime:
        """One second for each event."""
        return NOW + timedelta(seconds=len(self.events))

    def add(self, event: Any) -> int:
        self.events.append(event)
        self.state = account.evolve(self.state, event, len(self.events))
        return len(self.events)

    def ask(self, intent_id: str, qty: str, *, fill: str | None = "100", **fields: Any) -> Decision:
        decision = self.state_intent(intent_id, body(intent_id, qty=qty, **fields))
        if decision.outcome is Outcome.APPROVED and decision.terms is not None and fill is not None:
            self.fill(decision, fill)
        return decision

    def state_intent(self, intent_id: str, content: bytes) -> Decision:
        at = self.now
        stated = Stated(PAPER, self.agent, IntentId(intent_id), content, len(self.events))
        stamp = Stamp(1, self.code_version, len(self.events))
        seen = replace(evidence(quote(at=at), at=at), **self.facts)
        decision = decide(self.state, stated, seen, stamp)
        self.add(decision)
        return decision

    def fill(self, decision: Decision, price: str) -> None:
        terms = decision.terms
        assert terms is not None
        self.add(
            OrderFilled(
                epoch=1,
                at=self.now,
                correlation_id=decision.intent_id,
                causation_seq=len(self.events),
                order_id=OrderId(str(decision.order_id)),
                fill_id=FillId(f"x-{decision.intent_id}"),
                symbol=terms.symbol,
                side=terms.side,
                qty=terms.qty,
                price=Decimal(price),
                cum_qty=terms.qty,
                filled_at=self.now,
            )
        )

    def written(self) -> Iterator[tuple[str, Event]]:
        """Give each event with the subject on which it stands."""
        for event in self.events:
            yield subject_of(event), event

    async def journal(self) -> MemoryJournal:
        journal = MemoryJournal(PAPER, ManualClock(NOW))
        for subject, event in self.written():
            await journal.append(subject, event)
        return journal

    async def export(self, folder: Path, signer: Signer | None = None, kind: Format = Format.JSONL) -> ExportManifest:
        """Write it as `lockgate export` would."""
        order = Order(
            folder=folder,
            format=kind,
            first_seq=1,
            last_seq=len(self.events),
            at=NOW,
            code_version=self.code_version,
            signer=signer,
        )
        return await write_export(await self.journal(), order, lambda _: None)


def subject_of(event: Event) -> str:
    match event:
        case Decision():
            return subjects.decision(PAPER, event.agent, event.intent_id)
        case OrderEvent():
            return subjects.order(PAPER, DEMO, event.order_id)
        case LimitsSet() | LayerSet() | MandateGranted() | MandateRevoked() | KillEngaged() | KillReleased():
            return subjects.control(PAPER)
        case AccountObserved():
            return subjects.broker(PAPER)
        case _:
            raise AssertionError(f"no subject for {type(event).__name__}")


def cancel(intent_id: str, order_id: str | None) -> bytes:
    return json.dumps({"type": "intent.cancel.v1", "intent_id": intent_id, "order_id": order_id}).encode()

"""One intent on its way: stated over NATS as any agent would, its decision and its order's events heard."""

import asyncio
from collections.abc import AsyncGenerator

import msgspec
from nats.errors import NoRespondersError

from contracts import subjects
from contracts.codec import decode_event, encode
from contracts.decisions import Decision
from contracts.ids import OPERATOR, AccountId, AgentId
from contracts.intents import Intent
from contracts.orders import (
    AnyOrderEvent,
    OrderCanceled,
    OrderCancelRejected,
    OrderEvent,
    OrderExpired,
    OrderRejected,
    OrderReplaced,
    OrderReplaceRejected,
)
from projections import order_state, orders
from projections.order_state import OrderState
from services.cli.credential_files import Participant
from services.cli.outcome import CommandError, UnreachableError
from services.runtime.connection import Connection
from services.runtime.nats_wire import SUBJECT_FULL, PubAck

DECIDED_WITHIN_S = 5
OVER_WITHIN_S = 30
STORED_WITHIN_S = 5
LOOK_EVERY_S = 0.1
_ENDS_A_REQUEST = (
    OrderCanceled,
    OrderCancelRejected,
    OrderReplaced,
    OrderReplaceRejected,
    OrderExpired,
    OrderRejected,
)
_NAMED_MAX = 3


class Statement:
    """One intent of one participant; `repeated` when its id had been used before."""

    def __init__(self, link: Connection, who: Participant, intent: Intent) -> None:
        """Prepare; nothing is sent before `decide`."""
        self.repeated = False
        self._link = link
        self._account = AccountId(who.account)
        self._agent = AgentId(who.agent)
        self._intent = intent
        self._decisions: asyncio.Queue[Decision] = asyncio.Queue()
        self._orders: asyncio.Queue[AnyOrderEvent] = asyncio.Queue()

    async def decide(self) -> Decision:
        """Publish and wait for the decision; raise `CommandError` when none comes in time."""
        await self._listen()  # first, because a decision takes a millisecond
        await self._publish()
        try:
            async with asyncio.timeout(DECIDED_WITHIN_S):
                return await (self._stored() if self.repeated else self._decisions.get())
        except TimeoutError:
            told = f"lockgate explain {self._intent.intent_id}"
            raise CommandError(f"no decision within {DECIDED_WITHIN_S} s; see later with `{told}`") from None

    async def until_over(self, decision: Decision) -> AsyncGenerator[AnyOrderEvent, None]:
        """Yield the orders' events until each has come to its end, or what was asked of it was done or refused."""
        order = order_state.order_from_decision(decision, 0)
        waiting = {*decision.order_ids, *((decision.order_id,) if decision.order_id else ())}
        try:
            async with asyncio.timeout(OVER_WITHIN_S):
                while waiting:
                    event = await self._orders.get()
                    if event.order_id not in waiting:
                        continue
                    yield event
                    order = orders.evolve(order, event, 0) if order else None
                    if is_over(order, event):
                        waiting.discard(event.order_id)
        except TimeoutError:
            named = ", ".join(sorted(waiting)[:_NAMED_MAX])
            told = f"after {OVER_WITHIN_S} s there was no end of {named}"
            raise CommandError(f"{told}; see later with `lockgate explain {min(waiting)}`") from None

    async def _listen(self) -> None:
        def hear(_subject: bytes, _reply: bytes, body: bytes, _headers: bytes | None) -> None:
            event = decode_event(body)
            if isinstance(event, Decision):
                self._decisions.put_nowait(event)
            elif isinstance(event, OrderEvent):
                self._orders.put_nowait(event)

        everybody = self._agent == OPERATOR  # an operator may ask about anybody's order
        await self._link.subscribe_raw(self._decision_subject(), hear)
        await self._link.subscribe_raw(subjects.orders_of(self._account, None if everybody else self._agent), hear)

    async def _publish(self) -> None:
        subject = subjects.intent(self._account, self._agent, self._intent.intent_id)
        try:
            answer = await self._link.request(subject, encode(self._intent), timeout=STORED_WITHIN_S)
        except (NoRespondersError, TimeoutError) as error:
            raise UnreachableError(f"nobody took the intent on {subject}: {error!r}") from error
        ack = msgspec.json.decode(answer.data, type=PubAck)
        if ack.error is not None and ack.error.err_code != SUBJECT_FULL:
            raise CommandError(f"the intent was not stored: {ack.error.description}")
        self.repeated = ack.error is not None

    async def _stored(self) -> Decision:
        """Read the decision out of the journal as soon as it is there."""
        call = f"$JS.API.DIRECT.GET.{subjects.journal_stream(self._account)}.{self._decision_subject()}"
        while True:
            answer = await self._link.request(call, b"", timeout=STORED_WITHIN_S)
            event = decode_event(answer.data) if answer.data else None
            if isinstance(event, Decision):
                return event
            await asyncio.sleep(LOOK_EVERY_S)

    def _decision_subject(self) -> str:
        return subjects.decision(self._account, self._agent, self._intent.intent_id)


def is_over(order: OrderState | None, event: AnyOrderEvent) -> bool:
    """Say whether this event ended an order of ours, or (when the order is not ours to fold) what was asked of it."""
    return order.is_terminal if order is not None else isinstance(event, _ENDS_A_REQUEST)

"""The gateway's one act of trading: state an intent once, however often it is asked, and wait for its decision.

Whether an intent id was used before is asked of the journal (a decision stands for ever) and then of the stream of
intents (which refuses a second message on a subject), never of this process's memory.
"""

import asyncio
from contextlib import suppress
from typing import NamedTuple

from contracts import subjects
from contracts.codec import encode
from contracts.ids import AccountId, AgentId, IntentId
from contracts.intents import INTENT_BYTES_MAX, Intent
from contracts.reasons import RefusalCode
from services.gateway.account_view import AccountView, Decided
from services.gateway.intent_desk import IntentDesk
from services.gateway.refusals import Refusal, unavailable
from services.gateway.same_intent import is_same, stated_in
from services.runtime.ports import ConflictError, JournalUnavailableError

LOOKUP_S_MAX = 2.0
"""How long one question to the journal or the stream of intents may take."""
WAITING_MAX = 1_000
"""How many intents may wait for their decision at once."""


class Statement(NamedTuple):
    """An intent that is on record, its decision if it came in time, and whether it had been stated before."""

    intent_id: IntentId
    decided: Decided | None
    repeated: bool


class Clerk:
    """States intents to one account on behalf of agents."""

    def __init__(self, account: AccountId, view: AccountView, desk: IntentDesk, *, decision_wait_s: float) -> None:
        """Bind to an account; `decision_wait_s` is how long a caller waits before it is sent away to look later."""
        self._account = account
        self._view = view
        self._desk = desk
        self._decision_wait_s = decision_wait_s

    async def state(self, agent: AgentId, intent: Intent, traceparent: str) -> Statement:
        """State an intent and wait for its decision; raise `Refusal` when its id names another intent already."""
        body = encode(intent)
        if len(body) > INTENT_BYTES_MAX:
            raise Refusal(RefusalCode.TOO_LARGE, f"an intent may have {INTENT_BYTES_MAX} bytes, this has {len(body)}")
        if self._view.expected >= WAITING_MAX:
            raise unavailable(f"{WAITING_MAX} intents wait for their decision already")
        with self._view.expecting(subjects.decision(self._account, agent, intent.intent_id)) as coming:
            known = await self.decision(agent, intent.intent_id)
            if known is not None:
                _require_same(intent, stated_in(known.decision))
                return Statement(intent.intent_id, known, repeated=True)
            fresh = await self._publish(agent, intent, body, traceparent)
            decided = await self._wait(coming) or await self._late_decision(agent, intent.intent_id)
            return Statement(intent.intent_id, decided, repeated=not fresh)

    async def decision(self, agent: AgentId, intent_id: IntentId) -> Decided | None:
        """Look up the decision on an intent."""
        subject = subjects.decision(self._account, agent, intent_id)
        try:
            async with asyncio.timeout(LOOKUP_S_MAX):
                return await self._view.decision_on(subject)
        except TimeoutError:
            raise unavailable("the journal does not answer", details={"intent_id": intent_id}) from None

    async def is_stated(self, agent: AgentId, intent_id: IntentId) -> bool:
        """Say whether an intent was stated and is still in the stream."""
        return await self._stated(subjects.intent(self._account, agent, intent_id), intent_id) is not None

    async def _publish(self, agent: AgentId, intent: Intent, body: bytes, traceparent: str) -> bool:
        """Store the intent; give False when the very same one was stored before."""
        subject = subjects.intent(self._account, agent, intent.intent_id)
        try:
            await self._desk.publish(subject, body, traceparent=traceparent)
        except ConflictError:
            stored = await self._stated(subject, intent.intent_id)
            _require_same(intent, stored or b"")
            return False
        except JournalUnavailableError as error:
            message = (
                f"whether the intent was stored is not known ({error}); repeat it with the same client_intent_id"
            )
            raise unavailable(message, details={"intent_id": intent.intent_id}) from error
        return True

    async def _stated(self, subject: str, intent_id: IntentId) -> bytes | None:
        try:
            async with asyncio.timeout(LOOKUP_S_MAX):
                return await self._desk.stated(subject)
        except TimeoutError:
            raise unavailable("the stream of intents does not answer", details={"intent_id": intent_id}) from None

    async def _late_decision(self, agent: AgentId, intent_id: IntentId) -> Decided | None:
        """Look once more, in case the live view lags; the intent is stored, so a failure here only means "later"."""
        with suppress(Refusal, JournalUnavailableError):
            return await self.decision(agent, intent_id)
        return None

    async def _wait(self, coming: "asyncio.Future[Decided]") -> Decided | None:
        done, _ = await asyncio.wait([coming], timeout=self._decision_wait_s)
        return coming.result() if done else None


def _require_same(intent: Intent, stored: bytes) -> None:
    if not is_same(intent, stored):
        message = f"{intent.intent_id} names another intent already: a new intent needs a new client_intent_id"
        raise Refusal(RefusalCode.IDEMPOTENCY_CONFLICT, message, details={"intent_id": intent.intent_id})

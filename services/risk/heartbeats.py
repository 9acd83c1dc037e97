"""Who was heard of when, and whose entries must go because nothing was heard for as long as their mandate allows.

Any intent is a sign of life, and so is a message on the agent's own subject of beats. An agent that falls silent
keeps its exits: only what would open or add is canceled, once for each silence and again when more of it appears,
as when a person lets an intent go that waited. A silence is measured on this process's own monotonic clock and begins
anew with the process and with a mandate, each of which gives a full lease.
"""

from collections.abc import Iterator

from contracts.codec import encode
from contracts.ids import OPERATOR, AccountId, AgentId, IntentId, OrderId
from contracts.intents import CancelAllIntent, IntentMeta
from projections.account import AccountState
from services.risk.answer import Stated

CHECK_EVERY_MS = 250


class Heartbeats:
    """Keeps when each agent was last heard of, in monotonic milliseconds."""

    def __init__(self, account: AccountId, epoch: int) -> None:
        """Begin without knowing anybody."""
        self._account = account
        self._epoch = epoch
        self._heard_ms: dict[AgentId, int] = {}
        self._versions: dict[AgentId, int] = {}
        self._given_up: dict[AgentId, frozenset[OrderId]] = {}
        """Entries whose end was asked for in the silence that lasts."""
        self._stated = 0

    def hear(self, agent: AgentId, now_ms: int) -> None:
        """Note a sign of life."""
        self._heard_ms[agent] = now_ms
        self._given_up.pop(agent, None)

    def cancels(self, state: AccountState, now_ms: int) -> Iterator[Stated]:
        """Yield a cancel of all entries of each agent whose lease is over, as the operator's own intent.

        The intent's id names the epoch and counts, so that no two of them are ever the same.
        """
        for agent, granted in state.standing.mandates.items():
            if self._versions.get(agent) != granted.version:
                self._versions[agent] = granted.version
                self.hear(agent, now_ms)
            lease_ms = None if granted.mandate is None else granted.mandate.lease_ms
            silent_ms = now_ms - self._heard_ms[agent]
            if lease_ms is None or silent_ms <= lease_ms:
                continue
            entries = _entries(state, agent)
            if entries <= self._given_up.get(agent, frozenset()):
                continue
            self._given_up[agent] = entries
            self._stated += 1
            yield self._cancel(agent, f"lease of {agent} expired: not heard of for {silent_ms} ms of {lease_ms}")

    def _cancel(self, agent: AgentId, reason: str) -> Stated:
        intent_id = IntentId(f"lease-{self._epoch}-{self._stated}")
        meta = IntentMeta(strategy="lease", reason=reason)
        intent = CancelAllIntent(intent_id=intent_id, agent=agent, entries_only=True, meta=meta)
        return Stated(account=self._account, agent=OPERATOR, intent_id=intent_id, body=encode(intent), seq=0)


def _entries(state: AccountState, agent: AgentId) -> frozenset[OrderId]:
    if not state.agents.book(agent).open_orders:
        return frozenset()
    return frozenset(
        order.order_id
        for order in state.orders.values()
        if order.agent == agent and not order.is_terminal and not order.reduces
    )

"""Whom and what each journal event is about, also where only an earlier event says it: an order's symbol, for one."""

from msgspec.structs import replace

from contracts.base import Value
from contracts.codec import JournalEvent
from contracts.ids import AgentId, OrderId, Symbol
from projections.tags import split_tag
from projections.trail import Subject, subject_of


class Attribution:
    """Feed it the journal in order; it remembers each order's symbol, agent and intent."""

    def __init__(self) -> None:
        """Know no order."""
        self._orders: dict[OrderId, Subject] = {}

    def about(self, event: JournalEvent, subject: str) -> Subject:
        """Say whom and what the next event is about."""
        found = subject_of(event, subject)
        if found.order_id is None:
            return found
        known = self._orders.get(found.order_id, Subject())
        full = replace(
            found,
            agent=found.agent or known.agent,
            intent_id=found.intent_id or known.intent_id,
            symbol=found.symbol or known.symbol,
        )
        self._orders.setdefault(found.order_id, full)
        return full


class Wanted(Value, frozen=True, kw_only=True):
    """Which events are wanted; what is left out does not matter.

    `type` is a tag, with or without its version, or the beginning of one up to a dot: `order` is every order event.
    """

    type: str | None = None
    correlation_id: str | None = None
    symbol: Symbol | None = None
    agent: AgentId | None = None
    order_id: OrderId | None = None


def matches(wanted: Wanted, event: JournalEvent, about: Subject) -> bool:
    """Say whether an event is wanted."""
    return (
        (wanted.type is None or _is_of_type(wanted.type, str(event.__struct_config__.tag)))
        and (wanted.correlation_id is None or wanted.correlation_id in (event.correlation_id, about.intent_id))
        and (wanted.symbol is None or wanted.symbol == about.symbol)
        and (wanted.agent is None or wanted.agent == about.agent)
        and (wanted.order_id is None or wanted.order_id == about.order_id)
    )


def _is_of_type(wanted: str, tag: str) -> bool:
    name, _ = split_tag(tag)
    return wanted in (tag, name) or name.startswith(f"{wanted}.")

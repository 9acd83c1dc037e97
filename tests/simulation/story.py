"""What happened, in the order in which it happened: kept as it comes, put into words only when somebody reads it."""

from datetime import datetime, timedelta

from contracts import codec
from contracts.decisions import Decision
from services.runtime.ports import Recorded

type Note = tuple[float, str, str, tuple[object, ...]]


class Story:
    """The timeline of one run."""

    def __init__(self, began: datetime) -> None:
        self.notes: list[Note] = []
        self._began = began
        self.is_kept = True

    def note(self, at: float, actor: str, template: str, *facts: object) -> None:
        """Keep that an actor did or suffered something."""
        if self.is_kept:
            self.notes.append((at, actor, template, facts))

    def lines(self, journal: list[Recorded]) -> list[str]:
        """Tell it, the journal's events among the rest."""
        told = [(at, 0, f"{actor:<12} {template.format(*facts)}") for at, actor, template, facts in self.notes]
        told += [(self._seconds(one.at), 1, f"{'journal':<12} #{one.seq} {_shown(one)}") for one in journal]
        return [f"{at:10.4f}  {line}" for at, _, line in sorted(told, key=lambda one: one[:2])]

    def _seconds(self, at: datetime) -> float:
        return (at - self._began) / timedelta(seconds=1)


def _shown(recorded: Recorded) -> str:
    event = recorded.event
    name = codec.encode(event).split(b'"', 4)[3].decode()
    if isinstance(event, Decision):
        return f"{name} {event.outcome} {_decided(event)} epoch {event.epoch}"
    skipped = {"at", "correlation_id", "causation_seq", "positions", "limits"}
    facts = [f"{field}={_short(getattr(event, field))}" for field in event.__struct_fields__ if field not in skipped]
    return f"{name} {' '.join(facts)}"


def _decided(decision: Decision) -> str:
    why = f" {decision.reason.code}" if decision.reason else ""
    what = f" {_terms(decision)}" if decision.terms else ""
    return f"{decision.agent}/{decision.intent_id} {decision.action}{why} order={decision.order_id}{what}"


def _terms(decision: Decision) -> str:
    terms = decision.terms
    return "" if terms is None else f"{terms.side} {terms.qty} {terms.symbol} {terms.order_type} {terms.limit_price}"


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 48 else text[:45] + "..."

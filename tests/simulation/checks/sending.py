"""Invariant 1: nothing reaches the broker without its one approval, in time, unfenced, and nothing blindly twice."""

from collections.abc import Iterator

from contracts.codec import decode_event
from contracts.decisions import Decision
from contracts.ids import replacement_id_for
from tests.simulation.checks.reading import Entry
from tests.simulation.venue_port import Sent
from tests.simulation.world import World

MISSES_TO_RESEND = 2


def every_order_was_approved(world: World, entries: list[Entry]) -> Iterator[str]:
    """Look for the one valid approval of every order, and of all new terms, that left."""
    approvals: dict[str, list[tuple[int, Decision]]] = {}
    for entry in entries:
        decision = entry.event
        if not isinstance(decision, Decision) or decision.outcome != "approved" or decision.order_id is None:
            continue
        if decision.action == "submit":
            approvals.setdefault(decision.order_id, []).append((entry.seq, decision))
        elif decision.action == "replace":
            approvals.setdefault(replacement_id_for(decision.order_id, entry.seq), []).append((entry.seq, decision))
    for sent in (*world.wire.sent, *world.wire.replaces):
        found = approvals.get(sent.order_id, [])
        if len(found) != 1:
            yield f"{sent.order_id} was sent at {sent.at:.4f} with {len(found)} valid approvals"
            continue
        yield from _judge(sent, *found[0])
        reservation = found[0][1].reservation
        is_risk = reservation is None or not reservation.reduces
        if sent.killed_by is not None and is_risk and not _is_released(sent, entries):
            yield f"{sent.order_id} was sent at {sent.at:.4f} by {sent.by.name}, which had heard the kill switch"


def _is_released(sent: Sent, entries: list[Entry]) -> bool:
    """Say whether the journal, which may be faster than the plain plane, told of a release before."""
    engaged = decode_event(sent.killed_by or b"")
    known = (entry for entry in entries if entry.seq <= sent.known_seq)
    return any(entry.tag == "control.kill_released" and entry.event.at > engaged.at for entry in known)


def _judge(sent: Sent, seq: int, decision: Decision) -> Iterator[str]:
    if seq > sent.known_seq:
        yield f"{sent.order_id} was sent at {sent.at:.4f}, before its approval #{seq} stood in the journal"
    if decision.valid_until is None or sent.clock_said >= decision.valid_until:
        yield f"{sent.order_id} was sent at {sent.clock_said}, its approval ended at {decision.valid_until}"
    if sent.terms is not None and sent.terms != decision.terms:
        yield f"{sent.order_id} was sent as {sent.terms}, approved was {decision.terms}"


def nothing_goes_twice(world: World) -> Iterator[str]:
    """Let an order go again only after the broker said often enough that it does not have it."""
    before: dict[str, Sent] = {}
    for sent in world.wire.sent:
        first = before.get(sent.order_id)
        before[sent.order_id] = sent
        if first is None:
            continue
        denied = [at for at in world.wire.denied_at.get(sent.order_id, []) if first.at < at <= sent.at]
        needed = 1 if first.by is not sent.by else MISSES_TO_RESEND
        if len(denied) < needed:
            yield f"{sent.order_id} was sent again at {sent.at:.4f} after {len(denied)} denials of the broker"
    ids = [order.client_order_id for order in world.venue.orders]
    for doubled in sorted({one for one in ids if ids.count(one) > 1}):
        yield f"{doubled} is at the broker more than once"

"""A replacement takes over from the old order, or comes too late."""

from datetime import datetime
from decimal import Decimal

from msgspec.structs import replace

from services.simulator.core.groups import Groups
from services.simulator.core.numbers import ZERO
from services.simulator.core.orders import Ticket
from services.simulator.core.recorder import Recorder

TOO_LATE = "TOO_LATE_TO_REPLACE"


class Succession:
    """Ends replacements one way or the other."""

    def __init__(self, recorder: Recorder, groups: Groups) -> None:
        """Work on the recorder's book; exits follow the order they hang on."""
        self._recorder = recorder
        self._groups = groups

    def settle(self, fresh: Ticket, now: datetime) -> Ticket | None:
        """Return the replacement that has taken over, its quantity what the old order left; None when too late."""
        old = self._recorder.book.tickets.get(fresh.order.replaces or "")
        if fresh.order.status != "pending_new" or old is None or old.order.status != "pending_replace":
            return self.refuse(fresh, now)
        left = (fresh.total_qty or ZERO) - old.order.filled_qty
        if left <= ZERO:
            return self.refuse(fresh, now)
        old = self._recorder.move(old, now, status="replaced", replaced_at=now, replaced_by=fresh.order.id)
        self._recorder.tell("replaced", old, now)
        self._groups.adopt(old, fresh)
        return resized(replace(fresh, waiting=old.waiting), left)

    def refuse(self, fresh: Ticket, now: datetime) -> None:
        """End a replacement that does not take over, if it has not ended yet, and let the old order go on."""
        old = self._recorder.book.tickets.get(fresh.order.replaces or "")
        if fresh.order.status == "pending_new":
            fresh = self._recorder.move(fresh, now, status="rejected", failed_at=now)
            self._recorder.tell("rejected", fresh, now, reason=TOO_LATE)
        if old is not None and old.order.status == "pending_replace":
            old = self._recorder.move(old, now, status=working_status(old))
            self._recorder.tell("order_replace_rejected", old, now, reason=TOO_LATE)


def working_status(ticket: Ticket) -> str:
    """Return the status of an order of which nothing is pending."""
    if ticket.waiting:
        return "held"
    return "partially_filled" if ticket.order.filled_qty else "new"


def resized(fresh: Ticket, qty: Decimal) -> Ticket:
    """Return a ticket with another quantity."""
    closing = min(fresh.closing_qty, qty)
    return replace(fresh, closing_qty=closing, order=replace(fresh.order, qty=qty))

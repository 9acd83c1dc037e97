"""Orders as they come into being: from a request, as a member of a group, in the place of another."""

from datetime import datetime, timedelta
from decimal import Decimal

from msgspec.structs import replace

from services.simulator.core.assets import Asset
from services.simulator.core.complex_forms import Exits
from services.simulator.core.forms import OrderRequest
from services.simulator.core.groups import exit_tickets, top_role
from services.simulator.core.ids import Ids
from services.simulator.core.margin import reserve_price, stop_cap
from services.simulator.core.matching import trail_stop
from services.simulator.core.numbers import ZERO, plain
from services.simulator.core.orders import Order, Ticket
from services.simulator.core.quotes import Quote
from services.simulator.core.rules import Rules
from services.simulator.core.sessions import MarketHours, next_close

GTC_GRACE = timedelta(minutes=15)  # aged out at 16:15


class Drafting:
    """Writes orders; ranks are the broker's."""

    def __init__(self, ids: Ids) -> None:
        """Take ids from this source."""
        self._ids = ids

    def draft(self, request: OrderRequest, asset: Asset, closing: Decimal, rules: Rules, now: datetime) -> Ticket:
        """Return the order of a request as it stands when it has just been taken."""
        hours = MarketHours(rules.always_open)
        order = Order(
            id=self._ids.uuid(),
            client_order_id=request.client_order_id or self._ids.uuid(),
            created_at=now,
            updated_at=now,
            submitted_at=now,
            asset_id=asset.id,
            symbol=request.symbol,
            notional=request.notional,
            qty=request.qty,
            order_type=request.type,
            type=request.type,
            side=request.side,
            position_intent=f"{request.side}_to_{'close' if closing else 'open'}",
            time_in_force=request.time_in_force,
            limit_price=_plain(request.limit_price),
            stop_price=_plain(request.stop_price),
            trail_price=_plain(request.trail_price),
            trail_percent=_plain(request.trail_percent),
            status="pending_new" if hours.is_tradable(now, extended=request.extended_hours) else "accepted",
            extended_hours=request.extended_hours,
            expires_at=expiry(request, rules, now),
        )
        cap = stop_cap(request.type, request.side, request.stop_price, rules)
        return Ticket(order=order, rank=0, closing_qty=closing, cap=cap)

    def group(self, draft: Ticket, found: Exits, rules: Rules) -> list[Ticket]:
        """Return a complex order: what was sent, then its exits."""
        kind = found.order_class
        order = replace(draft.order, order_class=kind, group_id=self._ids.uuid(), group_role=top_role(kind))
        top = replace(draft, order=order)
        return [top, *(_capped(leg, rules) for leg in exit_tickets(top, found, self._ids))]


def expiry(request: OrderRequest, rules: Rules, now: datetime) -> datetime | None:
    """Return the end of the order's time in force; a market that never closes ends no day orders."""
    if request.time_in_force == "gtc":
        return next_close(now + timedelta(days=rules.gtc_days)) + GTC_GRACE
    if rules.always_open or request.time_in_force in {"opg", "cls"}:
        return None
    return next_close(now, extended=request.extended_hours)


def reserving(ticket: Ticket, request: OrderRequest, quote: Quote, rules: Rules, now: datetime) -> Ticket:
    """Return a draft with the price it reserves buying power at, in dollars a share."""
    short = request.side == "sell" and not ticket.closing_qty
    phase = MarketHours(rules.always_open).phase(now)
    price = reserve_price(request, quote, phase, short=short, cap=ticket.cap)
    if request.type == "trailing_stop" and request.side == "buy":  # where its stop stands now is its worst
        price = max(price, ticket.order.stop_price or ZERO)
    return replace(ticket, reserve_price=price)


def trailing(ticket: Ticket, hwm: Decimal) -> Ticket:
    """Return a trailing order whose best price so far is this one; other orders stay as they are."""
    if ticket.order.type != "trailing_stop":
        return ticket
    stop = trail_stop(ticket.order, hwm)
    return replace(ticket, order=replace(ticket.order, hwm=plain(hwm), stop_price=plain(stop)))


def linked(fresh: Ticket, old: Ticket) -> Ticket:
    """Return a replacement in the place of the old order: its group, its exits, its credit."""
    order = replace(
        fresh.order,
        replaces=old.order.id,
        status="pending_new",
        order_class=old.order.order_class,
        group_id=old.order.group_id,
        group_role=old.order.group_role,
        position_intent=old.order.position_intent if old.order.group_id else fresh.order.position_intent,
    )
    return replace(
        fresh,
        order=order,
        parent_id=old.parent_id,
        waiting=old.waiting,
        credit_usd=old.reserved_usd(),
        credit_qty=old.remaining(),
    )


def _capped(leg: Ticket, rules: Rules) -> Ticket:
    order = leg.order
    return replace(leg, cap=stop_cap(order.type, order.side, order.stop_price, rules))


def _plain(value: Decimal | None) -> Decimal | None:
    return None if value is None else plain(value)

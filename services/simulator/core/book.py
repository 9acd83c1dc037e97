"""What the account holds right now: cash, positions, open orders and the buying power they tie up."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal

import msgspec

from services.simulator.core.numbers import ZERO
from services.simulator.core.orders import Execution, Side, Ticket
from services.simulator.core.positions import Position, after_fill, signed


class Configurations(msgspec.Struct, frozen=True, kw_only=True):
    """The switches of /v2/account/configurations."""

    disable_overnight_trading: bool = False
    fractional_trading: bool = True
    max_margin_multiplier: str = "4"
    max_options_trading_level: int | None = None
    no_shorting: bool = False
    ptp_no_exception_entry: bool = False
    suspend_trade: bool = False
    trade_confirm_email: str = "all"


class AccountState(msgspec.Struct, frozen=True, kw_only=True):
    """The account's own record: identity, cash, yesterday's close and its switches."""

    id: str
    account_number: str
    created_at: datetime
    cash_usd: Decimal
    last_equity_usd: Decimal
    last_maintenance_usd: Decimal = ZERO
    equity_day: date
    configurations: Configurations = Configurations()


class Book:
    """Open tickets indexed by symbol, positions and cash; every change goes through its own verbs."""

    def __init__(self, account: AccountState, positions: Iterable[Position], tickets: Iterable[Ticket]) -> None:
        """Start from what was stored."""
        self.account = account
        self.positions = {position.symbol: position for position in positions}
        self.tickets: dict[str, Ticket] = {}
        self.by_symbol: dict[str, dict[str, Ticket]] = {}
        self.by_group: dict[str, dict[str, Ticket]] = {}
        self.reserved_usd = ZERO
        for ticket in tickets:
            self.put(ticket)

    def put(self, ticket: Ticket) -> None:
        """Record the newest form of a ticket; a terminal one leaves the book and frees its reservation."""
        key = ticket.order.id
        old = self.tickets.get(key)
        self.reserved_usd += ticket.reserved_usd() - (old.reserved_usd() if old else ZERO)
        if ticket.is_open:
            self.tickets[key] = ticket
            self.by_symbol.setdefault(ticket.order.symbol, {})[key] = ticket
            if ticket.order.group_id:
                self.by_group.setdefault(ticket.order.group_id, {})[key] = ticket
        else:
            self._drop(ticket)

    def set_aside(self, ticket: Ticket) -> None:
        """Leave an open ticket out of the sums until it is put back, to judge what would replace it."""
        self.reserved_usd -= ticket.reserved_usd()
        self._drop(ticket)

    def _drop(self, ticket: Ticket) -> None:
        key, group_id = ticket.order.id, ticket.order.group_id
        self.tickets.pop(key, None)
        self.by_symbol.get(ticket.order.symbol, {}).pop(key, None)
        if group_id and group_id in self.by_group:
            self.by_group[group_id].pop(key, None)
            if not self.by_group[group_id]:
                del self.by_group[group_id]

    def fill(self, ticket: Ticket, execution: Execution, day: date) -> Position:
        """Book one execution into position and cash, and return the position after it."""
        symbol, side = ticket.order.symbol, ticket.order.side
        position = after_fill(self.positions.get(symbol), symbol, side, execution, day)
        if position.qty:
            self.positions[symbol] = position
        else:
            self.positions.pop(symbol, None)
        cash = self.account.cash_usd - signed(side, execution.qty) * execution.price
        self.account = msgspec.structs.replace(self.account, cash_usd=cash)
        return position

    def qty(self, symbol: str) -> Decimal:
        """Return the signed shares held of a symbol."""
        position = self.positions.get(symbol)
        return position.qty if position else ZERO

    def working(self, symbol: str, side: Side | None = None) -> list[Ticket]:
        """Return the open tickets of a symbol, oldest first, of one side when asked."""
        return [t for t in self.by_symbol.get(symbol, {}).values() if side is None or t.order.side == side]

    def siblings(self, ticket: Ticket) -> list[Ticket]:
        """Return the open orders of the same group that have another role."""
        members = self.by_group.get(ticket.order.group_id or "", {})
        return [member for member in members.values() if member.order.group_role != ticket.order.group_role]

    def held_qty(self, symbol: str) -> Decimal:
        """Return the shares of the position that open closing orders hold; a pair of exits holds them once."""
        side: Side = "sell" if self.qty(symbol) > 0 else "buy"
        held: dict[str, Decimal] = {}
        for ticket in self.working(symbol, side):
            key = ticket.order.group_id or ticket.order.id
            held[key] = max(held.get(key, ZERO), ticket.held_qty())
        return min(sum(held.values(), ZERO), abs(self.qty(symbol)))

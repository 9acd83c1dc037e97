"""Buying power, reservations, and the refusals that depend on what the account holds."""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from services.simulator.core.book import Book
from services.simulator.core.errors import forbidden, unprocessable
from services.simulator.core.forms import OrderRequest
from services.simulator.core.matching import stop_collar
from services.simulator.core.numbers import ZERO, cents, decimals, plain
from services.simulator.core.orders import Ticket
from services.simulator.core.quotes import Quote

Mark = Callable[[str], Decimal]

MARGIN_FLOOR_USD = Decimal(2000)
INITIAL_MARGIN = Decimal("0.5")
LONG_MAINTENANCE = Decimal("0.3")
LONG_CHEAP_USD = Decimal(6)
SHORT_MAINTENANCE = Decimal("0.3")
SHORT_FLOOR_USD = Decimal(5)
SHORT_COLLAR = Decimal("1.03")


class Worth(msgspec.Struct, frozen=True, kw_only=True):
    """The account valued at current prices, all in dollars."""

    cash: Decimal
    long_value: Decimal
    short_value: Decimal
    maintenance: Decimal
    multiplier: int
    reserved: Decimal

    @property
    def equity(self) -> Decimal:
        """Return cash plus the signed value of all positions."""
        return self.cash + self.long_value + self.short_value

    @property
    def gross_value(self) -> Decimal:
        """Return the value of all positions without their signs."""
        return self.long_value - self.short_value

    @property
    def initial_margin(self) -> Decimal:
        """Return Regulation T's half of everything held."""
        return self.gross_value * INITIAL_MARGIN

    def power(self, multiplier: int) -> Decimal:
        """Return what may still be opened at this multiplier: it times equity, less held and reserved."""
        return max(ZERO, self.equity * multiplier - self.gross_value - self.reserved)

    @property
    def buying_power(self) -> Decimal:
        """Return the buying power at the account's own multiplier."""
        return self.power(self.multiplier)


def maintenance_of(qty: Decimal, price: Decimal) -> Decimal:
    """Return the maintenance margin of one position in dollars: 30 %, more for cheap shares."""
    value = abs(qty) * price
    if qty > 0:
        return value * (LONG_MAINTENANCE if price > LONG_CHEAP_USD else 1)
    return max(value * SHORT_MAINTENANCE, abs(qty) * SHORT_FLOOR_USD) if price >= SHORT_FLOOR_USD else value


def worth(book: Book, mark: Mark, multiplier: int) -> Worth:
    """Value the account at the marks; under $2,000 of equity nothing is lent."""
    values = [(position.qty, mark(position.symbol)) for position in book.positions.values()]
    long_value = sum((qty * price for qty, price in values if qty > 0), ZERO)
    short_value = sum((qty * price for qty, price in values if qty < 0), ZERO)
    cash = book.account.cash_usd
    lent = min(multiplier, int(book.account.configurations.max_margin_multiplier))
    return Worth(
        cash=cash,
        long_value=long_value,
        short_value=short_value,
        maintenance=sum((maintenance_of(qty, price) for qty, price in values), ZERO),
        multiplier=1 if cash + long_value + short_value < MARGIN_FLOOR_USD else lent,
        reserved=book.reserved_usd,
    )


def reserve_price(request: OrderRequest, quote: Quote, *, short: bool) -> Decimal:
    """Return the dollars per share an order sets aside: its limit, or the far side of the quote."""
    if short:
        return max(request.limit_price or ZERO, quote.ask * SHORT_COLLAR)
    if request.limit_price is not None:
        return request.limit_price
    if request.stop_price is not None:
        return stop_collar(request.stop_price)
    return quote.ask if request.side == "buy" else quote.bid


def closing_qty(book: Book, request: OrderRequest, quote: Quote) -> Decimal:
    """Return how many shares of the order close what is held, and refuse a sale of more than is free."""
    held = book.qty(request.symbol)
    wanted = request.qty if request.qty is not None else (request.notional or ZERO) / quote.bid
    if request.side == "buy":
        return min(wanted, max(ZERO, -held - book.held_qty(request.symbol))) if held < 0 else ZERO
    if held <= 0:
        _check_short(book, request)
        return ZERO
    if wanted > held - book.held_qty(request.symbol):
        raise insufficient_qty(book, request.symbol, wanted)
    return wanted


def insufficient_qty(book: Book, symbol: str, wanted: Decimal) -> Exception:
    """Return the 403 of a sale that needs more shares than are free, naming the orders that hold them."""
    held, reserved = book.qty(symbol), book.held_qty(symbol)
    free = plain(abs(held) - reserved)
    return forbidden(
        f"insufficient qty available for order (requested: {plain(wanted)}, available: {free})",
        available=str(free),
        existing_qty=str(plain(held)),
        held_for_orders=str(plain(reserved)),
        related_orders=[t.order.id for t in book.working(symbol, "sell" if held > 0 else "buy")],
        symbol=symbol,
    )


def _check_short(book: Book, request: OrderRequest) -> None:
    if request.notional is not None or decimals(request.qty or ZERO) > 0:
        raise unprocessable("fractional orders cannot be sold short")
    if book.account.configurations.no_shorting:
        raise forbidden("account is not allowed to short")
    if book.working(request.symbol, "buy"):
        raise forbidden("cannot open a short sell while a long buy order is open")


def check_buying_power(ticket: Ticket, worth_now: Worth) -> None:
    """Refuse an order whose reservation is more than the buying power left."""
    cost = ticket.reserved_usd()
    if cost <= ZERO:
        return
    shorting_unlent = ticket.order.side == "sell" and worth_now.multiplier == 1
    if shorting_unlent:
        raise forbidden("account is not allowed to short")
    if cost > worth_now.buying_power:
        raise forbidden(
            "insufficient buying power",
            buying_power=str(cents(worth_now.buying_power)),
            cost_basis=str(cents(cost)),
        )


def check_wash(book: Book, request: OrderRequest) -> None:
    """Refuse an order that could trade with the account's own open order on the other side."""
    opposite = book.working(request.symbol, "sell" if request.side == "buy" else "buy")
    for ticket in opposite:
        if _could_cross(request, ticket):
            raise forbidden(
                "potential wash trade detected. use complex orders",
                existing_order_id=ticket.order.id,
                reject_reason=f"opposite side {ticket.order.type} order exists",
            )


def _could_cross(request: OrderRequest, ticket: Ticket) -> bool:
    theirs, ours = ticket.order.limit_price, request.limit_price
    if theirs is None or ours is None:
        return True  # a market or plain stop order may meet anything
    buy, sell = (ours, theirs) if request.side == "buy" else (theirs, ours)
    return buy >= sell

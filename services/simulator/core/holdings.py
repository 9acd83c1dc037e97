"""What an order may do to the shares held: close what is free, open shorts, never meet the account's own orders."""

from decimal import Decimal

from services.simulator.core.book import Book
from services.simulator.core.errors import forbidden, unprocessable
from services.simulator.core.forms import OrderRequest
from services.simulator.core.numbers import ZERO, decimals, plain
from services.simulator.core.orders import Ticket
from services.simulator.core.quotes import Quote


def closing_qty(book: Book, request: OrderRequest, quote: Quote) -> Decimal:
    """Return how many shares of the order close what is held; nothing crosses zero in one order."""
    held = book.qty(request.symbol)
    wanted = wanted_qty(request, quote)
    if request.side == "buy":
        return min(wanted, max(ZERO, -held - book.held_qty(request.symbol))) if held < 0 else ZERO
    return wanted if held > 0 else ZERO


def wanted_qty(request: OrderRequest, quote: Quote) -> Decimal:
    """Return the shares an order asks for, those of a notional order estimated at the bid."""
    return request.qty if request.qty is not None else (request.notional or ZERO) / quote.bid


def check_position(book: Book, request: OrderRequest, quote: Quote) -> None:
    """Refuse a sale of more than is free, and a short sale the account may not make.

    A buy may cross from short to long, but not while other orders hold shares it would cover.
    """
    held, wanted = book.qty(request.symbol), wanted_qty(request, quote)
    if request.side == "buy":
        reserved = book.held_qty(request.symbol) if held < 0 else ZERO
        if reserved and wanted > -held - reserved:
            raise insufficient_qty(book, request.symbol, wanted)
    elif held <= 0:
        _check_short(book, request)
    elif wanted > held - book.held_qty(request.symbol):
        raise insufficient_qty(book, request.symbol, wanted)


def check_exits(request: OrderRequest, closing: Decimal) -> None:
    """Refuse a bracket or OTO that closes a position, and an OCO that does not."""
    if request.exits is None:
        return
    kind = request.exits.order_class
    if kind == "oco" and closing != request.qty:
        raise unprocessable("oco orders must be exit orders")
    if kind != "oco" and closing:
        raise unprocessable(f"{kind} orders must be entry orders")


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
    if any(ticket.order.position_intent == "buy_to_open" for ticket in book.working(request.symbol, "buy")):
        raise forbidden("cannot open a short sell while a long buy order is open")


def check_wash(book: Book, request: OrderRequest) -> None:
    """Refuse an order that could trade with the account's own open order on the other side.

    Complex and trailing orders are exempt, on either side.
    """
    if request.exits is not None or request.type == "trailing_stop":
        return
    opposite = book.working(request.symbol, "sell" if request.side == "buy" else "buy")
    for ticket in opposite:
        if ticket.order.group_id or ticket.order.type == "trailing_stop":
            continue
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

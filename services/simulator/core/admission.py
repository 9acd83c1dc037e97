"""The way in: what becomes of a well-formed request before it is an order."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from services.simulator.core.assets import Asset
from services.simulator.core.auctions import check_window
from services.simulator.core.book import Book
from services.simulator.core.complex_forms import Exits, check_order_of_prices
from services.simulator.core.drafting import Drafting, linked, reserving, trailing
from services.simulator.core.errors import forbidden, malformed, unprocessable
from services.simulator.core.forms import ONE_CHANCE, OrderRequest
from services.simulator.core.groups import opposite
from services.simulator.core.holdings import check_exits, check_position, check_wash, closing_qty
from services.simulator.core.margin import check_buying_power, worth
from services.simulator.core.numbers import CENT, ZERO, decimals, plain
from services.simulator.core.orders import Ticket
from services.simulator.core.quotes import Quote
from services.simulator.core.rules import Archive, Check, Prices, Rules

Listings = dict[str, Asset]


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """A request with everything that decides about it; members of a group are exempt from the wash rule."""

    request: OrderRequest
    draft: Ticket
    quote: Quote
    rules: Rules
    now: datetime
    exempt: bool = False


class Admission:
    """Checks requests against account and market, and makes tickets of those that pass."""

    def __init__(self, book: Book, drafting: Drafting, prices: Prices, archive: Archive, assets: Listings) -> None:
        """Admit to this book."""
        self._book = book
        self._drafting = drafting
        self._prices = prices
        self._archive = archive
        self._assets = assets
        self._checks: dict[Check, Callable[[Application], None]] = {
            "id": self._check_id,
            "blocks": self._check_blocks,
            "wash": self._check_wash,
            "position": self._check_position,
            "power": self._check_power,
        }

    def submitted(self, request: OrderRequest, rules: Rules, now: datetime) -> list[Ticket]:
        """Return the tickets of a new order, its exits after it, or refuse it."""
        application = self._application(request, rules, now)
        self._check(application)
        if request.exits is None:
            return [application.draft]
        _check_stop_loss(application)
        return self._drafting.group(application.draft, request.exits, rules)

    def replacing(self, old: Ticket, request: OrderRequest, rules: Rules, now: datetime) -> Ticket:
        """Return the ticket that would replace an open order for what it leaves, or refuse it."""
        is_exit = old.order.group_role in {"take_profit", "stop_loss"}
        aside = [old, *(self._book.siblings(old) if is_exit else [])]
        for ticket in aside:
            self._book.set_aside(ticket)
        try:
            application = replace(self._application(request, rules, now), exempt=bool(old.order.group_id))
            if is_exit:  # it trades for its entry: nothing new is opened
                self._check_id(application)
                _check_exit(old, aside, application)
            else:
                self._check(application)
        finally:
            for ticket in aside:
                self._book.put(ticket)
        fresh = application.draft
        if is_exit:
            fresh = replace(fresh, closing_qty=request.qty or ZERO, reserve_price=ZERO)
        return trailing(linked(fresh, old), old.order.hwm or application.quote.last)

    def _application(self, request: OrderRequest, rules: Rules, now: datetime) -> Application:
        asset, quote = self._tradable(request)
        closing = closing_qty(self._book, request, quote)
        draft = trailing(self._drafting.draft(request, asset, closing, rules, now), quote.last)
        if (draft.order.stop_price or CENT) <= ZERO:
            raise unprocessable("trail_price must be less than the current price")
        draft = reserving(draft, request, quote, rules, now)
        return Application(request=request, draft=draft, quote=quote, rules=rules, now=now)

    def _tradable(self, request: OrderRequest) -> tuple[Asset, Quote]:
        asset = self._assets.get(request.symbol)
        if asset is None:
            raise unprocessable(f'asset "{request.symbol}" not found')
        quote = self._prices.quote(request.symbol)
        if not asset.tradable or quote is None:
            raise unprocessable(f"asset {request.symbol} is not tradable")
        fractional = request.notional is not None or decimals(request.qty or ZERO) > 0
        if fractional and not (asset.fractionable and self._book.account.configurations.fractional_trading):
            raise unprocessable(f"asset {request.symbol} is not fractionable")
        return asset, quote

    def _check(self, application: Application) -> None:
        for name in application.rules.check_order:
            self._checks[name](application)

    def _check_id(self, application: Application) -> None:
        wanted = application.request.client_order_id
        found = None if wanted is None else self._archive.find_client(wanted)
        if found is not None and (found.is_open or not application.rules.client_id_reuse):
            raise malformed("client_order_id must be unique")

    def _check_blocks(self, application: Application) -> None:
        rules, tif = application.rules, application.request.time_in_force
        if self._book.account.configurations.suspend_trade:
            raise forbidden("new orders are rejected by user request")
        if tif in ONE_CHANCE and tif not in rules.entitled_tifs:
            raise forbidden(f"{tif} orders are not enabled for this account")
        if not rules.always_open:
            check_window(tif, application.now)
        if rules.stop_side_checked:
            _check_stop_side(application.request, application.quote)

    def _check_wash(self, application: Application) -> None:
        if application.rules.wash_trades and not application.exempt:
            check_wash(self._book, application.request)

    def _check_position(self, application: Application) -> None:
        request, draft = application.request, application.draft
        check_position(self._book, request, application.quote)
        check_exits(request, draft.closing_qty)
        specified, inferred = request.position_intent, draft.order.position_intent
        if specified is not None and specified != inferred:
            raise unprocessable(f"position intent mismatch, inferred: {inferred}, specified: {specified}")

    def _check_power(self, application: Application) -> None:
        if application.draft.reserved_usd() > ZERO:
            check_buying_power(application.draft, worth(self._book, self._mark, application.rules))

    def _mark(self, symbol: str) -> Decimal:
        quote = self._prices.quote(symbol)
        return ZERO if quote is None else quote.last


def _check_stop_side(request: OrderRequest, quote: Quote) -> None:
    stop = request.stop_price
    if stop is not None and request.side == "buy" and stop < quote.last:
        raise unprocessable("stop price must not be less than current price")
    if stop is not None and request.side == "sell" and stop > quote.last:
        raise unprocessable("stop price must not be greater than current price")


def _check_stop_loss(application: Application) -> None:
    """Refuse a stop-loss that is not at least a cent behind the entry's limit or the market."""
    request, found = application.request, application.request.exits
    if found is None or found.stop_price is None:
        return
    is_oco = found.order_class == "oco"
    base = application.quote.last if is_oco or request.limit_price is None else request.limit_price
    exit_side = request.side if is_oco else opposite(request.side)
    if exit_side == "sell" and found.stop_price > base - CENT:
        raise unprocessable("stop_loss.stop_price must be <= base_price - 0.01", base_price=str(plain(base)))
    if exit_side == "buy" and found.stop_price < base + CENT:
        raise unprocessable("stop_loss.stop_price must be >= base_price + 0.01", base_price=str(plain(base)))


def _check_exit(old: Ticket, pair: list[Ticket], application: Application) -> None:
    """Refuse an exit's new price when the market has passed it, or when it is no longer beyond the other exit's."""
    request = application.request
    if application.rules.stop_side_checked and not old.waiting:
        _check_stop_side(request, application.quote)
    prices = {ticket.order.group_role: ticket.order for ticket in pair if ticket is not old}
    profit, stop = prices.get("take_profit"), prices.get("stop_loss")
    is_profit = old.order.group_role == "take_profit"
    found = Exits(
        order_class=old.order.order_class,
        take_profit_price=request.limit_price if is_profit else profit and profit.limit_price,
        stop_price=stop and stop.stop_price if is_profit else request.stop_price,
    )
    check_order_of_prices(found, request.side)

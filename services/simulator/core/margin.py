"""Buying power, reservations, and the refusals that depend on what the account holds."""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from services.simulator.core.book import Book
from services.simulator.core.errors import forbidden
from services.simulator.core.forms import OrderRequest
from services.simulator.core.matching import stop_collar
from services.simulator.core.numbers import ZERO, cents
from services.simulator.core.orders import Side, Ticket
from services.simulator.core.quotes import Quote
from services.simulator.core.rules import Rules
from services.simulator.core.sessions import Phase

Mark = Callable[[str], Decimal]

MARGIN_FLOOR_USD = Decimal(2000)
INITIAL_MARGIN = Decimal("0.5")
LONG_MAINTENANCE = Decimal("0.3")
LONG_CHEAP_USD = Decimal(6)
SHORT_MAINTENANCE = Decimal("0.3")
SHORT_FLOOR_USD = Decimal(5)
SHORT_COLLAR = Decimal("1.03")
DAY_TRADING_MULTIPLIER = 4


class Worth(msgspec.Struct, frozen=True, kw_only=True):
    """The account valued at current prices, all in dollars."""

    cash: Decimal
    long_value: Decimal
    short_value: Decimal
    maintenance: Decimal
    multiplier: int
    reserved: Decimal
    day_base: Decimal | None = None
    """What the day began with, last equity less last maintenance, when buying power counts from it."""
    opened_today: Decimal = ZERO

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
        """Return what may still be opened at this multiplier: it times equity, less held and reserved.

        At four times, Alpaca's specification counts from yesterday's close and its recordings from equity.
        """
        if self.day_base is not None and multiplier == DAY_TRADING_MULTIPLIER:
            return max(ZERO, self.day_base * multiplier - self.opened_today - self.reserved)
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


def worth(book: Book, mark: Mark, rules: Rules) -> Worth:
    """Value the account at the marks; under $2,000 of equity nothing is lent."""
    values = [(position.qty, mark(position.symbol)) for position in book.positions.values()]
    long_value = sum((qty * price for qty, price in values if qty > 0), ZERO)
    short_value = sum((qty * price for qty, price in values if qty < 0), ZERO)
    account = book.account
    lent = min(rules.multiplier, int(account.configurations.max_margin_multiplier))
    fresh = [abs(p.cost_usd) for p in book.positions.values() if p.opened_on == account.equity_day]
    from_yesterday = rules.power_formula == "last_equity"
    return Worth(
        cash=account.cash_usd,
        long_value=long_value,
        short_value=short_value,
        maintenance=sum((maintenance_of(qty, price) for qty, price in values), ZERO),
        multiplier=1 if account.cash_usd + long_value + short_value < MARGIN_FLOOR_USD else lent,
        reserved=book.reserved_usd,
        day_base=account.last_equity_usd - account.last_maintenance_usd if from_yesterday else None,
        opened_today=sum(fresh, ZERO),
    )


def reserve_price(request: OrderRequest, quote: Quote, phase: Phase, *, short: bool, cap: Decimal | None) -> Decimal:
    """Return the dollars per share an order sets aside: its limit, its stop's worst price, or the market's."""
    if short:
        return max(request.limit_price or ZERO, quote.ask * SHORT_COLLAR)
    if request.limit_price is not None:
        return request.limit_price
    if request.stop_price is not None:
        return cap or max(request.stop_price, quote.ask)
    return market_price(quote, request.side, phase)


def market_price(quote: Quote, side: Side, phase: Phase) -> Decimal:
    """Return what a market order counts for: the far side, the middle in extended hours, the last trade at night."""
    if phase == "core":
        return quote.ask if side == "buy" else quote.bid
    return quote.last if phase == "closed" else (quote.bid + quote.ask) / 2


def stop_cap(order_type: str, side: Side, stop_price: Decimal | None, rules: Rules) -> Decimal | None:
    """Return the limit that a plain buy stop gets once it is triggered, when the broker sets one."""
    if order_type != "stop" or side != "buy" or stop_price is None or not rules.buy_stop_collar:
        return None
    return stop_collar(stop_price)


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

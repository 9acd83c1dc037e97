"""What an account is worth against its own beginning, and the most it ever had at stake. All USD."""

from decimal import Decimal

from contracts.base import Value
from contracts.broker import AccountObserved
from contracts.codec import JournalEvent
from contracts.decisions import Decision
from contracts.ids import Symbol
from contracts.market import is_sane
from contracts.orders import OrderFilled
from contracts.values import ZERO
from projections.account import AccountState


class Marks:
    """The last price known of each symbol: quotes that decisions saw, fills, and what the broker showed."""

    def __init__(self) -> None:
        """Know nothing."""
        self._prices: dict[Symbol, Decimal] = {}

    def see(self, event: JournalEvent) -> None:
        """Take prices from an event."""
        match event:
            case Decision(evidence=evidence) if evidence.quote is not None and is_sane(evidence.quote):
                self._prices[evidence.quote.symbol] = (evidence.quote.bid_price + evidence.quote.ask_price) / 2
            case OrderFilled(symbol=symbol, price=price):
                self._prices[symbol] = price
            case AccountObserved(positions=positions):
                shown = {one.symbol: one.current_price for one in positions if one.current_price is not None}
                self._prices |= shown
            case _:
                return

    def of(self, symbol: Symbol, otherwise: Decimal) -> Decimal:
        """Give the last price of a symbol."""
        return self._prices.get(symbol, otherwise)


class Peaks(Value, frozen=True, kw_only=True):
    """The most that was at stake at any moment, at its worst case."""

    gross_usd: Decimal = ZERO
    net_usd: Decimal = ZERO


def peaks_after(peaks: Peaks, state: AccountState) -> Peaks:
    """Raise the peaks to a state's exposure."""
    totals = state.exposure.totals
    return Peaks(gross_usd=max(peaks.gross_usd, totals.gross_usd), net_usd=max(peaks.net_usd, totals.net_usd))


def profit_usd(state: AccountState, marks: Marks) -> Decimal:
    """Give realised and unrealised profit of all positions, by average cost, at the last known prices."""
    profit = ZERO
    for symbol, position in state.positions.items():
        mark = marks.of(symbol, position.avg_price)
        profit += position.realized_usd + (mark - position.avg_price) * position.qty
    return profit

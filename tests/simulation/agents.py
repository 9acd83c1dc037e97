"""Seeded agents: what they ask for is one entry each in `ASKS`."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from contracts import subjects
from contracts.ids import OPERATOR, AccountId, AgentId, IntentId, OrderId, Symbol, order_id_for
from services.runtime.ports import ConflictError
from tests.simulation.chance import CENT, Chance
from tests.simulation.server import Server
from tests.simulation.venue import Venue
from tests.simulation.venue_order import Quoted

type Ask = Callable[["Agent"], dict[str, Any]]

GREEDY_SHARES = 60
OWN_KEPT = 100


class Agent:
    """One agent: it states intents, remembers its own, and sees the market as everybody does."""

    def __init__(self, name: AgentId, server: Server, venue: Venue, chance: Chance) -> None:
        self.name = name
        self.chance = chance
        self.account: AccountId = server.journal.account
        self.orders: list[OrderId] = []
        self._server = server
        self._venue = venue
        self._count = 0
        self._stated: list[tuple[str, bytes]] = []

    async def act(self) -> None:
        """State one intent, or state one again."""
        if self._stated and self.chance.happens(0.03):
            await self._publish(*self.chance.pick(self._stated))
            return
        self._count += 1
        intent_id = IntentId(f"{self.name.strip('_')}-{self._count}")
        wish = self.chance.weighted(ASKS)(self)
        body = json.dumps({"intent_id": intent_id, **wish}).encode()
        if self.chance.happens(0.01):
            body = body[:-3]  # no JSON any more
        if wish["type"] in {"intent.submit.v1", "intent.close.v1"}:
            self.orders.append(order_id_for(self.account, self.name, intent_id))
        await self._publish(subjects.intent(self.account, self.name, intent_id), body)

    def forget(self) -> None:
        """Forget what is long over."""
        del self.orders[:-OWN_KEPT], self._stated[:-OWN_KEPT]

    def quote(self, symbol: Symbol) -> Quoted:
        return self._venue.quotes[symbol]

    @property
    def symbols(self) -> list[Symbol]:
        return list(self._venue.quotes)

    def held(self, symbol: Symbol) -> Decimal:
        holding = self._venue.holdings.get(symbol)
        return Decimal(0) if holding is None else holding.qty

    @property
    def journal_seq(self) -> int:
        """Where the journal ends, which an agent knows from the answers that it gets."""
        return len(self._server.journal.events)

    async def _publish(self, subject: str, body: bytes) -> None:
        try:
            await self._server.inbox.publish(subject, body)
        except ConflictError:
            self._server.note(self.name, "is refused: {} was stated before", subject)
            return
        self._stated.append((subject, body))


def _submit(symbol: Symbol, side: str, qty: Decimal | int, **terms: Any) -> dict[str, Any]:
    return {"type": "intent.submit.v1", "symbol": symbol, "side": side, "qty": str(qty), **terms}


def limit_near_market(agent: Agent) -> dict[str, Any]:
    """Ask for a limit order around the touch: some fill at once, some wait."""
    symbol, side = agent.chance.pick(agent.symbols), agent.chance.pick(("buy", "sell"))
    quoted = agent.quote(symbol)
    away = quoted.ask * Decimal(agent.chance.whole(-20, 30)) / 10_000
    price = (quoted.ask - away if side == "buy" else quoted.bid + away).quantize(CENT)
    tif = agent.chance.weighted([(6, "day"), (3, "gtc"), (1, "ioc"), (1, "fok")])
    qty = agent.chance.whole(1, 15)
    return _submit(symbol, side, qty, order_type="limit", limit_price=str(price), time_in_force=tif)


def market(agent: Agent) -> dict[str, Any]:
    """Ask for a market order."""
    symbol, side = agent.chance.pick(agent.symbols), agent.chance.pick(("buy", "sell"))
    return _submit(symbol, side, agent.chance.whole(1, 12), order_type="market")


def all_there_is(agent: Agent) -> dict[str, Any]:
    """Ask for far more than the limits leave, or for just about what they leave."""
    symbol = agent.chance.pick(agent.symbols)
    quoted = agent.quote(symbol)
    qty = agent.chance.pick((agent.chance.whole(10, 25), GREEDY_SHARES))
    price = (quoted.bid * Decimal("0.998")).quantize(CENT)
    return _submit(symbol, "buy", qty, order_type="limit", limit_price=str(price), time_in_force="gtc")


def leave(agent: Agent) -> dict[str, Any]:
    """Ask to leave a position, or a part of it."""
    symbol = agent.chance.pick(agent.symbols)
    held = agent.held(symbol)
    side = "sell" if held > 0 else "buy"
    qty = max(abs(held) - agent.chance.whole(0, 2), Decimal(1))
    return _submit(symbol, side, qty, order_type="market")


def cancel(agent: Agent) -> dict[str, Any]:
    """Ask to cancel an order of one's own, or one that never was."""
    if not agent.orders or agent.chance.happens(0.03):
        return {"type": "intent.cancel.v1", "order_id": "lg-nonsense"}
    recent = agent.orders[-6:]
    return {"type": "intent.cancel.v1", "order_id": agent.chance.pick(recent)}


def cancel_all(agent: Agent) -> dict[str, Any]:
    """Ask to cancel everything of one's own, or everything in one symbol."""
    symbol = agent.chance.pick((None, *agent.symbols))
    return {"type": "intent.cancel_all.v1"} | ({} if symbol is None else {"symbol": symbol})


def close(agent: Agent) -> dict[str, Any]:
    """Ask to close a position, whole or in part."""
    how = agent.chance.pick(({}, {"percent": "50"}, {"qty": str(agent.chance.whole(1, 5))}))
    return {"type": "intent.close.v1", "symbol": agent.chance.pick(agent.symbols), **how}


def new_terms(agent: Agent) -> dict[str, Any]:
    """Ask for another price or quantity of an order of one's own."""
    if not agent.orders:
        return nonsense(agent)
    quoted = agent.quote(agent.chance.pick(agent.symbols))
    change: dict[str, Any] = {}
    if agent.chance.happens(0.6):
        change["qty"] = str(agent.chance.whole(2, 20))
    if agent.chance.happens(0.6) or not change:
        change["limit_price"] = str((quoted.bid * Decimal(agent.chance.whole(9960, 10030)) / 10_000).quantize(CENT))
    return {"type": "intent.replace.v1", "order_id": agent.chance.pick(agent.orders[-6:]), **change}


def stop(agent: Agent) -> dict[str, Any]:
    """Ask for a stop or stop-limit order a little away from the market."""
    symbol, side = agent.chance.pick(agent.symbols), agent.chance.pick(("buy", "sell"))
    quoted, away = agent.quote(symbol), Decimal(agent.chance.whole(2, 40)) / 10_000
    at = (quoted.ask * (1 + away) if side == "buy" else quoted.bid * (1 - away)).quantize(CENT)
    terms: dict[str, Any] = {"order_type": "stop", "stop_price": str(at)}
    if agent.chance.happens(0.5):
        terms = {"order_type": "stop_limit", "stop_price": str(at), "limit_price": str(at)}
    return _submit(symbol, side, agent.chance.whole(1, 8), time_in_force="gtc", **terms)


def with_exits(agent: Agent) -> dict[str, Any]:
    """Ask for a bracket, an OTO, or two exits from what is held (OCO)."""
    symbol, side = agent.chance.pick(agent.symbols), agent.chance.pick(("buy", "sell"))
    quoted, held = agent.quote(symbol), agent.held(symbol)
    kind = agent.chance.pick(("bracket", "oto", "oco"))
    if kind == "oco" and held:
        side = "sell" if held > 0 else "buy"
    exits_sell = (side == "buy") != (kind == "oco")
    near, far = Decimal(agent.chance.whole(3, 30)) / 10_000, Decimal(agent.chance.whole(3, 30)) / 10_000
    up, down = ((quoted.ask * (1 + near)).quantize(CENT), (quoted.bid * (1 - far)).quantize(CENT))
    profit, loss = {"limit_price": str(up if exits_sell else down)}, {"stop_price": str(down if exits_sell else up)}
    parts: dict[str, Any] = {"take_profit": profit, "stop_loss": loss}
    if kind == "oto":
        parts.pop(agent.chance.pick(("take_profit", "stop_loss")))
    entry = {"order_type": "limit", "limit_price": str(quoted.ask if side == "buy" else quoted.bid)}
    if kind == "oco":
        entry = {"order_type": "limit"}
    elif agent.chance.happens(0.5):
        entry = {"order_type": "market"}
    qty = agent.chance.whole(1, 8)
    return _submit(symbol, side, qty, order_class=kind, time_in_force="gtc", **entry, **parts)


def rehearse(agent: Agent) -> dict[str, Any]:
    """Ask what would come of an order, and want nothing to come of it."""
    return {**agent.chance.pick((limit_near_market, all_there_is, leave))(agent), "dry_run": True}


def on_condition(agent: Agent) -> dict[str, Any]:
    """Ask for an order that counts on what its agent last saw."""
    wish = market(agent)
    symbol, quoted = wish["symbol"], agent.quote(wish["symbol"])
    price = quoted.ask if wish["side"] == "buy" else quoted.bid
    conditions: dict[str, Any] = agent.chance.pick(
        (
            {"if_position": str(agent.held(symbol))},
            {"if_state_seq": max(agent.journal_seq - agent.chance.whole(0, 6), 0)},
            {"expected_price": str(price), "price_tolerance_bps": str(agent.chance.whole(0, 20))},
        )
    )
    return {**wish, **conditions}


def nonsense(agent: Agent) -> dict[str, Any]:
    """Ask for what nobody may have."""
    terms: dict[str, Any] = agent.chance.pick(
        ({"qty": "-1"}, {"symbol": "DOGE"}, {"limit_price": "1.005"}, {"order_type": "stop"}, {"qty": "1e40"})
    )
    return {**_submit(Symbol("AAPL"), "buy", 1, order_type="limit", limit_price="10"), **terms}


ASKS: list[tuple[int, Ask]] = [
    (10, limit_near_market),
    (5, market),
    (5, all_there_is),
    (3, leave),
    (8, cancel),
    (1, cancel_all),
    (2, close),
    (5, new_terms),
    (3, stop),
    (4, with_exits),
    (2, rehearse),
    (2, on_condition),
    (1, nonsense),
]
"""What agents ask for, by weight."""

NAMES = (AgentId("momo"), AgentId("grid"), OPERATOR)

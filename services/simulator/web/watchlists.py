"""/v2/watchlists: named lists of assets, kept with the account."""

import uuid
from datetime import datetime
from typing import Any

import msgspec
from aiohttp import web
from msgspec.structs import replace

from services.simulator.core.errors import malformed, not_found
from services.simulator.core.forms import parse_body
from services.simulator.desk import Desk
from services.simulator.web.answers import trading

NOTE = "watchlists"
BY_NAME = "/v2/watchlists:by_name"


class Watchlist(msgspec.Struct, frozen=True, kw_only=True):
    """One list as it is stored."""

    id: str
    name: str
    created_at: datetime
    updated_at: datetime
    symbols: tuple[str, ...]


class WatchlistBody(msgspec.Struct, frozen=True, kw_only=True):
    """What POST and PUT send; PUT leaves absent fields alone."""

    name: str | None = None
    symbols: list[str] | None = None


class SymbolBody(msgspec.Struct, frozen=True, kw_only=True):
    """What POST to one list sends."""

    symbol: str


class WatchlistRoutes:
    """The handlers of watchlists at one desk."""

    def __init__(self, desk: Desk) -> None:
        """Serve the lists stored with this desk."""
        self._desk = desk
        raw = desk.store.note(NOTE)
        found = [] if raw is None else msgspec.msgpack.decode(raw, type=list[Watchlist])
        self._lists = {watchlist.id: watchlist for watchlist in found}

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/v2/watchlists", self.index),
            web.post("/v2/watchlists", self.create),
            web.get(BY_NAME, self.get),
            web.put(BY_NAME, self.update),
            web.post(BY_NAME, self.add),
            web.delete(BY_NAME, self.delete),
            web.get("/v2/watchlists/{watchlist_id}", self.get),
            web.put("/v2/watchlists/{watchlist_id}", self.update),
            web.post("/v2/watchlists/{watchlist_id}", self.add),
            web.delete("/v2/watchlists/{watchlist_id}", self.delete),
            web.delete("/v2/watchlists/{watchlist_id}/{symbol}", self.remove),
        ]

    async def index(self, _request: web.Request) -> web.Response:
        """Return all lists, without their assets as Alpaca does."""
        return trading([self._summary(watchlist) for watchlist in self._lists.values()])

    async def create(self, request: web.Request) -> web.Response:
        """Make a list."""
        body = parse_body(await request.read(), WatchlistBody)
        now = self._desk.clock()
        fresh = Watchlist(
            id=str(uuid.uuid4()),
            name=self._free_name(body.name, None),
            created_at=now,
            updated_at=now,
            symbols=self._known(body.symbols or []),
        )
        return self._kept(fresh)

    async def get(self, request: web.Request) -> web.Response:
        """Return one list with its assets."""
        return trading(self._form(self._one(request)))

    async def update(self, request: web.Request) -> web.Response:
        """Rename a list or set its symbols."""
        old, body = self._one(request), parse_body(await request.read(), WatchlistBody)
        name = old.name if body.name is None else self._free_name(body.name, old.id)
        symbols = old.symbols if body.symbols is None else self._known(body.symbols)
        return self._kept(replace(old, name=name, symbols=symbols, updated_at=self._desk.clock()))

    async def add(self, request: web.Request) -> web.Response:
        """Add one symbol."""
        old, body = self._one(request), parse_body(await request.read(), SymbolBody)
        symbols = tuple(dict.fromkeys((*old.symbols, *self._known([body.symbol]))))
        return self._kept(replace(old, symbols=symbols, updated_at=self._desk.clock()))

    async def remove(self, request: web.Request) -> web.Response:
        """Take one symbol off."""
        old, symbol = self._one(request), request.match_info["symbol"].upper()
        if symbol not in old.symbols:
            raise not_found(f"asset {symbol} is not in the watchlist")
        symbols = tuple(one for one in old.symbols if one != symbol)
        return self._kept(replace(old, symbols=symbols, updated_at=self._desk.clock()))

    async def delete(self, request: web.Request) -> web.Response:
        """Delete a list."""
        del self._lists[self._one(request).id]
        self._store()
        return web.Response(status=204)

    def _one(self, request: web.Request) -> Watchlist:
        """Return the list that the path or the query names."""
        wanted = request.match_info.get("watchlist_id")
        if wanted is None:
            named = (one for one in self._lists.values() if one.name == request.query.get("name"))
            found = next(named, None)
        else:
            found = self._lists.get(wanted.lower())
        if found is None:
            raise not_found("watchlist not found")
        return found

    def _known(self, symbols: list[str]) -> tuple[str, ...]:
        found = tuple(dict.fromkeys(symbol.upper() for symbol in symbols))
        for symbol in found:
            if symbol not in self._desk.broker.assets:
                raise malformed(f"asset not found: {symbol}")
        return found

    def _free_name(self, name: str | None, own_id: str | None) -> str:
        if not name:
            raise malformed("name is required")
        if any(other.name == name and other.id != own_id for other in self._lists.values()):
            raise malformed("watchlist name must be unique")
        return name

    def _kept(self, watchlist: Watchlist) -> web.Response:
        self._lists[watchlist.id] = watchlist
        self._store()
        return trading(self._form(watchlist))

    def _store(self) -> None:
        self._desk.store.keep(NOTE, msgspec.msgpack.encode(list(self._lists.values())))

    def _summary(self, watchlist: Watchlist) -> dict[str, Any]:
        return {
            "id": watchlist.id,
            "account_id": self._desk.broker.book.account.id,
            "created_at": watchlist.created_at,
            "updated_at": watchlist.updated_at,
            "name": watchlist.name,
        }

    def _form(self, watchlist: Watchlist) -> dict[str, Any]:
        assets = self._desk.broker.assets
        return {
            **self._summary(watchlist),
            "assets": [assets[symbol] for symbol in watchlist.symbols if symbol in assets],
        }

"""Asks the broker what may be traded and when, and records its word whenever it changes.

Risk decides by it: what is not listed, and an hour of which nobody said whether the exchange is open, is denied.
"""

import asyncio
from datetime import date, datetime, timedelta
from typing import Any

from contracts.broker import Asset, AssetsObserved, Session, SessionsObserved
from contracts.ids import Symbol
from services.oms.brokers.port import Broker, BrokerUnreachableError
from services.oms.core import OmsCore
from services.oms.desk import OrderDesk
from services.oms.sessions import as_traded
from services.runtime.ports import Clock

ASK_EVERY = timedelta(hours=1)
"""What may be borrowed changes within a day; what is new among our symbols is asked for at once."""
LOOK_EVERY_MS = 5_000
RETRY_AFTER_MS = 2_000
DAYS_BACK = 7
"""No closure is longer, so the session in which a broker that never closes stands now is among those asked for."""
DAYS_AHEAD = 12


class Registrar:
    """One account's listing."""

    def __init__(self, broker: Broker, desk: OrderDesk, core: OmsCore, clock: Clock) -> None:
        """Stand between the desk and the broker."""
        self.looked = asyncio.Event()
        """The broker's word is on record, as far as it has given it."""
        self._broker = broker
        self._desk = desk
        self._core = core
        self._clock = clock
        self._asked_assets: datetime | None = None
        self._asked_sessions: datetime | None = None

    async def run(self, log: Any) -> None:
        """Look after the listing for ever."""
        while True:
            wait_ms = LOOK_EVERY_MS
            try:
                await self.look()
            except BrokerUnreachableError as error:
                log.warning("the broker does not say what may be traded", detail=error.detail)
                wait_ms = max(RETRY_AFTER_MS, error.retry_after_ms or 0)
            await asyncio.sleep(wait_ms / 1000)

    async def look(self) -> None:
        """Ask what is due and record what is new; raise `BrokerUnreachableError` when nobody answers."""
        now = self._clock.now()
        today = self._clock.trading_day(now)
        if self._is_due(self._asked_sessions, now, today) or self._core.state.account.listing.session_of(now) is None:
            await self._record_sessions(today)
            self._asked_sessions = now
        wanted = self._wanted()
        known = self._core.state.account.listing.assets
        due = wanted if self._is_due(self._asked_assets, now, today) else {one for one in wanted if one not in known}
        if due:
            await self._record_assets(sorted(due))
            self._asked_assets = now if due == wanted else self._asked_assets
        self.looked.set()

    def _is_due(self, asked_at: datetime | None, now: datetime, today: date) -> bool:
        return asked_at is None or now - asked_at >= ASK_EVERY or self._clock.trading_day(asked_at) != today

    def _wanted(self) -> set[Symbol]:
        """Name what may be traded, is held or works."""
        account = self._core.state.account
        allowed = () if account.limits is None else account.limits.symbol_allowlist
        held = (s for s, one in account.exposure.symbols.items() if one.position_qty or one.buy_qty or one.sell_qty)
        return {*allowed, *held}

    async def _record_assets(self, symbols: list[Symbol]) -> None:
        told = {asset.symbol: asset for asset in await self._broker.assets(tuple(symbols))}
        found = [told.get(symbol) or Asset(symbol=symbol, tradable=False) for symbol in symbols]
        known = self._core.state.account.listing.assets
        changed = tuple(asset for asset in found if known.get(asset.symbol) != asset)
        if changed:
            stamp = self._desk.stamp()
            await self._desk.append(AssetsObserved(epoch=stamp.epoch, at=stamp.at, assets=changed))
            await self._desk.all_read()

    async def _record_sessions(self, today: date) -> None:
        clock = await self._broker.clock()
        first, last = today - timedelta(days=DAYS_BACK), today + timedelta(days=DAYS_AHEAD)
        sessions = as_traded(await self._broker.sessions(first, last), clock)
        current = tuple(one for one in sessions if _matters(one, clock.at, today))
        if current != self._core.state.account.listing.sessions:
            stamp = self._desk.stamp()
            await self._desk.append(SessionsObserved(epoch=stamp.epoch, at=stamp.at, sessions=current))
            await self._desk.all_read()


def _matters(session: Session, now: datetime, today: date) -> bool:
    """Say whether a session is not over, or was today's."""
    return session.close_at > now or session.trading_day == today

"""/v2/account, its configurations, its activities and its equity over time."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from aiohttp import web

from services.simulator.core.book import Configurations
from services.simulator.core.errors import malformed
from services.simulator.core.forms import parse_body
from services.simulator.core.numbers import ZERO, cents, nanos
from services.simulator.core.sessions import new_york_day
from services.simulator.desk import Desk
from services.simulator.store import ActivityFilter
from services.simulator.web.answers import choice, market_data, moment, trading, whole, words

REGULATION_T = 2
OPTIONS_LEVEL = 3
LONGEST_PAGE = 100
FRAMES = {"1Min": 60, "5Min": 300, "15Min": 900, "1H": 3600, "1D": 86_400}
PERIODS = {"D": 1, "W": 7, "M": 30, "A": 365, "Y": 365}
TRADE_KINDS = ("FILL",)


class ConfigurationPatch(msgspec.Struct, frozen=True, kw_only=True):
    """The PATCH body; null leaves a switch alone, switches Alpaca has retired are ignored."""

    disable_overnight_trading: bool | None = None
    fractional_trading: bool | None = None
    max_margin_multiplier: str | None = None
    max_options_trading_level: int | None = None
    no_shorting: bool | None = None
    ptp_no_exception_entry: bool | None = None
    suspend_trade: bool | None = None
    trade_confirm_email: str | None = None


class AccountRoutes:
    """The handlers of the account at one desk."""

    def __init__(self, desk: Desk) -> None:
        """Serve this desk."""
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/v2/account", self.get),
            web.get("/v2/account/configurations", self.configurations),
            web.patch("/v2/account/configurations", self.configure),
            web.get("/v2/account/portfolio/history", self.portfolio),
            web.get("/v2/account/activities", self.activities),
            web.get("/v2/account/activities/{kind}", self.activities),
        ]

    async def get(self, _request: web.Request) -> web.Response:
        """Return the account valued now."""
        return trading({**self._identity(), **self._money(), **_flags()})

    async def configurations(self, _request: web.Request) -> web.Response:
        """Return the switches."""
        return trading(self._desk.broker.book.account.configurations)

    async def configure(self, request: web.Request) -> web.Response:
        """Change the switches that the body sets."""
        patch = parse_body(await request.read(), ConfigurationPatch)
        if patch.max_margin_multiplier not in {None, "1", "2", "4"}:
            raise malformed("invalid max_margin_multiplier")
        if patch.trade_confirm_email not in {None, "all", "none"}:
            raise malformed("invalid trade_confirm_email")
        given = {name: value for name, value in msgspec.structs.asdict(patch).items() if value is not None}
        current = self._desk.broker.book.account.configurations
        changed: Configurations = msgspec.structs.replace(current, **given)
        self._desk.act(lambda broker, _now: broker.configure(changed))
        return trading(changed)

    async def activities(self, request: web.Request) -> web.Response:
        """Return fills, newest first by default; this simulator has no other activities."""
        query = request.query
        kinds = words(query, "activity_types") or tuple(filter(None, [request.match_info.get("kind", "").upper()]))
        if query.get("category") == "non_trade_activity" or (kinds and "FILL" not in kinds):
            return trading([])
        date = moment(query, "date")
        wanted = ActivityFilter(
            kinds=TRADE_KINDS,
            order_id=query.get("order_id"),
            after=moment(query, "after") if date is None else date - timedelta(microseconds=1),
            until=moment(query, "until") if date is None else date + timedelta(days=1),
            ascending=choice(query, "direction", ("desc", "asc")) == "asc",
            page_size=whole(query, "page_size", LONGEST_PAGE, LONGEST_PAGE),
            page_token=query.get("page_token"),
        )
        return trading(self._desk.store.activities(wanted))

    async def portfolio(self, request: web.Request) -> web.Response:
        """Return the equity over time in samples of the timeframe; numbers are JSON numbers here."""
        query = request.query
        now = self._desk.clock()
        start, end = _range(query.get("period") or "1M", moment(query, "start"), moment(query, "end"), now)
        frame = query.get("timeframe") or ("1Min" if end - start <= timedelta(days=7) else "1D")
        if frame not in FRAMES:
            raise malformed(f"invalid timeframe: {frame}")
        samples = dict(_thinned(self._desk.store.equity(start, end), FRAMES[frame]))
        return market_data(_portfolio(samples, frame, start))

    def _identity(self) -> dict[str, Any]:
        account = self._desk.broker.book.account
        ceiling = account.configurations.max_options_trading_level
        return {
            "id": account.id,
            "admin_configurations": {},
            "user_configurations": None,
            "account_number": account.account_number,
            "status": "ACTIVE",
            "crypto_status": "ACTIVE",
            "currency": "USD",
            "created_at": account.created_at,
            "balance_asof": (account.equity_day - timedelta(days=1)).isoformat(),
            "crypto_tier": 1,
            "options_approved_level": OPTIONS_LEVEL,
            "options_trading_level": OPTIONS_LEVEL if ceiling is None else min(OPTIONS_LEVEL, ceiling),
        }

    def _money(self) -> dict[str, Decimal | str]:
        worth = self._desk.broker.worth()
        account = self._desk.broker.book.account
        amounts = {
            "cash": worth.cash,
            "buying_power": worth.buying_power,
            "regt_buying_power": worth.power(min(REGULATION_T, worth.multiplier)),
            "effective_buying_power": worth.buying_power,
            "non_marginable_buying_power": worth.power(1),
            "options_buying_power": worth.power(1),
            "accrued_fees": ZERO,
            "portfolio_value": worth.equity,
            "position_market_value": worth.gross_value,
            "equity": worth.equity,
            "last_equity": account.last_equity_usd,
            "long_market_value": worth.long_value,
            "short_market_value": worth.short_value,
            "initial_margin": worth.initial_margin,
            "maintenance_margin": worth.maintenance,
            "last_maintenance_margin": account.last_maintenance_usd,
            "sma": account.last_equity_usd,
            "intraday_adjustments": ZERO,
            "pending_reg_taf_fees": ZERO,
        }
        return {**{name: cents(value) for name, value in amounts.items()}, "multiplier": str(worth.multiplier)}


def _flags() -> dict[str, bool]:
    return {
        "shorting_enabled": True,
        "trading_blocked": False,
        "transfers_blocked": False,
        "account_blocked": False,
        "trade_suspended_by_user": False,
    }


def _range(period: str, start: datetime | None, end: datetime | None, now: datetime) -> tuple[datetime, datetime]:
    count, unit = period[:-1], period[-1:].upper()
    if not count.isdigit() or unit not in PERIODS:
        raise malformed(f"invalid period: {period}")
    until = end or now
    return start or until - timedelta(days=int(count) * PERIODS[unit]), until


def _thinned(samples: list[tuple[int, Decimal]], seconds: int) -> list[tuple[int, Decimal]]:
    return [(stamp // seconds * seconds, equity) for stamp, equity in samples]


def _portfolio(samples: dict[int, Decimal], frame: str, start: datetime) -> dict[str, Any]:
    equity = [cents(value) for value in samples.values()]
    base = equity[0] if equity else ZERO
    return {
        "timestamp": list(samples),
        "equity": equity,
        "profit_loss": [value - base for value in equity],
        "profit_loss_pct": [nanos((value - base) / base) if base else None for value in equity],
        "base_value": base,
        "base_value_asof": new_york_day(start).isoformat(),
        "timeframe": frame,
        "cashflow": {},
    }

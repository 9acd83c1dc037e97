"""/v2/account and its configurations."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
from aiohttp import web

from services.simulator.core.book import Configurations
from services.simulator.core.errors import malformed
from services.simulator.core.forms import parse_body
from services.simulator.core.numbers import ZERO, cents
from services.simulator.desk import Desk
from services.simulator.web.answers import trading

REGULATION_T = 2
OPTIONS_LEVEL = 3


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
        ]

    async def get(self, _request: web.Request) -> web.Response:
        """Return the account valued now."""
        return trading({**self._identity(), **self._money(), **self._flags()})

    async def configurations(self, _request: web.Request) -> web.Response:
        """Return the switches."""
        return trading(self._desk.broker.book.account.configurations)

    async def configure(self, request: web.Request) -> web.Response:
        """Change the switches that the body sets."""
        patch = parse_body(await request.read(), ConfigurationPatch)
        if patch.max_margin_multiplier not in {None, "1", "2", "4"}:
            raise malformed("invalid max_margin_multiplier")
        if patch.max_options_trading_level not in {None, *range(OPTIONS_LEVEL + 1)}:
            raise malformed("invalid max_options_trading_level")
        if patch.trade_confirm_email not in {None, "all", "none"}:
            raise malformed("invalid trade_confirm_email")
        given = {name: value for name, value in msgspec.structs.asdict(patch).items() if value is not None}
        current = self._desk.broker.book.account.configurations
        changed: Configurations = msgspec.structs.replace(current, **given)
        self._desk.act(lambda broker, _now: broker.configure(changed))
        return trading(changed)

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

    def _flags(self) -> dict[str, bool]:
        switches = self._desk.broker.book.account.configurations
        lends = self._desk.broker.worth().multiplier > 1
        return {
            "shorting_enabled": lends and not switches.no_shorting,
            "trading_blocked": False,
            "transfers_blocked": False,
            "account_blocked": False,
            "trade_suspended_by_user": switches.suspend_trade,
        }

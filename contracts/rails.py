"""Every rail with the number recommended for it: one table, from which `lockgate up` fills in what nobody chose.

A rail is a limit that is none at first. Before anything may trade each one is set, or a person does without it by a
waiver: by name, until a moment, for a reason. Where the sources (SEC 15c3-5, RTS 6 Art. 15, FIA 2024) leave a number
open, the number here suits a small paper account; "no." is the control's number in the catalogue of controls.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from contracts.base import Value
from contracts.enums import Regime
from contracts.ids import Symbol
from contracts.limits import LimitSet, Sector

type RailValue = Decimal | int | bool | tuple[Regime, ...]


class Rail(Value, frozen=True, kw_only=True):
    """One rail: the value recommended, what it is counted in, what it means, and who asks for it."""

    name: str
    value: RailValue
    unit: str
    meaning: str
    source: str


def _rail(name: str, value: RailValue | str, unit: str, meaning: str, source: str) -> Rail:
    number = Decimal(value) if isinstance(value, str) else value
    return Rail(name=name, value=number, unit=unit, meaning=meaning, source=source)


def _regimes(name: str, meaning: str, source: str, *regimes: Regime) -> Rail:
    return Rail(
        name=name,
        value=regimes,
        unit="regimes",
        meaning=meaning,
        source=source,
    )


def _switch(name: str, meaning: str, source: str) -> Rail:
    return Rail(
        name=name,
        value=True,
        unit="yes or no",
        meaning=meaning,
        source=source,
    )


_WHO = (
    _switch("mandates_required", "An agent trades only with a mandate.", "no. 3, 23"),
    _rail("risk_per_trade_pct", "1", "% of equity", "The loss at its stop that sizing advice aims at.", "seed: 1"),
)
_WHAT = (
    _switch("assets_required", "The broker must list the symbol as tradable.", "no. 2, 31"),
    _switch("session_required", "The session must be open for this order's time in force.", "no. 2"),
    _switch("halts_respected", "Nothing new in a symbol that its exchange has halted.", "no. 2, 63"),
    _regimes(
        "regimes_allowed",
        "New risk only in symbols whose market is in one of these regimes.",
        "seed: strategy gating",
        Regime.TREND,
        Regime.CHOP,
        Regime.VOL_EXPANSION,
    ),
    _switch("shorts_allowed", "Sales of what is not held pass, if it can be borrowed.", "no. 31"),
    _switch("self_trade_prevented", "No order may meet another of ours.", "no. 12, 37; FINRA 5210"),
)
_PRICE = (
    _rail("limit_collar_bps", "500", "bps", "How far a limit may reach through the market.", "no. 6; RTS 6 15(1)(a)"),
    _rail("passive_collar_bps", "5000", "bps", "How far a limit may stay away from the market.", "no. 6, 37"),
    _rail("reference_collar_bps", "1000", "bps", "How far the market may be from its last close.", "no. 7"),
    _rail("feed_divergence_max_bps", "200", "bps", "How far the broker's price may be from the feed's.", "no. 60"),
    _rail("min_quote_size", "1", "shares", "The least that must be quoted on the other side.", "no. 8; seed: 100"),
    _rail("max_slippage_bps", "50", "bps", "How much worse than expected fills may be.", "no. 57; seed"),
)
_SIZE = (
    _rail("max_order_qty", "1000", "shares", "The most shares of one order.", "no. 4; seed: 1000"),
    _rail("max_order_adv_pct", "1", "% of volume", "One order as a part of a day's average volume.", "no. 4"),
    _rail("max_turnover_usd", "500000", "USD", "What the day's new orders may be worth at their worst.", "no. 24"),
    _rail("max_concentration_pct", "25", "% of equity", "The exposure in one symbol.", "no. 20"),
    _rail("max_sector_exposure_usd", "20000", "USD", "The exposure of one sector's symbols.", "no. 20; seed: 20000"),
    _rail("max_leverage", "1", "times equity", "Gross exposure against equity.", "no. 21; seed: 1"),
    _rail("min_buying_power_usd", "0", "USD", "What must be left of the broker's buying power.", "no. 22; 15c3-5"),
    _rail("min_cash_usd", "0", "USD", "What must be left of cash after a buy.", "no. 22"),
    _rail("max_overnight_exposure_usd", "25000", "USD", "Gross exposure near the close.", "no. 30"),
    _rail("overnight_window_ms", 900_000, "ms", "How long before the close that counts.", "no. 30"),
)
_PACE = (
    _rail("message_rate_per_min", 60, "a minute", "Orders, replaces and cancels together.", "no. 13; RTS 6 15(1)(d)"),
    _rail(
        "replace_rate_per_min",
        10,
        "a minute",
        "Replaces. The seed says 5, which two agents that follow a quote reach at once; new orders have 10 too.",
        "no. 13; seed: 5",
    ),
    _rail("max_open_orders", 200, "orders", "Orders that may work at a time.", "no. 15"),
    _rail("open_order_age_max_ms", 604_800_000, "ms", "The age of the oldest working order: 7 days.", "no. 15, 59"),
    _rail("max_duplicates", 10, "orders", "Equal orders of one agent within the window.", "no. 10; 15c3-5(c)(1)(ii)"),
    _rail("duplicate_window_ms", 10_000, "ms", "How long equal orders count as duplicates.", "no. 10"),
    _rail("max_repeats", 100, "fills", "Fills of a strategy, symbol and side in the window.", "no. 14; RTS 6 15(3)"),
    _rail("repeat_window_ms", 60_000, "ms", "How long fills count as repeated.", "no. 14"),
    _rail("max_loop_repeats", 5, "denials", "Equal intents denied alike before their agent must wait.", "no. 58"),
    _rail("loop_cooldown_ms", 60_000, "ms", "How long it must wait then.", "no. 58"),
)
_LOSS = (
    _rail("max_loss_5m_usd", "250", "USD", "The loss within five minutes.", "no. 28"),
    _rail("max_loss_1h_usd", "500", "USD", "The loss within an hour.", "no. 28"),
    _rail("max_loss_week_usd", "2500", "USD", "The loss within a week of the exchange.", "no. 28"),
    _rail("max_loss_streak", 8, "trades", "Losing trades in a row.", "no. 29"),
)
_HEALTH = (
    _rail("max_reject_streak", 5, "rejections", "An agent's orders the broker rejected in a row.", "no. 58; seed: 5"),
    _rail("reject_window_ms", 60_000, "ms", "How long rejections count as a streak.", "no. 58; seed: 60 s"),
    _rail("max_throttles_per_min", 3, "a minute", "Answers 429 of the broker.", "no. 58; seed: 3"),
    _rail("max_reconnects_per_hour", 10, "an hour", "New connections to the broker.", "no. 58; seed: 10"),
    _rail("reconciliation_age_max_ms", 120_000, "ms", "The age of the last reconciliation.", "no. 64"),
    _rail("audit_age_max_ms", 120_000, "ms", "The age of the conservation watch's last word.", "no. 61"),
    _rail("clock_skew_max_ms", 1_000, "ms", "How far the broker's clock may be from ours.", "no. 75"),
    _rail("health_recovery_ms", 10_000, "ms", "How long health must be good after a lapse.", "no. 61, 64"),
    _rail("trip_hysteresis_pct", "20", "% of the limit", "How far below its limit a trip lets go.", "no. 28"),
    _rail("trip_cooldown_ms", 300_000, "ms", "How long a trip stands at least.", "no. 28"),
)
RAILS: Mapping[str, Rail] = {rail.name: rail for rail in (*_WHO, *_WHAT, *_PRICE, *_SIZE, *_PACE, *_LOSS, *_HEALTH)}

SECTORS = tuple(
    Sector(name=name, symbols=tuple(Symbol(symbol) for symbol in symbols.split()))
    for name, symbols in (
        ("technology", "AAPL AVGO MSFT NVDA"),
        ("communication", "GOOGL META"),
        ("consumer", "AMZN TSLA"),
        ("financials", "JPM"),
        ("energy", "XOM"),
    )
)
"""The sectors of the default allowlist, by GICS; SPY is a fund of all of them and in none."""


def unset_rails(limits: LimitSet) -> tuple[str, ...]:
    """Name the rails that are neither set nor waived, whatever the time."""
    waived = {waiver.rail for waiver in limits.waivers}
    return tuple(name for name in RAILS if getattr(limits, name) is None and name not in waived)


def lapsed_rails(limits: LimitSet, now: datetime) -> tuple[str, ...]:
    """Name the rails that are not set and whose last waiver is over."""
    if not limits.waivers:
        return ()
    standing = {waiver.rail for waiver in limits.waivers if waiver.until > now}
    waived = dict.fromkeys(waiver.rail for waiver in limits.waivers)
    return tuple(name for name in waived if name not in standing and getattr(limits, name, False) is None)


def missing_rails(limits: LimitSet, now: datetime) -> tuple[str, ...]:
    """Name the rails that are neither set nor waived until after now: with any of them nothing may start."""
    return (*unset_rails(limits), *lapsed_rails(limits, now))

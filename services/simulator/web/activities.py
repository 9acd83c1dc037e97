"""/v2/account/activities: executions and money that moved without a trade; and the hand that moves it."""

from datetime import date, timedelta
from decimal import Decimal

import msgspec
from aiohttp import web
from msgspec import UNSET

from services.simulator.core.cash import CASH_KINDS, CashActivity
from services.simulator.core.errors import malformed
from services.simulator.core.forms import parse_body
from services.simulator.core.sessions import new_york_day
from services.simulator.desk import Desk
from services.simulator.listings import ActivityFilter
from services.simulator.web.answers import choice, moment, trading, whole, words

LONGEST_PAGE = 100
CATEGORIES = ("trade_activity", "non_trade_activity")
KINDS = CASH_KINDS | {
    *("FILL", "ACATC", "ACATS", "CIL", "DIVCGL", "DIVCGS", "DIVROC", "DIVTXEX", "DIVWH", "EXTRD", "FXTRD", "INTPNL"),
    *("JNLS", "MEM", "NC", "OCT", "OPASN", "OPCSH", "OPEXC", "OPEXP", "OPTRD", "REORG", "SPIN", "SPLIT", "SWP"),
    *("VOF", "WH", "TRANS", "MISC"),
}


class CashBody(msgspec.Struct, frozen=True, kw_only=True):
    """Money to move: a signed amount in dollars, as one kind of activity."""

    amount: Decimal
    activity_type: str = "CSD"
    symbol: str | None = None
    qty: Decimal | None = None
    per_share_amount: Decimal | None = None
    day: date | None = msgspec.field(name="date", default=None)
    description: str = ""


class ActivityRoutes:
    """The handlers of activities at one desk."""

    def __init__(self, desk: Desk) -> None:
        """Serve this desk."""
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/v2/account/activities", self.index),
            web.get("/v2/account/activities/{kind}", self.index),
            web.post("/control/cash", self.move_cash),
        ]

    async def index(self, request: web.Request) -> web.Response:
        """Return activities, newest first by default, paged by the last id seen."""
        query = request.query
        wanted = ActivityFilter(
            kinds=_kinds(request),
            category=choice(query, "category", CATEGORIES) if query.get("category") else None,
            order_id=query.get("order_id"),
            after=moment(query, "after"),
            until=moment(query, "until"),
            ascending=choice(query, "direction", ("desc", "asc")) == "asc",
            page_size=whole(query, "page_size", LONGEST_PAGE, LONGEST_PAGE),
            page_token=query.get("page_token"),
        )
        if wanted.page_token is not None and not self._desk.store.has_activity(wanted.page_token):
            raise malformed("invalid page_token")
        day = moment(query, "date")
        if day is not None:
            if wanted.after or wanted.until:
                raise malformed("date excludes after and until")
            span = {"after": day - timedelta(microseconds=1), "until": day + timedelta(days=1)}
            wanted = msgspec.structs.replace(wanted, **span)
        return trading(self._desk.store.every_activity(wanted))

    async def move_cash(self, request: web.Request) -> web.Response:
        """Move money without a trade, as a deposit, a dividend or a fee does."""
        body = parse_body(await request.read(), CashBody)
        if body.activity_type not in CASH_KINDS or not body.amount.is_finite() or not body.amount:
            raise malformed(f"amount must not be 0 and activity_type one of {', '.join(sorted(CASH_KINDS))}")
        now = self._desk.clock()
        activity = CashActivity(
            id=self._desk.broker.recorder.activity_id(now),
            activity_type=body.activity_type,
            date=body.day or new_york_day(now),
            created_at=now,
            net_amount=body.amount,
            symbol=UNSET if body.symbol is None else body.symbol.upper(),
            qty=UNSET if body.qty is None else body.qty,
            per_share_amount=UNSET if body.per_share_amount is None else body.per_share_amount,
            description=body.description,
        )
        self._desk.act(lambda broker, _now: broker.recorder.move_cash(activity))
        return trading(activity)


def _kinds(request: web.Request) -> tuple[str, ...]:
    named = request.match_info.get("kind", "")
    kinds = tuple(kind.upper() for kind in ((named,) if named else words(request.query, "activity_types")))
    if kinds and request.query.get("category"):
        raise malformed("category cannot be used with activity_types")
    if unknown := set(kinds) - KINDS:
        raise malformed(f"invalid activity type: {min(unknown)}")
    return kinds

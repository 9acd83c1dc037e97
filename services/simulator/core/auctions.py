"""When orders for the opening and closing auctions are taken."""

from datetime import datetime, timedelta

from services.simulator.core.errors import forbidden
from services.simulator.core.sessions import NEW_YORK, new_york_day, session

OPG_CUT_OFF = timedelta(minutes=2)  # before the open: 09:28
CLS_CUT_OFF = timedelta(minutes=10)  # before the close: 15:50
QUEUE_HOUR = 19  # New York: from here on orders are for the next trading day


def check_window(time_in_force: str, now: datetime) -> None:
    """Refuse an opg order from 09:28 and a cls order from 15:50 until 19:00 of a trading day, as Alpaca does."""
    today = session(new_york_day(now))
    if today is None or now.astimezone(NEW_YORK).hour >= QUEUE_HOUR:
        return
    if time_in_force == "opg" and now >= today.open - OPG_CUT_OFF:
        raise forbidden("opg orders are accepted from 7:00pm until 9:28am only")
    if time_in_force == "cls" and now >= today.close - CLS_CUT_OFF:
        raise forbidden("cls orders are accepted from 7:00pm until 10 minutes before the close only")

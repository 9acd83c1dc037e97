"""When a broker really trades, of what its calendar and its clock say: pure."""

from itertools import pairwise

from msgspec.structs import replace

from contracts.broker import Session
from services.oms.brokers.port import BrokerClock


def as_traded(calendar: tuple[Session, ...], clock: BrokerClock) -> tuple[Session, ...]:
    """Give the sessions in which orders trade; where calendar and clock differ, the clock tells of now.

    A broker that is open although its calendar says closed, or does not close when it says, trades around the clock
    (a simulator may): each session then lasts until the next one opens. One that is closed in the middle of a
    session is closed until its clock says that it opens.
    """
    current = next((one for one in calendar if one.open_at <= clock.at < one.close_at), None)
    if clock.is_open and (current is None or clock.next_close > current.close_at):
        return tuple(replace(one, close_at=following.open_at) for one, following in pairwise(calendar))
    if current is None or clock.is_open:
        return calendar
    rest = replace(current, open_at=clock.next_open)
    return tuple(
        rest if one is current else one for one in calendar if one is not current or rest.open_at < rest.close_at
    )

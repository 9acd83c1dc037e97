"""How old each report is, by the broker's own stamps: needed once an execution was undone."""

from collections import OrderedDict
from datetime import datetime

from msgspec.structs import replace

from projections.order_state import OrderState
from services.oms.brokers.port import Accepted, BrokerOrder
from services.oms.decider import Command, Reported, SubmitAnswered, Succeeded, Updated
from services.oms.fills import Age, is_of

ORDERS_REMEMBERED_MAX = 50_000
"""One forgotten is taken for never heard of: its next report counts as new."""


class Ages:
    """Remembers the newest stamp of each of the broker's orders, of those heard since the start."""

    def __init__(self) -> None:
        """Begin with nothing heard."""
        self._newest: OrderedDict[str, datetime] = OrderedDict()

    def aged(self, order: OrderState, command: Command) -> Command:
        """Say in a command how old what it shows is; a report of an order that is not this one is left alone."""
        match command:
            case Reported(order=report) if is_of(order, report):
                return replace(command, age=self._heard(report))
            case Updated(update=update) if is_of(order, update.order):
                return replace(command, age=self._heard(update.order))
            case SubmitAnswered(outcome=Accepted(order=report)) | Succeeded(order=report):
                self._heard(report)  # it is counted whatever its age; what is older than it comes late
                return command
            case _:
                return command

    def _heard(self, report: BrokerOrder) -> Age:
        at, newest = report.updated_at, self._newest.get(report.broker_order_id)
        if at is None:
            return Age.UNKNOWN
        if newest is not None and at <= newest:
            return Age.SAME if at == newest else Age.OLDER
        self._newest[report.broker_order_id] = at
        self._newest.move_to_end(report.broker_order_id)
        if len(self._newest) > ORDERS_REMEMBERED_MAX:
            self._newest.popitem(last=False)
        return Age.NEWER

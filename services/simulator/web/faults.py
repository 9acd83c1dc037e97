"""/control/faults: set, list and clear what goes wrong on command."""

from collections.abc import Callable

from aiohttp import web

from services.simulator.core.errors import BrokerError, not_found
from services.simulator.desk import Desk
from services.simulator.faults import Fault, FaultError, Occasion, parsed_fault
from services.simulator.faults_board import FaultBoard
from services.simulator.faults_catalogue import KINDS
from services.simulator.faults_trades import Trades
from services.simulator.web.answers import trading

BAD_REQUEST = 400


class FaultRoutes:
    """The handlers of faults at one simulator."""

    def __init__(self, board: FaultBoard, desk: Desk, cuts: dict[str, Callable[[], int]]) -> None:
        """Set faults on this board; `cuts` are the faults that cut connections, and how."""
        self._board = board
        self._desk = desk
        self._cuts = cuts
        self._trades = Trades(desk.store)
        desk.publish.insert(0, self._trades.hear)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/control/faults", self.index),
            web.post("/control/faults", self.arm),
            web.delete("/control/faults", self.clear_all),
            web.delete("/control/faults/{id}", self.clear),
        ]

    async def index(self, _request: web.Request) -> web.Response:
        """List the faults that were set, with their hits, and every kind there is."""
        kinds = {
            name: {"summary": kind.summary, "options": kind.allowed(), "defaults": kind.defaults}
            for name, kind in KINDS.items()
        }
        return trading({"faults": self._board.listing(), "kinds": kinds})

    async def arm(self, request: web.Request) -> web.Response:
        """Set a fault; one that happens at once has happened when this answers."""
        try:
            fault = parsed_fault(await request.read())
            struck = self._at_once(fault) if fault.kind.at_once else None
        except FaultError as error:
            raise BrokerError(BAD_REQUEST, None, str(error)) from error
        armed = self._board.arm(fault)
        for occasion in struck or ():
            armed.strike(occasion)
        return trading(self._board.shown(armed))

    async def clear_all(self, _request: web.Request) -> web.Response:
        """Clear every fault."""
        return trading({"cleared": self._board.clear()})

    async def clear(self, request: web.Request) -> web.Response:
        """Clear one fault."""
        fault_id = request.match_info["id"]
        cleared = self._board.clear(fault_id)
        if cleared is None:
            known = ", ".join(shown["id"] for shown in self._board.listing()) or "none"
            raise not_found(f"no fault {fault_id!r}; those set are: {known}")
        return trading({"cleared": cleared})

    def _at_once(self, fault: Fault) -> list[Occasion]:
        """Let it happen, and return what it happened to."""
        cut = self._cuts.get(fault.fault)
        if cut is not None:
            return [Occasion() for _ in range(cut())]
        return [self._desk.act(lambda broker, now: self._trades.change(broker, fault, now)).occasion()]

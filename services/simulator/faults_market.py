"""Faults of the data socket: quotes that are not told, and quotes that cannot be."""

from typing import Any

from services.simulator.faults import Occasion
from services.simulator.faults_board import FaultBoard

type Message = tuple[str, str, dict[str, Any]]
"""Channel, symbol and what is told."""


class DataFaults:
    """Stands between the market and the data sockets."""

    def __init__(self, board: FaultBoard) -> None:
        """Ask this board."""
        self._board = board

    def told(self, messages: list[Message]) -> list[Message]:
        """Return what is told of these messages."""
        if not self._board:
            return messages
        return [self._crossed(message) for message in messages if not self._is_silent(message)]

    def is_full(self) -> bool:
        """Say whether authentication is refused for one connection too many."""
        return self._board.strikes("refuse_data", Occasion()) is not None

    def _is_silent(self, message: Message) -> bool:
        channel, symbol, _ = message
        return self._board.strikes("silent_quotes", Occasion(channel=channel, symbol=symbol)) is not None

    def _crossed(self, message: Message) -> Message:
        channel, symbol, body = message
        if channel != "quotes" or not self._board.strikes("crossed_quotes", Occasion(channel=channel, symbol=symbol)):
            return message
        return channel, symbol, {**body, "bp": body["ap"], "ap": body["bp"]}

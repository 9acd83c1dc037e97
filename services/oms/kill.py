"""The kill switch on both planes, and the sweep that cancels what still works.

A plain subscription hears an operator's word ahead of any backlog; the journal holds it for good. The switch is
on while either says so: a word heard counts until the journal has told it too.
"""

import asyncio

from contracts.codec import JournalEvent, UndecodableError, decode_event
from contracts.controls import KillEngaged, KillReleased
from contracts.enums import KillMode
from projections.order_state import OrderState
from services.oms.core import OmsCore

_WIDTH = {KillMode.BLOCK_NEW: 1, KillMode.CANCEL_ALL: 2, KillMode.FLATTEN: 3}


class KillSwitch:
    """Says whether an order may be sent, and wakes whoever waits for the switch to move."""

    def __init__(self, core: OmsCore) -> None:
        """Stand on what the journal says."""
        self._core = core
        self._heard: list[KillEngaged] = []
        self.moved = asyncio.Event()

    @property
    def mode(self) -> KillMode | None:
        """Give the widest mode that is engaged on either plane."""
        stored = self._core.state.account.kill
        modes = [word.mode for word in (*self._heard, *([stored] if stored else []))]
        return max(modes, key=_WIDTH.__getitem__, default=None)

    @property
    def cancels(self) -> bool:
        """Say whether everything that works must be canceled."""
        return self.mode in {KillMode.CANCEL_ALL, KillMode.FLATTEN}

    def blocks(self, order: OrderState) -> bool:
        """Say whether an order may not be sent: while killed only what reduces a position may."""
        return self.mode is not None and not order.reduces

    def spares(self, order: OrderState) -> bool:
        """Say whether an order was approved after the kill to reduce a position, so the sweep lets it work."""
        return order.reduces and order.decision_seq > self._core.state.account.kill_seq

    def hear(self, body: bytes) -> None:
        """Take an operator's word off the wire; what cannot be read stops the journal's reader, not this one."""
        try:
            event = decode_event(body)
        except UndecodableError:
            return
        if isinstance(event, KillEngaged):
            self._heard.append(event)
            self.moved.set()

    def read(self, event: JournalEvent) -> None:
        """Hear what the core just read from the journal: it now speaks for the words of the other plane."""
        if isinstance(event, KillEngaged):
            self._heard = [word for word in self._heard if word != event]
            self.moved.set()
        elif isinstance(event, KillReleased):
            self._heard = [word for word in self._heard if word.at > event.at]

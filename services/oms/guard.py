"""The second plane without NATS: while the OMS has no journal, the kill file alone cancels everything at the broker.

A process without a journal knows none of its orders, so it asks the broker for its own cancel of all and looks until
the broker shows none. It sends no order and needs no lease: whoever can may cut risk. Closing positions needs an
approved decision, and so waits for the journal.
"""

import asyncio
from typing import Any, Protocol

from contracts.enums import KillMode
from services.oms.brokers.port import BrokerOrder, BrokerUnreachableError, CancelAccepted, CancelOutcome
from services.runtime.kill_file import POLL_EVERY_MS, KillFile

_BUSY_MS, _CALM_MS = 250, 2_000


class CancelsAll(Protocol):
    """Of a broker, what a guard needs."""

    async def cancel_all(self) -> CancelOutcome:
        """Ask once for a cancel of every open order."""
        ...

    async def open_orders(self) -> tuple[BrokerOrder, ...]:
        """List every order that can still change; raise `BrokerUnreachableError`."""
        ...


class Guard:
    """Watches the kill file until the OMS proper does."""

    def __init__(self) -> None:
        """Be on duty."""
        self._on_duty = True
        self._said = ""

    def stand_down(self) -> None:
        """Hear that the OMS is live: from here on it does all this by its own ledger."""
        self._on_duty = False

    async def watch(self, file: KillFile, broker: CancelsAll, log: Any) -> None:
        """Cancel whatever the broker shows for as long as the file says so."""
        while self._on_duty:
            word = file.read()
            if word is None:
                await asyncio.sleep(POLL_EVERY_MS / 1000)
                continue
            file.keep(word)
            self._say(log, f"the kill file says {word.mode}")
            wait_ms = POLL_EVERY_MS if word.mode is KillMode.BLOCK_NEW else await self._cancel(broker, log)
            await asyncio.sleep(wait_ms / 1000)

    async def _cancel(self, broker: CancelsAll, log: Any) -> int:
        """Ask for the end of every order that is open; give how many milliseconds later to look again."""
        try:
            left = await broker.open_orders()
        except BrokerUnreachableError as error:
            self._say(log, f"the broker does not answer: {error.detail}")
            left = None
        if left == ():
            self._say(log, "the broker shows no order any more")
            return _CALM_MS
        outcome = await broker.cancel_all()
        if not isinstance(outcome, CancelAccepted):
            self._say(log, f"cancel of all: {outcome}")
        return _BUSY_MS

    def _say(self, log: Any, what: str) -> None:
        if what != self._said:
            self._said = what
            log.warning("no journal, but a kill file", what=what)

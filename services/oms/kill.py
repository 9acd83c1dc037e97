"""The kill switches on three planes: heard at once, stored for good, and the file that needs no NATS.

A plain subscription hears an operator's word ahead of any backlog; the journal holds it. A switch is on while either
says so: a word heard counts until the journal has told it too. The kill file counts while it is there, and longer:
until the journal has its word.
"""

import asyncio
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from contracts.codec import UndecodableError, decode_event
from contracts.controls import KillEngaged, KillReleased
from contracts.enums import KillMode
from contracts.ids import EXTERNAL, Symbol
from contracts.scopes import ACCOUNT, Scope
from projections.order_state import OrderState
from projections.standing import Whose, is_wider, scopes_over, switch_of
from services.oms.core import OmsCore
from services.oms.flights import Flights, Silence
from services.runtime.kill_file import BY, FileWord
from services.runtime.ports import Clock


class Word(NamedTuple):
    """One switch that is on; `seq` is where the journal says so, None while only another plane does."""

    scope: Scope
    mode: KillMode
    seq: int | None

    @property
    def cancels(self) -> bool:
        """Say whether everything that works in the scope must be canceled."""
        return self.mode is not KillMode.BLOCK_NEW

    @property
    def flattens(self) -> bool:
        """Say whether every position in the scope must be closed, too."""
        return self.mode is KillMode.FLATTEN


class Hearing(NamedTuple):
    """When a word came, by the wall and the monotonic clock; it shut the gate in the same step, behind the rest.

    There is no silence to wait for while it is not known what a predecessor may have sent.
    """

    at: datetime
    monotonic_ms: int
    silence: Silence | None


class KillSwitch:
    """Says whether an order may be sent, and wakes whoever waits for a switch to move."""

    def __init__(self, core: OmsCore, clock: Clock) -> None:
        """Stand on what the journal says."""
        self._core = core
        self._clock = clock
        self._heard: dict[KillEngaged, Hearing] = {}
        self._file: FileWord | None = None
        self.moved = asyncio.Event()
        self.flights = Flights(clock, self.moved.set)

    @property
    def mode(self) -> KillMode | None:
        """Give the widest mode of the account's own switch."""
        modes = [word.mode for word in self.words() if word.scope == ACCOUNT]
        return max(modes, key=tuple(KillMode).index, default=None)

    @property
    def cancels(self) -> bool:
        """Say whether anything that works must be canceled, in any scope."""
        return any(word.cancels for word in self.words())

    def words(self) -> Iterator[Word]:
        """Yield what is in force: what stands in the journal, and what another plane says beyond that."""
        kills = self._core.state.account.standing.kills
        for scope, kill in kills.items():
            yield Word(scope, kill.event.mode, kill.seq)
        for said in self._heard:
            if self._goes_beyond(switch_of(said.scope), said.mode):
                yield Word(switch_of(said.scope), said.mode, None)
        if self._file is not None and self._goes_beyond(ACCOUNT, self._file.mode):
            yield Word(ACCOUNT, self._file.mode, None)

    def facts(self) -> list[dict[str, object]]:
        """Give what health shows: every switch that is on, who put it on, why and since when."""
        kills = self._core.state.account.standing.kills
        stored = [_fact(word.scope, kills[word.scope].event) for word in self.words() if word.seq is not None]
        heard = [_fact(switch_of(said.scope), said) for said in self._heard]
        seen = self.lacks_record()
        return stored + heard + ([] if seen is None else [_fact_of_file(seen)])

    def _goes_beyond(self, scope: Scope, mode: KillMode) -> bool:
        stored = self._core.state.account.standing.kills.get(scope)
        return stored is None or is_wider(mode, stored.event.mode)

    def blocks(self, order: OrderState) -> bool:
        """Say whether an order may not be sent: while killed only what reduces a position may."""
        return not order.reduces and any(self._over(whose_of(order)))

    def sets_out(self, request: str, order: OrderState) -> None:
        """Hear that the bytes of a request go in this step; of one that only reduces nobody has to know."""
        if not order.reduces:
            self.flights.set_out(request, whose_of(order))

    def may_have_set_out(self, request: str, order: OrderState | None) -> None:
        """Hear that a predecessor may have sent a request whose answer nobody will read."""
        if order is not None and not order.reduces:
            self.flights.doubt(request, whose_of(order))

    def ends(self, order: OrderState) -> bool:
        """Say whether an order may not go on working; one approved after the kill to reduce a position may."""
        return any(
            word.cancels and not (order.reduces and word.seq is not None and order.decision_seq > word.seq)
            for word in self._over(whose_of(order))
        )

    def ends_foreign(self, symbol: Symbol) -> bool:
        """Say whether an order that the journal does not know may not go on working."""
        return any(word.cancels for word in self._over(foreign(symbol)))

    def flattens(self, order: OrderState) -> bool:
        """Say whether the position that an order is about must be closed."""
        return any(word.flattens for word in self._over(whose_of(order)))

    def _over(self, whose: Whose) -> Iterator[Word]:
        scopes = scopes_over(whose)
        return (word for word in self.words() if word.scope in scopes)

    def hear(self, body: bytes) -> None:
        """Take an operator's word off the wire; what cannot be read stops the journal's reader, not this one."""
        try:
            event = decode_event(body)
        except UndecodableError:
            return
        if isinstance(event, KillEngaged) and event not in self._heard:
            self._heard[event] = self._hearing(event)
            self.moved.set()

    def _hearing(self, event: KillEngaged) -> Hearing:
        silence = self.flights.silence(switch_of(event.scope)) if self.flights.are_all_known else None
        return Hearing(self._clock.now(), self._clock.monotonic_ms(), silence)

    def see_file(self, word: FileWord | None) -> None:
        """Take what the kill file says now, nothing when there is none."""
        if word != self._file:
            self._file = word
            self.moved.set()

    def lacks_record(self) -> FileWord | None:
        """Give what the kill file says and the journal does not yet."""
        word = self._file
        return word if word is not None and self._goes_beyond(ACCOUNT, word.mode) else None

    def read(self, event: KillEngaged) -> Hearing:
        """Take a word that the core just read: the journal now speaks for the other plane; say when one first did."""
        self.moved.set()
        return self._heard.pop(event, None) or self._hearing(event)

    def read_release(self, event: KillReleased) -> None:
        """Take a release that the core just read: words said before it count no more."""
        scope = switch_of(event.scope)
        self._heard = {w: h for w, h in self._heard.items() if w.at > event.at or switch_of(w.scope) != scope}


def _fact(scope: Scope, said: KillEngaged) -> dict[str, object]:
    return {"scope": scope, "mode": said.mode, "by": said.by, "reason": said.reason, "since": said.at}


def _fact_of_file(word: FileWord) -> dict[str, object]:
    return {"scope": ACCOUNT, "mode": word.mode, "by": BY, "reason": word.reason, "since": None}


def whose_of(order: OrderState) -> Whose:
    """Say whose order it is, and in what."""
    return Whose(order.agent, order.strategy, order.terms.symbol)


def foreign(symbol: Symbol) -> Whose:
    """Say whose an order is that the journal does not know."""
    return Whose(EXTERNAL, None, symbol)

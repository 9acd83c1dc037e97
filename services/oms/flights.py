"""Requests of new risk on their way to the broker, so that a kill can say when the last of them had come there.

A request is on its way from the step that hands its bytes to the socket to the step that has the broker's answer. One
without an answer may arrive as long as nobody has found out what became of it: it is in doubt.
"""

from collections.abc import Callable

from contracts.scopes import Scope
from projections.standing import Whose, scopes_over
from services.runtime.ports import Clock


class Silence:
    """What was on its way when the gate was shut; once all of it has been answered, the broker hears nothing more."""

    def __init__(self, awaited: set[str], unanswered: int, shut_ms: int) -> None:
        """Begin at a monotonic time (ms); requests in doubt already count as unanswered."""
        self.unanswered = unanswered
        """Requests that may have reached the broker, or may yet, and were never answered."""
        self._awaited = awaited
        self._shut_ms = shut_ms
        self._passed_ms = 0

    @property
    def is_over(self) -> bool:
        """Say whether no answer is waited for any more."""
        return not self._awaited

    @property
    def passed_ms(self) -> int | None:
        """Give the time (ms) to the last answer, 0 when nothing was on its way; None unless all were answered."""
        return self._passed_ms if self.is_over and not self.unanswered else None

    def hear(self, request: str, now_ms: int, *, answered: bool) -> None:
        """Hear how a request ended; clocks of whole milliseconds cut the span short, so one is added."""
        if request in self._awaited:
            self._awaited.remove(request)
            self.unanswered += not answered
            self._passed_ms = now_ms - self._shut_ms + 1


class Flights:
    """Keeps what is on its way, each request under a name of its own."""

    def __init__(self, clock: Clock, on_silence: Callable[[], None]) -> None:
        """Have nothing on its way; `on_silence` is called whenever a silence is over."""
        self.are_all_known = False
        """Whether it is noted what a predecessor may have sent; until then nobody knows what is on its way."""
        self._clock = clock
        self._on_silence = on_silence
        self._on_way: dict[str, Whose] = {}
        self._in_doubt: dict[str, Whose] = {}
        self._silences: list[Silence] = []

    def set_out(self, request: str, whose: Whose) -> None:
        """Note that the bytes of a request go to the socket in this step."""
        self._on_way[request] = whose

    def end(self, request: str, *, answered: bool) -> None:
        """Note that a request was answered, or that none will come."""
        whose = self._on_way.pop(request, None)
        if whose is None:
            return
        if not answered:
            self.doubt(request, whose)
        for silence in tuple(self._silences):
            silence.hear(request, self._clock.monotonic_ms(), answered=answered)
            if silence.is_over:
                self._silences.remove(silence)
                self._on_silence()

    def doubt(self, request: str, whose: Whose) -> None:
        """Note that a request may be on its way, and that nobody will hear of an answer."""
        self._in_doubt[request] = whose

    def settle(self, request: str) -> None:
        """Note that it is known what became of a request: it will not arrive any more."""
        self._in_doubt.pop(request, None)

    def silence(self, scope: Scope) -> Silence:
        """Begin to wait for the answers to what is on its way in a scope whose gate is shut in this step."""
        unanswered = sum(scope in scopes_over(whose) for whose in self._in_doubt.values())
        awaited = {request for request, whose in self._on_way.items() if scope in scopes_over(whose)}
        silence = Silence(awaited, unanswered, self._clock.monotonic_ms())
        if awaited:
            self._silences.append(silence)
        return silence

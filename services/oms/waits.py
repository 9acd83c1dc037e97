"""How long the OMS waits between its tries at the broker."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SenderWaits:
    """Milliseconds between tries; each doubles from its first to its last.

    After `misses_to_resend` answers that the broker has no such order it may be sent again under its id, after
    `misses_to_give_up` it counts as never arrived: with the default waits 12 s after the doubtful send, longer
    than any request lives.
    """

    retry_first_ms: int = 100
    retry_last_ms: int = 2_000
    lookup_first_ms: int = 200
    lookup_last_ms: int = 6_400
    misses_to_resend: int = 2
    misses_to_give_up: int = 6

"""When a process that died is started again: soon at first, then ever later, and soon again once it ran well."""

from dataclasses import dataclass

from services.runtime.process import EXIT_RESTART_ME

FIRST_DELAY_MS = 200
MAX_DELAY_MS = 10_000
RAN_WELL_AFTER_MS = 30_000


@dataclass(frozen=True, slots=True)
class Restarts:
    """How often one process has died: in all, and in a row without having run well in between."""

    total: int = 0
    in_a_row: int = 0

    @property
    def delay_ms(self) -> int:
        """Give the wait before the next start: doubled with each death in a row, bounded."""
        doublings = min(max(self.in_a_row - 1, 0), MAX_DELAY_MS.bit_length())
        return min(FIRST_DELAY_MS << doublings, MAX_DELAY_MS)


def after_death(restarts: Restarts, ran_ms: int) -> Restarts:
    """Count one death; a process that had run well begins a new row."""
    in_a_row = 1 if ran_ms >= RAN_WELL_AFTER_MS else restarts.in_a_row + 1
    return Restarts(total=restarts.total + 1, in_a_row=in_a_row)


def cause_of(exit_code: int) -> str:
    """Say in words how a process ended; negative codes are signals, as subprocess gives them."""
    if exit_code < 0:
        return f"signal {-exit_code}"
    if exit_code == EXIT_RESTART_ME:
        return "asked to be restarted"
    return f"exit code {exit_code}"

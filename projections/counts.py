"""How often something happened lately: a sliding window of at most 61 slots, however fast it happens."""

from datetime import UTC, datetime, timedelta

from contracts.base import Value

SLOTS = 60
"""A window has so many slots; one that is partly inside counts whole, so a count may be high for a moment."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


class Counts(Value, frozen=True, kw_only=True):
    """Pairs of (start of a slot in milliseconds since the epoch, how often in it), oldest first, and their sum."""

    total: int = 0
    slots: tuple[tuple[int, int], ...] = ()


NONE_COUNTED = Counts()


def _slot_ms(window_ms: int) -> int:
    return max(-(-window_ms // SLOTS), 1)


def _kept(counts: Counts, now_ms: int, window_ms: int) -> tuple[tuple[int, int], ...]:
    """Give the slots that reach into the window, the newest ones only should windows have had other widths before."""
    edge_ms = now_ms - window_ms - _slot_ms(window_ms)
    return tuple(slot for slot in counts.slots[-SLOTS:] if slot[0] > edge_ms)


def with_one(counts: Counts, at: datetime, window_ms: int) -> Counts:
    """Count one more at a moment, and forget what the window has left behind."""
    now_ms = (at - _EPOCH) // _MS
    kept = _kept(counts, now_ms, window_ms)
    start_ms = now_ms - now_ms % _slot_ms(window_ms)
    if kept and kept[-1][0] >= start_ms:  # a clock that ran back counts where it had been
        slots = (*kept[:-1], (kept[-1][0], kept[-1][1] + 1))
    else:
        slots = (*kept, (start_ms, 1))
    return Counts(total=sum(count for _, count in slots), slots=slots)


def newest_ms(counts: Counts) -> int:
    """Give where the newest slot begins, in milliseconds since the epoch; zero when nothing was counted."""
    return counts.slots[-1][0] if counts.slots else 0

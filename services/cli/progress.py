"""A bar for whatever takes longer than a second, on the terminal's error side so that output stays clean."""

import time
from collections.abc import Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

SHOWN_AFTER_S = 1.0
LOOK_EVERY = 256


class Progress:
    """Hears how far the work is; shows nothing while it may still be quick, and nothing to programs."""

    def __init__(self, what: str, total: int, console: Console) -> None:
        """Note the beginning."""
        self._what = what
        self._total = total
        self._console = console
        self._begun_s = time.monotonic()
        self._bars: Bars | None = None
        self._heard = 0

    def at(self, done: int) -> None:
        """Hear that so many of the total are done."""
        if done - self._heard < LOOK_EVERY:
            return
        self._heard = done
        if self._bars is None and self._console.is_terminal and time.monotonic() - self._begun_s > SHOWN_AFTER_S:
            columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
            self._bars = Bars(*columns, console=self._console, transient=True)
            self._bars.add_task(self._what, total=self._total)
            self._bars.start()
        if self._bars is not None:
            self._bars.update(self._bars.task_ids[0], completed=done)

    def end(self) -> None:
        """Take the bar away."""
        if self._bars is not None:
            self._bars.stop()


@contextmanager
def progress(what: str, total: int, console: Console | None = None) -> Generator[Progress, None, None]:
    """Show a bar while this lasts, if it lasts."""
    shown = Progress(what, total, console or Console(stderr=True))
    try:
        yield shown
    finally:
        shown.end()

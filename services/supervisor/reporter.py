"""Tells whoever called `up` how it went: on the terminal, and through a pipe when running in the background."""

import os

from services.supervisor.console import Screen

READY = "ready"
FAILED = "failed"


class Reporter:
    """The one answer to `up`."""

    def __init__(self, descriptor: int | None, console: Screen) -> None:
        """Answer through this pipe, if there is one."""
        self._descriptor = descriptor
        self._console = console

    def ready(self, line: str) -> None:
        """Say that everything is up."""
        self._console.plain(line)
        self._answer(READY, line)

    def failed(self, reason: str) -> None:
        """Say why it is not, or no longer, up."""
        self._console.plain(f"lockgate failed: {reason}")
        self._answer(FAILED, reason)

    def _answer(self, word: str, text: str) -> None:
        if self._descriptor is None:
            return
        with os.fdopen(self._descriptor, "w") as pipe:
            pipe.write(f"{word} {text}")
        self._descriptor = None

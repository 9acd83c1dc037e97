"""The kill file as risk sees it: while it is there and the journal does not say so yet, no intent is answered.

The OMS puts the file on record; from then on the decisions speak for themselves. Until then the OMS shuts its own
gate, so answers would only be approvals that come to nothing.
"""

import asyncio
from pathlib import Path

from projections.standing import is_wider
from services.risk.core import RiskCore
from services.runtime.kill_file import POLL_EVERY_MS, KillFile


class FileHalt:
    """Watches the kill file of a home."""

    def __init__(self, home: Path, core: RiskCore) -> None:
        """Look at the file for the first time."""
        self._file = KillFile(home)
        self._core = core
        self._word = self._file.read()

    @property
    def is_there(self) -> bool:
        """Say whether the file, or its word, was there when last looked at."""
        return self._word is not None

    async def watch(self) -> None:
        """Look at the file for ever."""
        while True:
            self._word = self._file.read()
            await asyncio.sleep(POLL_EVERY_MS / 1000)

    async def is_on_record(self) -> None:
        """Wait while the file says more than the journal does."""
        while self._lacks_record():  # noqa: ASYNC110 - a file tells nobody when it changes
            await asyncio.sleep(POLL_EVERY_MS / 1000)

    def _lacks_record(self) -> bool:
        word, kill = self._word, self._core.state.kill
        return word is not None and (kill is None or is_wider(word.mode, kill.mode))

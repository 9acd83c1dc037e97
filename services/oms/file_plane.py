"""The kill file as the OMS sees it: it shuts the gate by itself, and is put on record once there is a journal."""

import asyncio

from contracts import subjects
from contracts.controls import KillEngaged
from services.oms.kill import KillSwitch
from services.runtime.kill_file import BY, POLL_EVERY_MS, FileWord, KillFile
from services.runtime.ports import Clock, Journal

_READ_BACK_S_MAX = 2.0


class FilePlane:
    """Looks at the kill file of a home, for the switch and for the journal."""

    def __init__(self, file: KillFile, kill: KillSwitch, journal: Journal, clock: Clock) -> None:
        """Stand between the file, the switch and the journal."""
        self._file = file
        self._kill = kill
        self._journal = journal
        self._clock = clock

    def look(self) -> FileWord | None:
        """Take what the file says now; give what the journal does not say yet."""
        word = self._file.read()
        self._kill.see_file(word)
        lacking = self._kill.lacks_record()
        if lacking is not None:
            self._file.keep(lacking)
        elif word is not None:
            self._file.is_on_record()
        return lacking

    async def watch(self) -> None:
        """Look for ever, and put on record what is not."""
        while True:
            lacking = self.look()
            if lacking is not None:
                await self._put_on_record(lacking)
            await asyncio.sleep(POLL_EVERY_MS / 1000)

    async def _put_on_record(self, word: FileWord) -> None:
        """State the file's word as its own kill, and wait until it is read back, so that it is stated once."""
        event = KillEngaged(epoch=0, at=self._clock.now(), mode=word.mode, by=BY, reason=word.reason)
        await self._journal.append(subjects.control(self._journal.account), event)
        for _ in range(0, int(_READ_BACK_S_MAX * 1000), POLL_EVERY_MS):
            if self._kill.lacks_record() is None:
                return
            await asyncio.sleep(POLL_EVERY_MS / 1000)

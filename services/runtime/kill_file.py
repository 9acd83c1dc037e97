"""The kill file in the home folder: it halts the account while it is there, whether NATS is or not.

`<home>/KILL` may be empty, which means `cancel_all`; otherwise its first word may be a mode, and the rest is the
reason. What cannot be read or understood halts too: the file is there, so somebody wants a halt. Once seen, its word
is kept in `<home>/run/KILL.seen` until the journal has it, so that a file which comes and goes while NATS is down
still counts.
"""

import contextlib
import os
from pathlib import Path

import msgspec

from contracts.enums import KillMode

KILL_FILE = "KILL"
SEEN_FILE = "KILL.seen"
POLL_EVERY_MS = 100
BY = "kill file"
_DEFAULT_MODE = KillMode.CANCEL_ALL
_BYTES_MAX = 2_000


class FileWord(msgspec.Struct, frozen=True):
    """What a kill file says."""

    mode: KillMode
    reason: str


class KillFile:
    """One home's kill file."""

    def __init__(self, home: Path) -> None:
        """Name it; nothing is read yet."""
        self.path = home / KILL_FILE
        self._seen = home / "run" / SEEN_FILE

    def is_there(self) -> bool:
        """Say whether the file itself is there now."""
        return self.path.exists()

    def read(self) -> FileWord | None:
        """Give what the file says, or what it said before the journal had its word; None when neither is there."""
        return _word_in(self.path) or _word_in(self._seen)

    def keep(self, word: FileWord) -> None:
        """Keep a word that the journal does not have yet; a folder that cannot be written to keeps nothing."""
        if _word_in(self._seen) != word:
            with contextlib.suppress(OSError):
                self._seen.write_text(text_of(word.mode, word.reason))

    def is_on_record(self) -> None:
        """Hear that the journal has the word: it need not be kept any more."""
        with contextlib.suppress(OSError):
            self._seen.unlink(missing_ok=True)

    def write(self, mode: KillMode, reason: str) -> None:
        """Make the file in one step."""
        draft = self.path.with_suffix(f".{os.getpid()}")
        draft.write_text(text_of(mode, reason))
        draft.rename(self.path)


def text_of(mode: KillMode, reason: str) -> str:
    """Write what a kill file says."""
    return f"{mode} {reason}\n"


def _word_in(path: Path) -> FileWord | None:
    try:
        with path.open("rb") as file:
            text = file.read(_BYTES_MAX).decode(errors="replace").strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        return FileWord(_DEFAULT_MODE, f"the kill file cannot be read ({error.strerror})")
    first, _, rest = text.partition(" ")
    if first in set(KillMode):
        return FileWord(KillMode(first), rest.strip() or "no reason given")
    return FileWord(_DEFAULT_MODE, text or "no reason given")

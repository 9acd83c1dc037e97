"""What commands print, and the options that they share."""

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import msgspec
from cyclopts import Parameter
from rich.console import Console

from projections.state_codec import to_plain
from services.cli.outcome import OutputClosedError
from services.runtime.settings import home_from

Home = Annotated[
    Path | None,
    Parameter(name="--home", help="The instance's folder; LOCKGATE_HOME or ~/.lockgate when left out."),
]
AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON for programs.")]


def chosen_home(home: Path | None) -> Path:
    """Give the instance's folder: the option, else the environment's, else the default."""
    return home_from(str(home) if home is not None else None, os.environ)


def as_it_is(member: str) -> str:
    """Let the members of our enums be typed as the wire spells them, with underscores."""
    return member.lower()


class Terminal(Console):
    """A terminal whose user may stop reading (`| head`); a broken link to NATS must never be taken for that."""

    def tell(self, text: str, style: str = "") -> None:
        """Print text that others wrote, such as an agent's reasons: what would steer the terminal is spelled out."""
        self.print(spelled_out(text), style=style)

    def on_broken_pipe(self) -> NoReturn:
        """Say that nobody reads any more."""
        raise OutputClosedError


def console() -> Terminal:
    """Give a terminal that colours only for people, and never breaks or marks up what we print."""
    return Terminal(soft_wrap=True, highlight=False, markup=False, emoji=False)


def spelled_out(text: str) -> str:
    """Spell out every character that is not printable, escapes above all; line breaks and tabs stay."""
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


def say(text: str) -> None:
    """Print one piece of plain text."""
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise OutputClosedError from None


def say_json(content: object, *, indent: int = 2) -> None:
    """Print JSON; with `indent=0` on one line."""
    text = msgspec.json.encode(content, enc_hook=to_plain)
    say((msgspec.json.format(text, indent=indent) if indent else text).decode())

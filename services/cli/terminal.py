"""What commands print, and the options that they share."""

import os
import sys
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter
from rich.console import Console

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


def console() -> Console:
    """Give a terminal that colours only for people, and never breaks or marks up what we print."""
    return Console(soft_wrap=True, highlight=False, markup=False, emoji=False)


def say(text: str) -> None:
    """Print one piece of plain text."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def say_json(content: object, *, indent: int = 2) -> None:
    """Print JSON; with `indent=0` on one line."""
    text = msgspec.json.encode(content)
    say((msgspec.json.format(text, indent=indent) if indent else text).decode())

"""One pure step per retired version, old to next; the codec applies steps until the version is current."""

from collections.abc import Callable, Mapping
from typing import Any

type Step = Callable[[Any], Any]

STEPS: Mapping[type, Step] = {}


def upcast(message: Any, steps: Mapping[type, Step] = STEPS) -> Any:
    """Bring a decoded message to its current version; a current one comes back as it is."""
    while (step := steps.get(type(message))) is not None:
        message = step(message)
    return message

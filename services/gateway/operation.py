"""What each route declares of itself: the scope that guards it and the shapes that document it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from contracts.reasons import RefusalCode
from services.gateway.api_keys import Scope

OPERATION = "operation"
"""The handler option under which a route keeps its `Operation`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter in the path or the query."""

    name: str
    where: str
    schema: Mapping[str, Any]
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One route: `scope` None lets anybody in; `answers` and `refusals` are every answer it can give."""

    name: str
    summary: str
    scope: Scope | None
    answers: Mapping[int, tuple[type, str]]
    also: Mapping[int, type] = field(default_factory=dict[int, type])
    """A second shape that an answer with the same status may have."""
    refusals: tuple[RefusalCode, ...] = ()
    body: type | None = None
    body_required: bool = True
    parameters: tuple[Parameter, ...] = field(default=())

    def as_option(self) -> dict[str, Any]:
        """Give the handler option that carries this."""
        return {OPERATION: self}

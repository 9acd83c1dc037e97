"""Mandates that a what-if tries: `[mandates.AGENT]` in the form of `mandate grant --file`, or `revoked = true`."""

from collections.abc import Mapping
from typing import Any

from contracts.ids import AgentId
from contracts.mandates import Mandate
from services.runtime.mandate_form import MandateError, MandateForm, agent_named, read_form, supposed_mandate

_REVOKED = "revoked"
_TERMS = (_REVOKED, *MandateForm.__struct_fields__)


def mandates_in(tables: Any) -> dict[AgentId, Mandate | None]:
    """Read the mandate of each agent, none where it is revoked; raise `MandateError` on what makes no mandate."""
    if not isinstance(tables, dict):
        raise MandateError("mandates is no table: write [mandates.AGENT]")
    given: dict[str, Any] = tables
    return {agent_named(name): _mandate(f"[mandates.{name}]", terms) for name, terms in given.items()}


def _mandate(name: str, given: Any) -> Mandate | None:
    if not isinstance(given, dict):
        raise MandateError(f"{name} is no table of terms: there are {', '.join(_TERMS)}")
    terms: Mapping[str, Any] = given
    unknown = sorted(terms.keys() - {*_TERMS})
    if unknown:
        raise MandateError(f"{name} {', '.join(unknown)}: no such term; there are {', '.join(_TERMS)}")
    if _REVOKED in terms:
        return _revoked(name, terms)
    try:
        return supposed_mandate(read_form(terms))
    except MandateError as error:
        raise MandateError(f"{name} {error}") from error


def _revoked(name: str, terms: Mapping[str, Any]) -> None:
    if terms[_REVOKED] is not True or len(terms) > 1:
        raise MandateError(f"{name} revoked: it takes true and stands alone; leave it out to grant what else is said")

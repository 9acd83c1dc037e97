"""The OpenAPI 3.1 document, made once from what the routes declare; a route that declares nothing is an error."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler

from contracts.reasons import RefusalCode
from services.gateway.operation import OPERATION, Operation, Parameter
from services.gateway.refusals import STATUS, RefusalAnswer

PATH = "/openapi.json"
_REF = "#/components/schemas/{name}"
_JSON = "application/json"
_TYPED = re.compile(r"\{(\w+):\w+\}")
_GUARDED = (RefusalCode.UNAUTHENTICATED, RefusalCode.FORBIDDEN, RefusalCode.UNAVAILABLE)
_DESCRIPTION = """\
State intents, see what risk decided, follow orders, pull the kill switch.

Money and quantities are decimal strings, because a JSON number is a binary float to most readers; requests may
carry either, and numbers are read from their text. Only the camelCase names under `headroom` are JSON numbers.
A denial by risk is an answer (200, `rejected`), not an error; errors are refusals, all of one form."""

_SELF = Operation(
    name="getOpenApi",
    summary="This document.",
    scope=None,
    answers={200: (dict, "The OpenAPI document.")},
)


def document_route(handlers: Sequence[HTTPRouteHandler], version: str) -> HTTPRouteHandler:
    """Make the route that serves the document of all routes, itself included."""

    @get(PATH, opt=_SELF.as_option(), sync_to_thread=False, media_type=_JSON)
    def show_document() -> bytes:
        return encoded

    encoded = msgspec.json.encode(document([*handlers, show_document], version))
    return show_document


def document(handlers: Sequence[HTTPRouteHandler], version: str) -> dict[str, Any]:
    """Describe routes by their operations."""
    operations: list[Operation] = [handler.opt[OPERATION] for handler in handlers]
    paths: dict[str, dict[str, Any]] = {}
    for handler, operation in zip(handlers, operations, strict=True):
        method = next(iter(handler.http_methods)).lower()
        for path in handler.paths:
            paths.setdefault(_TYPED.sub(r"{\1}", path), {})[method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Lockgate", "version": version, "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": _schemas(operations),
            "securitySchemes": {
                "apiKey": {"type": "http", "scheme": "bearer", "description": "`<key_id>.<secret>`"},
            },
        },
        "security": [{"apiKey": []}],
    }


def _schemas(operations: Iterable[Operation]) -> dict[str, Any]:
    """Describe every shape; decimals are strings in answers, and strings or numbers in request bodies."""
    bodies: dict[type, None] = {}
    answers: dict[type, None] = {RefusalAnswer: None}
    for operation in operations:
        if operation.body is not None:
            bodies[operation.body] = None
        answers.update((shape, None) for shape, _ in operation.answers.values() if issubclass(shape, msgspec.Struct))
        answers.update((shape, None) for shape in operation.also.values())
    _, asked = msgspec.json.schema_components(list(bodies), ref_template=_REF)
    _, answered = msgspec.json.schema_components(list(answers), ref_template=_REF)
    return {**_taking_numbers(asked), **answered}


def _taking_numbers(node: Any) -> Any:
    """Say of every decimal in a request's schema that it may be a JSON number too."""
    match node:
        case {"type": "string", "format": "decimal"}:
            return {**node, "type": ["string", "number"]}
        case dict():
            return {key: _taking_numbers(item) for key, item in node.items()}
        case list():
            return [_taking_numbers(item) for item in node]
        case _:
            return node


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "responses": {**_answers(operation), **_refusals(operation)},
    }
    if operation.scope is None:
        described["security"] = []
    else:
        described["description"] = f"Needs a key with scope `{operation.scope}`."
    if operation.parameters:
        described["parameters"] = [_parameter(parameter) for parameter in operation.parameters]
    if operation.body is not None:
        described["requestBody"] = {"required": operation.body_required, "content": _content(operation.body)}
    return described


def _answers(operation: Operation) -> dict[str, Any]:
    return {
        str(status): {"description": told, "content": _content(shape, operation.also.get(status))}
        for status, (shape, told) in operation.answers.items()
    }


def _refusals(operation: Operation) -> dict[str, Any]:
    """Describe refusals by status; several codes may share one."""
    codes = (*operation.refusals, *(_GUARDED if operation.scope is not None else ()))
    by_status: dict[str, list[str]] = {}
    for code in codes:
        by_status.setdefault(str(int(STATUS[code])), []).append(f"`{code}`")
    return {
        status: {"description": f"Refused: {' or '.join(told)}.", "content": _content(RefusalAnswer)}
        for status, told in by_status.items()
    }


def _content(shape: type, also: type | None = None) -> Mapping[str, Any]:
    schema = _schema(shape)
    return {_JSON: {"schema": schema if also is None else {"anyOf": [schema, _schema(also)]}}}


def _schema(shape: type) -> Mapping[str, Any]:
    is_named = issubclass(shape, msgspec.Struct)
    return {"$ref": _REF.format(name=shape.__name__)} if is_named else {"type": "object"}


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.where,
        "required": parameter.where == "path",
        "description": parameter.description,
        "schema": dict(parameter.schema),
    }

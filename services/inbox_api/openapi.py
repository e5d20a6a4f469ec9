"""The OpenAPI 3.1 document, made from the table of routes."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import msgspec
import orjson

from services.inbox_api.parameters import MEANINGS
from services.inbox_api.routes import OPEN, PREFIX, SIGNED_IN, Address, OpenAddress

_PROBLEM = {"description": "RFC 9457 problem details", "content": {"application/problem+json": {}}}


@cache
def document() -> bytes:
    """Return the document as JSON."""
    paths: dict[str, dict[str, Any]] = {}
    addresses: list[Address | OpenAddress] = [*OPEN, *SIGNED_IN]
    for address in addresses:
        paths.setdefault(PREFIX + address.path, {})[address.method.lower()] = _operation(address)
    bodies = [address.body for address in addresses if address.body]
    bodies += [address.answers for address in SIGNED_IN if address.answers]
    _, schemas = msgspec.json.schema_components(bodies, ref_template="#/components/schemas/{name}")
    security = {"token": {"type": "http", "scheme": "bearer"}, "cookie": _COOKIE}
    return orjson.dumps(
        {
            "openapi": "3.1.0",
            "info": {"title": "Okno", "version": "1"},
            "paths": paths,
            "components": {"schemas": schemas, "securitySchemes": security},
            "security": [{"token": []}, {"cookie": []}],
        }
    )


_COOKIE = {"type": "apiKey", "in": "cookie", "name": "okno_session"}


def _operation(address: Address | OpenAddress) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": address.summary,
        "operationId": re.sub(r"\W+", "_", f"{address.method.lower()}{address.path}").strip("_"),
        "parameters": [_parameter(name, "path") for name in re.findall(r"{(\w+)}", address.path)],
        "responses": {str(address.status): {"description": "done"}, "default": _PROBLEM},
    }
    if isinstance(address, OpenAddress):
        operation["security"] = []
    else:
        if address.answers:
            content = {"application/json": {"schema": _reference(address.answers)}}
            operation["responses"][str(address.status)]["content"] = content
        operation["parameters"] += [_parameter(name, "query") for name in address.query]
    if address.body:
        operation["requestBody"] = {"content": {"application/json": {"schema": _reference(address.body)}}}
    return operation


def _reference(shape: type) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{shape.__name__}"}


def _parameter(name: str, place: str) -> dict[str, Any]:
    meaning = MEANINGS.get(name, {}) if place == "query" else {}
    return {"name": name, "in": place, "required": place == "path", "schema": {"type": "string"}, **meaning}

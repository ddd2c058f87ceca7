"""`/openapi.json`: the declarations of the routes as an OpenAPI 3.1 document.

The schemas are in `web/openapi_schemas.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from http import HTTPStatus

from flask import Flask
from werkzeug.routing import Rule

from common.contract import answers
from web.openapi_schemas import REF, Json, Schemas, not_null
from web.openapi_texts import ABOUT, HEADERS, PATH_FIELDS, STATUSES, TAGS
from web.operation import JSON, Body, Operation, declared

_MULTIPART = "multipart/form-data"


def calls(app: Flask) -> Iterator[tuple[str, str, str, Operation]]:
    """Yield path, method, name and declaration of every call that the application serves."""
    for rule in app.url_map.iter_rules():
        found = declared(app.view_functions[rule.endpoint])
        if found is not None:
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield path_of(rule), method.lower(), rule.endpoint.replace(".", "_"), found


def document(app: Flask) -> Json:
    """Return the document, as JSON carries it."""
    found = list(calls(app))
    schemas = Schemas([declaration for *_, declaration in found])
    paths: dict[str, Json] = {}
    for path, method, name, declaration in found:
        paths.setdefault(path, {})[method] = _operation(path, name, declaration, schemas)
    return {
        "openapi": "3.1.0",
        "info": ABOUT,
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "responses": {
                "Error": {
                    "description": "What was wrong, in the one shape that all errors have.",
                    "content": {JSON: {"schema": schemas.ref(answers.Error)}},
                }
            },
        },
    }


def _operation(path: str, name: str, declaration: Operation, schemas: Schemas) -> Json:
    summary, _, text = declaration.words.partition("\n")
    found: Json = {
        "operationId": name,
        "tags": [declaration.tag],
        "summary": summary.rstrip("."),
        "description": " ".join(text.split()) or summary,
        "parameters": [
            *_path_parameters(path),
            *_query_parameters(schemas.of(declaration.query), schemas),
            *({"name": name, "in": "header", **HEADERS[name]} for name in declaration.headers),
        ],
    }
    if declaration.body is not None:
        found["requestBody"] = {"required": True, "content": _body(declaration.body, schemas)}
    responses = {status: _answer(status, declaration, schemas) for status in declaration.answers}
    for status in declaration.errors:
        responses.setdefault(status, {"$ref": "#/components/responses/Error"})
    found["responses"] = {str(status): responses[status] for status in sorted(responses)}
    return found


def _answer(status: int, declaration: Operation, schemas: Schemas) -> Json:
    answer = declaration.answers[status]
    found: Json = {"description": STATUSES.get(status, HTTPStatus(status).phrase)}
    if answer.headers:
        found["headers"] = {name: HEADERS[name] for name in answer.headers}
    if answer.media_types:
        schema = schemas.ref(answer.model) if answer.model else {}
        found["content"] = {kind: {"schema": schema} for kind in answer.media_types}
    return found


def path_of(rule: Rule) -> str:
    """Return a route as OpenAPI writes it."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)


def _path_parameters(path: str) -> list[Json]:
    names = re.findall(r"{(\w+)}", path)
    return [{"name": name, "in": "path", "required": True, **PATH_FIELDS[name]} for name in names]


def _query_parameters(schema: Json, schemas: Schemas) -> Iterator[Json]:
    """Yield a query model's fields; an object goes as JSON, a list as words between commas."""
    for name, field in schema.get("properties", {}).items():
        schema_of = not_null(field)
        found: Json = {"name": name, "in": "query", "required": name in schema.get("required", ())}
        if "description" in schema_of:
            found["description"] = schema_of.pop("description")
        kind = schemas.type_of(schema_of)
        if kind == "object":
            yield {**found, "content": {JSON: {"schema": schema_of}}}
        elif kind == "array":
            yield {**found, "style": "form", "explode": False, "schema": schema_of}
        else:
            yield {**found, "schema": schema_of}


def _body(body: Body, schemas: Schemas) -> Json:
    content: Json = {}
    if body.form is not None:
        fields = {n: not_null(f) for n, f in schemas.of(body.form)["properties"].items()}
        structured = [n for n, f in fields.items() if schemas.type_of(f) in ("object", "array")]
        content[_MULTIPART] = {
            "schema": {"$ref": REF.format(model=body.form_name)},
            "encoding": {name: {"contentType": JSON} for name in structured},
        }
    content[JSON] = {"schema": schemas.ref(body.json)}
    return content

"""`/openapi.json`: the declarations of the routes as an OpenAPI 3.1 document.

Every schema comes from the pydantic model that checks a request, or that describes an answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from flask import Flask
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from werkzeug.routing import Rule

from web import answers
from web.contract import JSON, Body, Choice, Operation, declared
from web.words import ABOUT, FIELDS, HEADERS, PATH_FIELDS, STATUSES, TAGS

Json = dict[str, Any]
_REF = "#/components/schemas/{model}"
_NULL = {"type": "null"}
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
    schemas = _Schemas([declaration for *_, declaration in found])
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


class _Schemas:
    """The JSON schemas of all models that the calls name."""

    def __init__(self, operations: list[Operation]) -> None:
        every: dict[type[BaseModel], None] = {answers.Error: None}
        for one in operations:
            bodies = (one.body.json, one.body.form) if one.body else ()
            models = (one.query, *bodies, *(answer.model for answer in one.answers.values()))
            every.update((model, None) for model in models if model is not None)
        # Answers are described as they are read, so that a field with a default may be absent.
        keys = [(model, "validation") for model in every]
        self._refs, found = models_json_schema(keys, ref_template=_REF)  # type: ignore[arg-type]
        self._all: dict[str, Json] = {n: _tidy(s) for n, s in found.get("$defs", {}).items()}
        for schema in self._all.values():
            for name, field in schema.get("properties", {}).items():
                if name in FIELDS:
                    field.setdefault("description", FIELDS[name])
        queries = {self._name(one.query) for one in operations}
        forms = {self._name(one.body.form) for one in operations if one.body and one.body.form}
        json_bodies = {self._name(one.body.json) for one in operations if one.body}
        self.components = {
            n: s for n, s in self._all.items() if n not in (queries | forms) - json_bodies
        }

    def ref(self, model: type[BaseModel]) -> Json:
        """Return a reference to a model's schema."""
        return {"$ref": _REF.format(model=self._name(model))}

    def of(self, model: type[BaseModel]) -> Json:
        """Return a model's schema itself."""
        return self._all[self._name(model)]

    def _name(self, model: type[BaseModel]) -> str:
        return str(self._refs[(model, "validation")]["$ref"]).rsplit("/", 1)[-1]


def _operation(path: str, name: str, declaration: Operation, schemas: _Schemas) -> Json:
    summary, _, text = declaration.words.partition("\n")
    found: Json = {
        "operationId": name,
        "tags": [declaration.tag],
        "summary": summary.rstrip("."),
        "description": " ".join(text.split()) or summary,
        "parameters": [
            *_path_parameters(path),
            *_query_parameters(schemas.of(declaration.query)),
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


def _answer(status: int, declaration: Operation, schemas: _Schemas) -> Json:
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


def _query_parameters(schema: Json) -> Iterator[Json]:
    """Yield a query model's fields; an object goes as JSON, a list as words between commas."""
    for name, field in schema.get("properties", {}).items():
        schema_of = _not_null(field)
        found: Json = {"name": name, "in": "query", "required": name in schema.get("required", ())}
        if "description" in schema_of:
            found["description"] = schema_of.pop("description")
        if schema_of.get("type") == "object":
            yield {**found, "content": {JSON: {"schema": schema_of}}}
        elif schema_of.get("type") == "array":
            yield {**found, "style": "form", "explode": False, "schema": schema_of}
        else:
            yield {**found, "schema": schema_of}


def _body(body: Body, schemas: _Schemas) -> Json:
    content: Json = {}
    if body.form is not None:
        form = schemas.of(body.form)
        fields = {name: _not_null(field) for name, field in form["properties"].items()}
        structured = [n for n, field in fields.items() if field.get("type") in ("object", "array")]
        content[_MULTIPART] = {
            "schema": {
                **form,
                "title": f"{form['title']}Form",
                "properties": {**dict(_files(body)), **fields},
                **({"required": list(body.files)} if body.needs_file else {}),
                **_one_of(body.choices, absent=False),
            },
            "encoding": {name: {"contentType": JSON} for name in structured},
        }
    choice = _one_of(
        [c.fields_only(body.files) for c in body.choices if c.name not in body.files], absent=_NULL
    )
    ref = schemas.ref(body.json)
    content[JSON] = {"schema": {"allOf": [ref, choice]} if choice else ref}
    return content


def _files(body: Body) -> Iterator[tuple[str, Json]]:
    """Yield the fields of a form that hold files."""
    one = {"type": "string", "format": "binary"}
    for name, most in body.files.items():
        many = {"type": "array", "items": one, "minItems": 1}
        bounded = many if most is None else {**many, "maxItems": most}
        yield name, {**bounded, "description": FIELDS[name]}


def _one_of(choices: Sequence[Choice], absent: Json | bool) -> Json:
    """Return the schema that takes exactly one of the choices; a field not to be is `absent`."""
    if not choices:
        return {}
    return {
        "oneOf": [
            {
                "title": choice.name,
                "required": [choice.name],
                "properties": {
                    **dict.fromkeys(choice.without, absent),
                    **{name: {"const": False} for name in choice.off},
                    choice.name: choice.schema,
                },
            }
            for choice in choices
        ]
    }


def _not_null(field: Mapping[str, Any]) -> Json:
    """Return the schema of a field where null cannot be said: in a query string, in a form."""
    rest = {key: value for key, value in field.items() if key not in ("anyOf", "default")}
    if field.get("default") is not None:
        rest["default"] = field["default"]
    choices = [choice for choice in field.get("anyOf", ()) if choice.get("type") != "null"]
    if len(choices) == 1:
        return {**choices[0], **rest}
    return {**rest, "anyOf": choices} if choices else rest


def _tidy(schema: Any) -> Any:
    """Return a schema without pydantic's titles of fields, and its maps as strict as they are."""
    if isinstance(schema, list):
        return [_tidy(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _tidy(value) for key, value in schema.items()}
    if isinstance(found.get("title"), str) and "properties" not in found:
        del found["title"]
    if "patternProperties" in found:
        found.setdefault("additionalProperties", False)
        if "maxLength" in found:
            found["maxProperties"] = found.pop("maxLength")
    return found

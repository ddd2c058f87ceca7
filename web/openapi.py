"""`/openapi.json`: the declarations of the routes as an OpenAPI 3.1 document.

Every schema comes from the model that checks a request or that is an answer
(`common/contract/`), and has its name. The document keeps to what generators of clients take:
no `true` or `false` as a schema, no alternatives in the place of an object.
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

from common.contract import answers
from web.openapi_texts import ABOUT, HEADERS, PATH_FIELDS, STATUSES, TAGS
from web.operation import JSON, Body, Choice, Operation, declared

Json = dict[str, Any]
_REF = "#/components/schemas/{model}"
_NULL: Json = {"type": "null"}
_NOTHING: Json = {"type": "string", "minLength": 1, "maxLength": 0}
"""What no value fits. `false` says the same, but generators take no such schema; `{"not": {}}` too,
but schemathesis 4.32 fails at it where a form holds files."""
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
    """The JSON schemas of all models that the calls name, and of their forms."""

    def __init__(self, operations: list[Operation]) -> None:
        every: dict[type[BaseModel], None] = {answers.Error: None}
        for one in operations:
            both = (one.body.json, one.body.form) if one.body else ()
            models = (one.query, *both, *(answer.model for answer in one.answers.values()))
            every.update((model, None) for model in models if model is not None)
        # Answers are described as they are read, so that a field with a default may be absent.
        keys = [(model, "validation") for model in every]
        self._refs, found = models_json_schema(keys, ref_template=_REF)  # type: ignore[arg-type]
        self._all: dict[str, Json] = {n: _tidy(s) for n, s in found.get("$defs", {}).items()}
        bodies = [one.body for one in operations if one.body]
        queries = {self._name(one.query) for one in operations}
        forms = {self._name(body.form) for body in bodies if body.form}
        shown = {self._name(body.json) for body in bodies}
        self.components = {n: s for n, s in self._all.items() if n not in (queries | forms) - shown}
        for body in bodies:
            self._add_body(body)
        self.components = dict(sorted(self.components.items()))

    def _add_body(self, body: Body) -> None:
        """Add what a body must say beyond its fields, and the schema of its form."""
        name = self._name(body.json)
        self.components[name] = {**self.components[name], **_json_choices(body)}
        if body.form is not None:
            self.components[body.form_name] = self._form(body, self._all[self._name(body.form)])

    def _form(self, body: Body, model: Json) -> Json:
        fields = {name: _not_null(field) for name, field in model["properties"].items()}
        return {
            **model,
            "title": body.form_name,
            "properties": {**dict(_files(body)), **fields},
            **({"required": list(body.files)} if body.needs_file else {}),
            **_one_of(body.choices, absent=_NOTHING),
        }

    def ref(self, model: type[BaseModel]) -> Json:
        """Return a reference to a model's schema."""
        return {"$ref": _REF.format(model=self._name(model))}

    def of(self, model: type[BaseModel]) -> Json:
        """Return a model's schema itself."""
        return self._all[self._name(model)]

    def type_of(self, field: Json) -> str:
        """Return the type of a field's values, wherever its schema stands."""
        name = str(field.get("$ref", "")).rsplit("/", 1)[-1]
        return str(self._all.get(name, field).get("type", ""))

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


def _query_parameters(schema: Json, schemas: _Schemas) -> Iterator[Json]:
    """Yield a query model's fields; an object goes as JSON, a list as words between commas."""
    for name, field in schema.get("properties", {}).items():
        schema_of = _not_null(field)
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


def _body(body: Body, schemas: _Schemas) -> Json:
    content: Json = {}
    if body.form is not None:
        fields = {n: _not_null(f) for n, f in schemas.of(body.form)["properties"].items()}
        structured = [n for n, f in fields.items() if schemas.type_of(f) in ("object", "array")]
        content[_MULTIPART] = {
            "schema": {"$ref": _REF.format(model=body.form_name)},
            "encoding": {name: {"contentType": JSON} for name in structured},
        }
    content[JSON] = {"schema": schemas.ref(body.json)}
    return content


def _files(body: Body) -> Iterator[tuple[str, Json]]:
    """Yield the fields of a form that hold files."""
    one = {"type": "string", "format": "binary"}
    for name, field in body.files.items():
        many = {"type": "array", "items": one, "minItems": 1}
        bounded = many if field.most is None else {**many, "maxItems": field.most}
        yield name, {**bounded, "description": field.description}


def _json_choices(body: Body) -> Json:
    """Return the choices without the fields that hold files, which JSON cannot."""
    choices = [c.fields_only(body.files) for c in body.choices if c.name not in body.files]
    return _one_of(choices, absent=_NULL)


def _one_of(choices: Sequence[Choice], absent: Json) -> Json:
    """Return what makes a schema take exactly one of the choices; a field not to be is `absent`.

    It stands in an `allOf`, beside the fields: a schema with a `oneOf` of its own would be read as
    several models.
    """
    if not choices:
        return {}
    return {
        "allOf": [
            {
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
    """Return a schema as clients read it.

    Titles of fields that repeat their names go. A map says what its keys are by `propertyNames`,
    which generators pass over, and not by `patternProperties`, by which they lose its values.
    """
    if isinstance(schema, list):
        return [_tidy(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _tidy(value) for key, value in schema.items()}
    for name, field in (found.get("properties") or {}).items():
        if isinstance(field, dict) and _same_word(field.get("title"), name):
            del field["title"]
    if "patternProperties" in found:
        ((pattern, values),) = found.pop("patternProperties").items()
        found["propertyNames"] = {"pattern": pattern}
        found["additionalProperties"] = values
        if "maxLength" in found:
            found["maxProperties"] = found.pop("maxLength")
    return found


def _same_word(title: object, name: str) -> bool:
    """Tell whether a title is the one that pydantic makes of a field's name."""
    return isinstance(title, str) and title.lower().replace(" ", "_") == name.lower()

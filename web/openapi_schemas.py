"""The schemas of `/openapi.json`: those of the models, and what a form and its choices add.

Every schema comes from the model that checks a request or that is an answer (`common/contract/`),
and has its name. They keep to what generators of clients take: no `true` or `false` as a schema,
no alternatives in the place of an object.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from common.contract import answers
from web.operation import Body, Choice, Operation

Json = dict[str, Any]
REF = "#/components/schemas/{model}"
_NULL: Json = {"type": "null"}
_NOTHING: Json = {"type": "string", "minLength": 1, "maxLength": 0}
"""What no value fits. `false` says the same, but generators take no such schema; `{"not": {}}` too,
but schemathesis 4.32 fails at it where a form holds files."""


class Schemas:
    """The JSON schemas of all models that the calls name, and of their forms."""

    def __init__(self, operations: list[Operation]) -> None:
        every: dict[type[BaseModel], None] = {answers.Error: None}
        for one in operations:
            both = (one.body.json, one.body.form) if one.body else ()
            models = (one.query, *both, *(answer.model for answer in one.answers.values()))
            every.update((model, None) for model in models if model is not None)
        # Answers are described as they are read, so that a field with a default may be absent.
        keys = [(model, "validation") for model in every]
        self._refs, found = models_json_schema(keys, ref_template=REF)  # type: ignore[arg-type]
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
        fields = {name: not_null(field) for name, field in model["properties"].items()}
        return {
            **model,
            "title": body.form_name,
            "properties": {**dict(_files(body)), **fields},
            **({"required": list(body.files)[:1]} if body.needs_file else {}),
            **_one_of(body.choices, absent=_NOTHING),
        }

    def ref(self, model: type[BaseModel]) -> Json:
        """Return a reference to a model's schema."""
        return {"$ref": REF.format(model=self._name(model))}

    def of(self, model: type[BaseModel]) -> Json:
        """Return a model's schema itself."""
        return self._all[self._name(model)]

    def type_of(self, field: Json) -> str:
        """Return the type of a field's values, wherever its schema stands."""
        name = str(field.get("$ref", "")).rsplit("/", 1)[-1]
        return str(self._all.get(name, field).get("type", ""))

    def _name(self, model: type[BaseModel]) -> str:
        return str(self._refs[(model, "validation")]["$ref"]).rsplit("/", 1)[-1]


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


def not_null(field: Mapping[str, Any]) -> Json:
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

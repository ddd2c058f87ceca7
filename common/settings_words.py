"""What is wrong with a setting, in the operator's words: the variable, its value, what is allowed.

Pydantic's own sentences speak of its types and patterns. What is allowed comes from the field, so
that a new setting needs no words here unless it has a pattern.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

_URL = "must begin with http:// or https://"
FORMS = {
    "qdrant_url": _URL,
    "qdrant_filters": "must be names of metadata by commas, each alone or with its kind: "
    "`shop,year:float`",
    "image_store": "must be s3://BUCKET or s3://BUCKET/PREFIX",
    "s3_endpoint": _URL,
    "s3_public_endpoint": _URL,
    "s3_region": "must be the name of a region: letters, digits and hyphens, a letter first",
    "source_buckets": "must be BUCKET or BUCKET/PREFIX, several by commas",
    "redis_url": "must begin with redis://, rediss:// or unix://",
    "device": "must be auto, cpu, cuda, or cuda:N with the number of a GPU",
    "tile_scales": "must be whole numbers by commas, as 1,2,4",
    "webhook_secret": "must be whsec_ and at least 24 bytes in base64; several by spaces",
    "traces_endpoint": _URL,
}
"""Of each setting that has a pattern: what it asks for."""

_PASSWORD = re.compile(r"(://)\S*@")
"""User and password of a URL, which no log is to hold."""


def explained(faults: Sequence[ErrorDetails], model: type[BaseModel], prefix: str) -> str:
    """Say every fault on a line of its own."""
    schema = model.model_json_schema()
    lines = []
    for fault in faults:
        name = str(fault["loc"][0])
        variable = prefix + name.upper()
        if fault["type"] == "extra_forbidden":
            lines.append(f"{variable} is not a setting; docs/SETTINGS.md lists them all")
            continue
        field = model.model_fields[name]
        value = shown(fault["input"], secret=not field.repr)
        lines.append(f"{variable}={value} {_wrong(name, fault, schema)} ({field.description})")
    return "Invalid settings:\n  " + "\n  ".join(lines)


def shown(value: object, *, secret: bool) -> str:
    """Return a wrong value as the log may hold it."""
    return "(not shown)" if secret else _PASSWORD.sub(r"\1***@", repr(value))


def allowed(name: str, schema: Mapping[str, Any]) -> str:
    """Return what a setting must be, by the JSON Schema of all of them."""
    field = schema["properties"][name]
    kinds = [kind for kind in field.get("anyOf", [field]) if kind.get("type") != "null"]
    kind = kinds[0]
    if "$ref" in kind:
        kind = schema["$defs"][kind["$ref"].rsplit("/", 1)[1]]
    if "enum" in kind:
        *others, last = [repr(value) for value in kind["enum"]]
        return f"must be {', '.join(others)} or {last}"
    if kind["type"] == "boolean":
        return "must be true or false"
    if kind["type"] in ("integer", "number"):
        return f"must be a {'whole ' if kind['type'] == 'integer' else ''}number{_bounds(kind)}"
    return FORMS.get(name, "must be text")


def _wrong(name: str, fault: ErrorDetails, schema: Mapping[str, Any]) -> str:
    if fault["type"] == "value_error":  # a check of ours: what it raised is a sentence's end
        return str(fault["ctx"]["error"])
    return allowed(name, schema)


def _bounds(kind: Mapping[str, Any]) -> str:
    least, most = kind.get("minimum"), kind.get("maximum")
    if least is not None and most is not None:
        return f" from {least:g} to {most:g}"
    if "exclusiveMinimum" in kind:
        return f" above {kind['exclusiveMinimum']:g}"
    return "" if least is None else f" of at least {least:g}"

"""Options with a form of their own: ids, names, numbers, boxes, metadata, filters."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any

import click

from needle.results import Box

_CONDITION = re.compile(r"^([A-Za-z0-9_-]+)\s*(>=|<=|>|<|=)\s*(.*)$", re.DOTALL)
_RANGES = {">=": "gte", "<=": "lte", ">": "gt", "<": "lt"}


_ID = re.compile(r"^[A-Za-z0-9_-]+$")
COLLECTION = re.compile(r"^[a-z0-9][a-z0-9_-]{0,62}$")


class Id(click.ParamType[str]):
    """The id of an image, or of a job, whose parts are joined by commas."""

    name = "id"

    def __init__(self, *, joined: bool = False) -> None:
        """With `joined`, several may be one word."""
        self._joined = joined

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the id."""
        parts = str(value).split(",") if self._joined else [str(value)]
        if not all(_ID.match(part) for part in parts):
            self.fail(f"{value!r} is no id.", param, ctx)
        return str(value)


class CollectionName(click.ParamType[str]):
    """The name of a collection."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name."""
        if not COLLECTION.match(str(value)):
            self.fail(
                f"{value!r} is no name of a collection: it has at most 63 small letters, digits, "
                "hyphens and underscores, and begins with a letter or a digit.",
                param,
                ctx,
            )
        return str(value)


class Real(click.FloatRange):
    """A number between bounds; `nan` is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no number.", param, ctx)
        return number


class BoxType(click.ParamType[Box]):
    """`x1,y1,x2,y2` in pixels."""

    name = "x1,y1,x2,y2"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Box:
        """Return the box."""
        if isinstance(value, tuple):
            x1, y1, x2, y2 = value
            return (x1, y1, x2, y2)
        try:
            x1, y1, x2, y2 = (int(corner) for corner in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not four whole numbers x1,y1,x2,y2.", param, ctx)
        if not (0 <= x1 < x2 and 0 <= y1 < y2):
            self.fail(f"{value!r} is no box: x1 < x2 and y1 < y2 must hold.", param, ctx)
        return (x1, y1, x2, y2)


def metadata(
    ctx: click.Context, param: click.Parameter, pairs: Sequence[str]
) -> dict[str, Any] | None:
    """Return `key=value` pairs as metadata, None when there is none: the callback of --metadata."""
    found = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise click.BadParameter(f"{pair!r} is not KEY=VALUE.", ctx, param)
        found[key.strip()] = tag_value(value)
    return found or None


NOTED = ("date", "camera", "place", "folder")


def noted(ctx: click.Context, param: click.Parameter, words: Sequence[str]) -> Sequence[str] | None:
    """Return what is to be noted of files, None for nothing: the callback of --note."""
    found = [part.strip() for word in words for part in word.split(",")]
    for part in found:
        if part not in NOTED:
            raise click.BadParameter(f"{part!r} is none of {', '.join(NOTED)}.", ctx, param)
    return found or None


def conditions(
    ctx: click.Context, param: click.Parameter, texts: Sequence[str]
) -> dict[str, Any] | None:
    """Return conditions as the service's filter: the callback of --filter.

    `shop=Basel`, `tag=red,blue` (any of), `year>=2020`, or JSON.
    """
    found: dict[str, Any] = {}
    for text in texts:
        parsed = _parsed(text)
        if parsed is None:
            raise click.BadParameter(
                f"{text!r} is not KEY=VALUE, KEY=A,B, KEY>=NUMBER or JSON.", ctx, param
            )
        for key, condition in parsed.items():
            both = isinstance(condition, dict) and isinstance(found.get(key), dict)
            found[key] = {**found[key], **condition} if both else condition
    return found or None


def _parsed(text: str) -> dict[str, Any] | None:
    if text.lstrip().startswith("{"):
        try:
            value = json.loads(text)
        except ValueError:
            return None
        return value if isinstance(value, dict) else None
    match = _CONDITION.match(text)
    if match is None:
        return None
    key, sign, value = match.groups()
    if sign in _RANGES:
        return {key: {_RANGES[sign]: scalar(value)}}
    several = value.split(",")
    return {key: [scalar(one) for one in several] if len(several) > 1 else scalar(value)}


def tag_value(text: str) -> Any:
    """Return the value of a tag: a scalar, or several texts where it is a JSON list of them."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    several = isinstance(value, list) and all(isinstance(one, str) for one in value)
    return value if several else scalar(text)


def scalar(text: str) -> Any:
    """Return a number, true or false where the text is one, else the text; `"7"` stays a text."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float | str) else text

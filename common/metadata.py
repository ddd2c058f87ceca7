"""Metadata of an image that is posted again: keys come together, and so do their values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST_VALUES = 64
"""What a list may hold (`MetadataValue`); values beyond are those that were there first."""


def merged(kept: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an image has, with what it is posted again with.

    A key that is new is added. Where another word is there, both stay, as a list: whoever filters
    by either finds the image. Any other value is replaced, since lists hold words alone.
    """
    found = dict(kept)
    for key, value in more.items():
        here, there = _words(found.get(key)), _words(value)
        if here and there:
            together = list(dict.fromkeys([*here, *there]))[:MOST_VALUES]
            found[key] = together if len(together) > 1 else found[key]
        else:
            found[key] = value
    return found


def edited(kept: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an image has with the changes made: values replaced, those that are null gone."""
    found = {**kept, **changes}
    return {key: value for key, value in found.items() if value is not None}


def _words(value: Any) -> list[str]:
    """Return the words of a value, none where it is of another kind."""
    if isinstance(value, str):
        return [value]
    return value if isinstance(value, list) else []

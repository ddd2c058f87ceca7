"""Deterministic ids of points: the same content always gets the same name."""

from __future__ import annotations

import uuid

from common.geometry import Box
from common.ids import NAMESPACE


def point_id(image: str, box: Box, source: str, encoder_id: str) -> str:
    """Return the id of a region's point: a UUID of its image, box, source and encoder."""
    return str(uuid.uuid5(NAMESPACE, f"{image}:{box.as_list()}:{source}:{encoder_id}"))


def words_id(image: str) -> str:
    """Return the id of the point of an image's visual words."""
    return str(uuid.uuid5(NAMESPACE, f"{image}:words"))

"""Deterministic ids of points: the same content always gets the same name.

The points of an image's regions are numbered: their ids are equal but for the last four digits,
which are a region's place in the image's list. So a point need not say whose it is, and its image's
first point tells of all.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from common.ids import NAMESPACE
from worker.vectors.base import Region

MOST_REGIONS = 0x10000
_DIGITS = 4


def point_ids(image_id: str, regions: Sequence[Region], encoder: str) -> list[str]:
    """Return the ids of the regions' points, in order.

    Other regions, or another encoder, make other ids: points of an image that is indexed anew never
    have the ids of its old points, of which one that crashed in between may have left some.
    """
    places = ";".join(f"{region.box.as_list()}{region.source.value}" for region in regions)
    name = str(uuid.uuid5(NAMESPACE, f"{image_id}:{encoder}:{places}"))
    return numbered(name, len(regions))


def numbered(name: str, count: int) -> list[str]:
    """Return the ids of `count` points, one of which has the id `name`."""
    if count > MOST_REGIONS:
        raise ValueError(f"An image has at most {MOST_REGIONS} regions, not {count}.")
    return [f"{name[:-_DIGITS]}{number:04x}" for number in range(count)]


def first_of(point_id: str) -> str:
    """Return the id of the first point of the same image."""
    return point_id[:-_DIGITS] + "0" * _DIGITS


def number_of(point_id: str) -> int:
    """Return which of its image's regions a point is."""
    return int(point_id[-_DIGITS:], 16)


def words_id(image: str) -> str:
    """Return the id of the point of an image's visual words."""
    return str(uuid.uuid5(NAMESPACE, f"{image}:words"))

"""Results as flat rows, for tables, CSV files and pandas. Imports pandas only when it is asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas  # type: ignore[import-not-found, import-untyped, unused-ignore]

    from needle.indexed import Image
    from needle.jobs import Item
    from needle.results import Match

Row = dict[str, Any]

CORNERS = ("x1", "y1", "x2", "y2")
MATCH_COLUMNS = (
    "rank",
    "image_id",
    "filename",
    "path",
    "score",
    "probability",
    "hit",
    "hit_score",
    *CORNERS,
    "source",
    "label",
    "confidence",
    "verified",
    "width",
    "height",
    "count",
    "paths",
)
IMAGE_COLUMNS = (
    "image_id",
    "filename",
    "path",
    "width",
    "height",
    "bytes",
    "regions",
    "indexed_at",
    "paths",
)
ITEM_COLUMNS = ("index", "name", "status", "image_id", "reason")


def match_rows(matches: Iterable[Match]) -> list[Row]:
    """Return a row for each hit: MATCH_COLUMNS, then `metadata.KEY` for each key of its image.

    `rank` and `hit` count from 1: the image's place, and the hit's place in the image; `score` is
    the image's; `paths` are all of its paths, where it has several.
    """
    return [
        {
            "rank": rank,
            "image_id": match.image_id,
            "filename": match.filename,
            "path": match.path,
            "score": match.score,
            "probability": match.probability,
            "hit": place,
            "hit_score": hit.score,
            **dict(zip(CORNERS, hit.box, strict=True)),
            "source": hit.source,
            "label": hit.label,
            "confidence": hit.confidence,
            "verified": hit.verified,
            "width": match.width,
            "height": match.height,
            "count": match.count,
            "paths": _several(match.paths),
            **_metadata(match.metadata),
        }
        for rank, match in enumerate(matches, start=1)
        for place, hit in enumerate(match.hits, start=1)
    ]


def image_row(image: Image) -> Row:
    """Return an indexed image as a row: IMAGE_COLUMNS, then its metadata.

    `paths` are all of its paths, where it has several: it was posted under each.
    """
    values = asdict(image) | {"paths": _several(image.paths)}
    return {name: values[name] for name in IMAGE_COLUMNS} | _metadata(image.metadata)


def item_row(item: Item) -> Row:
    """Return an item of a job as a row: ITEM_COLUMNS."""
    return {name: getattr(item, name) for name in ITEM_COLUMNS}


def columns(rows: Sequence[Row], first: Sequence[str]) -> list[str]:
    """Return every column that a row has, those of `first` in their order before the others."""
    found = dict.fromkeys(first)
    for row in rows:
        found |= dict.fromkeys(row)
    return list(found)


def to_pandas(rows: Sequence[Row], first: Sequence[str]) -> pandas.DataFrame:
    """Return the rows as a DataFrame. Raises ImportError where pandas is not installed."""
    try:
        import pandas
    except ImportError as exc:
        raise ImportError("to_pandas() needs pandas: pip install pandas") from exc
    return pandas.DataFrame(list(rows), columns=columns(rows, first))


def _several(paths: Sequence[str]) -> list[str] | None:
    return list(paths) if len(paths) > 1 else None


def _metadata(metadata: Mapping[str, Any]) -> Row:
    return {f"metadata.{key}": value for key, value in metadata.items()}

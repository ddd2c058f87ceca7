"""What the catalogue knows of an image and of a collection."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from common.errors import EncoderMismatch


@dataclass(frozen=True)
class ImageRecord:
    """An image: sizes in pixels of the upright image and bytes of the file; times in Unix seconds.

    `recipe` names the models and options that made its regions, `options` are the latter as a
    request says them. `paths` are those that it was posted under, in that order; they stand beside
    the record, which others may be writing.
    """

    image_id: str
    collection: str
    filename: str
    media_type: str
    width: int
    height: int
    bytes: int
    metadata: Mapping[str, Any] = field(default_factory=dict)
    regions: int = 0
    indexed_at: float | None = None
    recipe: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    paths: Sequence[str] = ()

    @property
    def path(self) -> str:
        """The path that it was posted under first; in older records its name alone."""
        return self.paths[0] if self.paths else self.filename

    def indexed(self, *, regions: int, at: float, recipe: str) -> ImageRecord:
        """Return the record of the image with its regions written."""
        return replace(self, regions=regions, indexed_at=at, recipe=recipe)


@dataclass(frozen=True)
class Collection:
    """A collection and the encoder that it is bound to."""

    name: str
    encoder: str
    dim: int


@dataclass(frozen=True)
class IndexState:
    """How far the index of a collection's regions reaches.

    `pending` regions are compared one by one; 0 where all are, because they are few. `optimizing`
    tells whether the engine is at work on it, `deferred` that it is told not to be.
    """

    pending: int
    optimizing: bool
    deferred: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return it as it is kept; a web server of before knows of no `deferred`."""
        kept = asdict(self)
        if not self.deferred:
            del kept["deferred"]
        return kept


def check_encoder(collection: Collection | None, encoder: str) -> None:
    """Raise EncoderMismatch when the collection was built with another encoder."""
    if collection is not None and collection.encoder != encoder:
        raise EncoderMismatch(
            f"The collection '{collection.name}' was built with the encoder "
            f"{collection.encoder}; the one in use is {encoder}. Embeddings of two encoders cannot "
            "be compared: choose another collection, or start Needle with that encoder."
        )


def dumped(record: ImageRecord) -> str:
    """Return a record as it is kept; its paths stand beside it."""
    kept = asdict(record)
    del kept["paths"]
    return json.dumps(kept)


def loaded(text: str | bytes, paths: str | None = None) -> ImageRecord:
    """Read what `dumped` wrote, and the paths, a line each."""
    return ImageRecord(**json.loads(text), paths=tuple(paths.split("\n")) if paths else ())

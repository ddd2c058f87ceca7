"""What is indexed, as the service answers it: images and collections, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Image:
    """An indexed image. `regions` is how many of its regions are searched.

    `path` is the one that it was posted under first, `paths` are all of them.
    """

    image_id: str
    filename: str
    width: int
    height: int
    bytes: int
    regions: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    indexed_at: float | None = None
    urls: Mapping[str, str] = field(default_factory=dict)
    collection: str = "default"
    media_type: str = ""
    path: str = ""
    paths: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Image:
        """Read the JSON form."""
        regions = raw.get("regions")
        return cls(
            image_id=str(raw["image_id"]),
            filename=str(raw.get("filename") or ""),
            width=int(raw.get("width") or 0),
            height=int(raw.get("height") or 0),
            bytes=int(raw.get("bytes") or 0),
            regions=len(regions) if isinstance(regions, list) else regions,
            **paths(raw),
            metadata=raw.get("metadata") or {},
            indexed_at=raw.get("indexed_at"),
            urls=raw.get("urls") or {},
            collection=str(raw.get("collection") or "default"),
            media_type=str(raw.get("media_type") or ""),
        )


@dataclass(frozen=True)
class IndexState:
    """How far the engine's index reaches: `pending` regions are compared one by one until then.

    `deferred` says that the collection is in bulk mode: nothing is indexed until it is ended.
    """

    pending: int
    optimizing: bool
    deferred: bool = False


@dataclass(frozen=True)
class Collection:
    """A collection, the encoder that it is bound to and how many images it holds.

    `index` is None until a worker has said how far it reaches. How many `regions` there are, and
    which job is `deleting` it, is told where one is created.
    """

    name: str
    encoder: str
    dim: int
    images: int
    regions: int | None = None
    deleting: str | None = None
    index: IndexState | None = None

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Collection:
        """Read the JSON form."""
        index = raw.get("index") or {}
        return cls(
            name=str(raw["name"]),
            encoder=str(raw.get("encoder") or ""),
            dim=int(raw.get("dim") or 0),
            images=int(raw.get("images") or 0),
            regions=raw.get("regions"),
            deleting=raw.get("deleting"),
            index=IndexState(
                int(index["pending"]), bool(index["optimizing"]), bool(index.get("deferred"))
            )
            if index
            else None,
        )

    @classmethod
    def list_from_json(cls, raw: Mapping[str, Any]) -> list[Collection]:
        """Read the JSON form of the list of them."""
        return [cls.from_json(each) for each in raw["collections"]]


def paths(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the paths of an image; a service of before knows its name alone."""
    path = str(raw.get("path") or raw.get("filename") or "")
    return {"path": path, "paths": tuple(raw.get("paths") or (path,))}

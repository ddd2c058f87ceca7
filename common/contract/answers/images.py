"""Images, their regions and their collections, as answers."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from common.contract.answers.base import Answer
from common.contract.fields import Box, RegionSource, Said


class ImageUrls(Answer):
    """Where an image is, as paths on this service."""

    image: str = Field(description="The image with its regions (JSON).")
    file: str = Field(description="The image's file, byte for byte.")
    thumbnail: str = Field(description="A small JPEG of the image.")


class CropUrls(Answer):
    """Where the pixels of a box are, as a path on this service."""

    crop: str = Field(description="The pixels inside the box (JPEG).")


class IndexedImage(Answer):
    """What is known of an image, its regions aside."""

    image_id: str = Field(description="The id of the image.")
    collection: str = Field(description="The collection that it is in.")
    filename: Said = Field(description="The name of its file.")
    path: Said = Field(description="The path that it was posted under first: folders and name.")
    paths: list[Said] = Field(description="Every path that it was posted under.")
    media_type: str = Field(description="The media type of its file.")
    width: int = Field(description="The width of the upright image (pixels).")
    height: int = Field(description="The height of the upright image (pixels).")
    bytes: int = Field(description="The size of its file (bytes).")
    metadata: dict[str, Any] = Field(description="What was noted of the image.")
    indexed_at: float | None = Field(
        description="When it was indexed (Unix seconds), which edits of its metadata do not "
        "change; null until it is."
    )
    urls: ImageUrls = Field(description="Where the image is.")


class Image(IndexedImage):
    """An image in a list."""

    regions: int = Field(description="How many regions of it are indexed.")


class FoundRegion(Answer):
    """An indexed box of an image, without URLs."""

    box: Box = Field(description="Where it is in the image.")
    source: RegionSource = Field(description="What proposed the region.")
    label: str | None = Field(description="The detector's word for it, if it is a detection.")
    confidence: float | None = Field(description="The detector's confidence, 0..1.")


class Region(FoundRegion):
    """An indexed box of an image."""

    urls: CropUrls = Field(description="Where its pixels are.")


class ImageWithRegions(IndexedImage):
    """An image with its regions."""

    regions: list[Region] = Field(description="The regions that are indexed.")


class Images(Answer):
    """A page of the images."""

    images: list[Image] = Field(description="The images of this page.")
    total: int | None = Field(
        description="How many images there are; null where a name or a filter is asked for, newest "
        "first."
    )
    next: str | None = Field(description="The path of the next page; null on the last one.")


class StoredObject(Answer):
    """An object of a bucket."""

    url: str = Field(description="What `urls` and `url` take it by (`s3://BUCKET/KEY`).")
    bytes: int = Field(description="How many bytes it has.")


class StoredObjects(Answer):
    """A page of a bucket's objects."""

    objects: list[StoredObject] = Field(description="The objects of this page, by their keys.")
    next: str | None = Field(description="The path of the next page; null on the last one.")


class IndexState(Answer):
    """How far the vector engine's index of a collection reaches."""

    pending: int = Field(
        description="How many regions wait to be indexed and are compared one by one until then; "
        "0 where all are, because they are few."
    )
    optimizing: bool = Field(description="Whether the engine is indexing them.")
    deferred: bool = Field(
        default=False,
        description="Whether the collection is in bulk mode: nothing is indexed until it is ended.",
    )


class Collection(Answer):
    """A collection and the encoder that it is bound to."""

    name: str = Field(description="The name of the collection.")
    encoder: str = Field(description="The encoder that made its embeddings.")
    dim: int = Field(description="How many numbers an embedding has.")
    images: int = Field(description="How many images are indexed.")
    index: IndexState | None = Field(
        description="How far the engine's index reaches; null until a worker has said."
    )


class CollectionWithRegions(Collection):
    """A collection with all that is known of it."""

    regions: int = Field(description="How many regions its images have.")
    deleting: str | None = Field(
        description="The id of the job that deletes it; null where none does."
    )


class Collections(Answer):
    """Every collection, by name."""

    collections: list[Collection] = Field(description="The collections.")

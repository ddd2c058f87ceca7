"""Where what is stored lies: the keys of images, of what is made of them, and of queries."""

from __future__ import annotations

import hashlib


def collection_folder(collection: str) -> str:
    """Return the folder of keys that belong to a collection's images."""
    return f"images/{collection}"


def image_folder(collection: str, image_id: str) -> str:
    """Return the folder of keys that belong to one image."""
    return f"{collection_folder(collection)}/{image_id[:2]}/{image_id}"


def image_key(collection: str, image_id: str) -> str:
    """Return the key of the original file of an image, byte for byte as it was posted.

    The file itself is called `photo`: existing data folders hold it under that name.
    """
    return f"{image_folder(collection, image_id)}/photo"


def thumbnail_key(collection: str, image_id: str) -> str:
    """Return the key of the JPEG thumbnail."""
    return f"{image_folder(collection, image_id)}/thumbnail.jpg"


def regions_key(collection: str, image_id: str) -> str:
    """Return the key of the list of indexed regions (`common.regions`)."""
    return f"{image_folder(collection, image_id)}/regions.bin"


def old_regions_key(collection: str, image_id: str) -> str:
    """Return the key that the list had in an earlier version: as JSON, 100 bytes a region."""
    return f"{image_folder(collection, image_id)}/regions.json"


def local_key(collection: str, image_id: str) -> str:
    """Return the key of an image's local features."""
    return f"{image_folder(collection, image_id)}/local.bin"


def query_folder(job_id: str) -> str:
    """Return the folder of keys of the files of a search, kept as long as its result."""
    return f"queries/{job_id}"


def query_key(job_id: str, number: int = 0, *, negative: bool = False) -> str:
    """Return the key of one of them: of what is searched for, or of what it must not be like."""
    return f"{query_folder(job_id)}/{'not-' if negative else ''}{number}"


def answer_key(job_id: str, number: int) -> str:
    """Return the key of what one of many queries has found, kept with their files."""
    return f"{query_folder(job_id)}/answer-{number}.json"


def download_key(job_id: str, url: str) -> str:
    """Return the key of what was downloaded for a search, kept with its files."""
    return f"{query_folder(job_id)}/url-{hashlib.sha256(url.encode()).hexdigest()[:32]}"

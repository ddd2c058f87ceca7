"""Images that were stored for a job and are never to be indexed: taken back, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from common.catalogue import Catalogue
from common.errors import NotFound
from common.images import ImageStore, image_folder, image_key


def take_back(
    images: ImageStore,
    catalogue: Catalogue,
    collection: str,
    image_ids: Sequence[str],
    job_id: str,
) -> int:
    """Remove those of a job's images that were never indexed and that no other job wants.

    Return how many there were. Raises BrokerUnavailable or StoreUnavailable.
    """
    gone = catalogue.release(collection, image_ids, job_id)
    for image_id in gone:
        _remove(images, catalogue, collection, image_id)
    return len(gone)


def _remove(images: ImageStore, catalogue: Catalogue, collection: str, image_id: str) -> None:
    """Remove an image's file, unless it was posted again meanwhile: then it has to be there."""
    key = image_key(collection, image_id)
    try:
        content = images.open(key)
    except NotFound:
        return
    images.delete(image_folder(collection, image_id))
    if catalogue.find(collection, [image_id]):
        images.put(key, content)

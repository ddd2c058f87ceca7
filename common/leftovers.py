"""Images that were stored for a job and are never to be indexed: taken back, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from common.catalogue import Catalogue
from common.images import ImageStore, image_folder

TOGETHER = 50
"""Images that are taken back while nobody else changes any of them."""


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
    count = 0
    for start in range(0, len(image_ids), TOGETHER):
        some = image_ids[start : start + TOGETHER]
        with images.changing(collection, some) as held:
            gone = catalogue.release(collection, some, job_id)
            for image_id in gone:
                held.check()
                images.delete_folder(image_folder(collection, image_id))
        count += len(gone)
    return count

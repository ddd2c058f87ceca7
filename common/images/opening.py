"""Which image store the settings choose."""

from __future__ import annotations

from common.images.files import FileImageStore
from common.images.store import ImageStore
from common.redis import Client
from common.settings import Settings


def open_store(settings: Settings, redis: Client) -> ImageStore:
    """Return the image store; nothing is sent yet. Its locks are in `redis`, or on the disk."""
    if settings.image_store is None:
        return FileImageStore(settings.data_dir)
    # Only here, since boto3 takes a second to import.
    from common.images.redis_locks import RedisLocks
    from common.images.s3 import Bucket, S3ImageStore

    bucket = Bucket.named(
        settings.image_store,
        endpoint=settings.s3_endpoint,
        public_endpoint=settings.s3_public_endpoint,
        region=settings.s3_region,
    )
    return S3ImageStore(bucket, RedisLocks(redis), signs=settings.signed_urls == "on")

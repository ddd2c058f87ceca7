"""The image store: images, their thumbnails and region lists, queries, and hand-over files.

Keys are in `keys`, what every store does in `store`, several requests at the same time in `ahead`.
Stores: `files` (a folder) and `s3` (a bucket, with its locks in Redis); `open_store` chooses.
"""

from common.images.ahead import ReadAhead, WriteBehind, at_once
from common.images.files import FileImageStore
from common.images.keys import (
    answer_key,
    collection_folder,
    download_key,
    image_folder,
    image_key,
    local_key,
    old_regions_key,
    query_folder,
    query_key,
    regions_key,
    thumbnail_key,
)
from common.images.opening import open_store
from common.images.store import URL_LASTS_S, Bytes, Held, ImageStore

__all__ = [
    "URL_LASTS_S",
    "Bytes",
    "FileImageStore",
    "Held",
    "ImageStore",
    "ReadAhead",
    "WriteBehind",
    "answer_key",
    "at_once",
    "collection_folder",
    "download_key",
    "image_folder",
    "image_key",
    "local_key",
    "old_regions_key",
    "open_store",
    "query_folder",
    "query_key",
    "regions_key",
    "thumbnail_key",
]

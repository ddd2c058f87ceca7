"""The image store: images, their thumbnails and region lists, queries, and hand-over files.

A key is a relative path. Writes are atomic: a reader sees the old bytes or the new ones.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from common.errors import DiskFull, NotFound, StoreUnavailable
from common.image_locks import locked, locked_whole

_FULL = (errno.ENOSPC, errno.EDQUOT)


LOCKS = "locks"
"""The folder of the locks, beside the images."""


class ImageStore(Protocol):
    """Keeps bytes under keys."""

    def put(self, key: str, content: bytes) -> None:
        """Store `content` under `key`, in place of what it held.

        Raises DiskFull or StoreUnavailable.
        """
        ...

    def open(self, key: str) -> bytes:
        """Return the bytes. Raises NotFound or StoreUnavailable."""
        ...

    def exists(self, key: str) -> bool:
        """Tell whether the key holds bytes."""
        ...

    def size(self, key: str) -> int | None:
        """Return how many bytes the key holds, None where it holds none."""
        ...

    def names(self, folder: str) -> list[str]:
        """Return what is directly under a folder of keys, in order; nothing for an absent one."""
        ...

    def delete(self, key: str) -> None:
        """Remove a key, or everything under a folder of keys; an absent one is no error."""
        ...

    def changing(self, collection: str, image_ids: Iterable[str]) -> AbstractContextManager[None]:
        """Be the only one meanwhile who changes what is stored of these images, points as well.

        Not to be asked for by who has it already. Raises StoreUnavailable.
        """
        ...

    def changing_all(self, collection: str) -> AbstractContextManager[None]:
        """Be the only one meanwhile who changes anything in a collection. See `changing`."""
        ...


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


def download_key(job_id: str, url: str) -> str:
    """Return the key of what was downloaded for a search, kept with its files."""
    return f"{query_folder(job_id)}/url-{hashlib.sha256(url.encode()).hexdigest()[:32]}"


class FileImageStore:
    """An image store in a folder of the local or a shared file system."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, key: str, content: bytes) -> None:
        """See ImageStore."""
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._write(path, content)
        except OSError as exc:
            kind = DiskFull if exc.errno in _FULL else StoreUnavailable
            raise kind(f"The image store cannot be written: {exc.strerror}.") from exc

    def open(self, key: str) -> bytes:
        """See ImageStore."""
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError as exc:
            raise NotFound("The image store does not hold this file.") from exc
        except OSError as exc:
            raise StoreUnavailable(f"The image store cannot be read: {exc.strerror}.") from exc

    def exists(self, key: str) -> bool:
        """See ImageStore."""
        return self._path(key).exists()

    def size(self, key: str) -> int | None:
        """See ImageStore."""
        try:
            return self._path(key).stat().st_size
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise StoreUnavailable(f"The image store cannot be read: {exc.strerror}.") from exc

    def names(self, folder: str) -> list[str]:
        """See ImageStore."""
        try:
            return sorted(os.listdir(self._path(folder)))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as exc:
            raise StoreUnavailable(f"The image store cannot be read: {exc.strerror}.") from exc

    def delete(self, key: str) -> None:
        """See ImageStore."""
        path = self._path(key)
        try:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        except OSError as exc:
            raise StoreUnavailable(f"The image store cannot be written: {exc.strerror}.") from exc

    def changing(self, collection: str, image_ids: Iterable[str]) -> AbstractContextManager[None]:
        """See ImageStore."""
        names = [image_folder(collection, image_id) for image_id in image_ids]
        return locked(self._root / LOCKS, names, within=[collection_folder(collection)])

    def changing_all(self, collection: str) -> AbstractContextManager[None]:
        """See ImageStore."""
        return locked_whole(self._root / LOCKS, collection_folder(collection))

    def _path(self, key: str) -> Path:
        return self._root / key

    @staticmethod
    def _write(path: Path, content: bytes) -> None:
        """Write beside the target and rename, so that a crash leaves no half file."""
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

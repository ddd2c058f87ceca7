"""The image store in a folder of the local or a shared file system."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from common.errors import DiskFull, NotFound, StoreUnavailable
from common.images.file_locks import locked, locked_whole
from common.images.keys import collection_folder, image_folder
from common.images.store import Bytes, Held

_FULL = (errno.ENOSPC, errno.EDQUOT)
_HALF = ".new-"
"""How the names of files begin that are being written."""
LOCKS = "locks"
"""The folder of the locks, beside the images."""


class FileImageStore:
    """An image store in a folder of the local or a shared file system."""

    on_disk = True

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

    def stream(self, key: str, first: int = 0) -> Bytes:
        """See ImageStore."""
        try:
            file = self._path(key).open("rb")
        except FileNotFoundError as exc:
            raise NotFound("The image store does not hold this file.") from exc
        except OSError as exc:
            raise StoreUnavailable(f"The image store cannot be read: {exc.strerror}.") from exc
        file.seek(first)
        return file

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

    def sizes(self, folder: str) -> dict[str, int]:
        """See ImageStore."""
        found = {name: self.size(f"{folder}/{name}") for name in self._files(folder)}
        return {name: size for name, size in found.items() if size is not None}

    def walk(self, folder: str) -> Iterator[tuple[str, int]]:
        """See ImageStore."""
        for path, _, files in os.walk(self._path(folder)):
            for name in sorted(files):
                key = Path(path, name).relative_to(self._root).as_posix()
                size = self.size(key)
                if size is not None and not name.startswith(_HALF):
                    yield key, size

    def delete(self, key: str) -> None:
        """See ImageStore."""
        try:
            self._path(key).unlink(missing_ok=True)
        except OSError as exc:
            raise StoreUnavailable(f"The image store cannot be written: {exc.strerror}.") from exc

    def delete_folder(self, folder: str) -> None:
        """See ImageStore."""
        shutil.rmtree(self._path(folder), ignore_errors=True)

    def adopt(self, files: Path, folder: str) -> None:
        """See ImageStore."""
        target = self._path(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        files.rename(target)

    def signed_url(self, key: str, media_type: str) -> str | None:
        """See ImageStore."""
        return None

    def changing(self, collection: str, image_ids: Iterable[str]) -> AbstractContextManager[Held]:
        """See ImageStore."""
        names = [image_folder(collection, image_id) for image_id in image_ids]
        return locked(self._root / LOCKS, names, within=[collection_folder(collection)])

    def changing_all(self, collection: str) -> AbstractContextManager[Held]:
        """See ImageStore."""
        return locked_whole(self._root / LOCKS, collection_folder(collection))

    def _files(self, folder: str) -> list[str]:
        try:
            found = [entry.name for entry in os.scandir(self._path(folder)) if entry.is_file()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as exc:
            raise StoreUnavailable(f"The image store cannot be read: {exc.strerror}.") from exc
        return sorted(name for name in found if not name.startswith(_HALF))

    def _path(self, key: str) -> Path:
        return self._root / key

    @staticmethod
    def _write(path: Path, content: bytes) -> None:
        """Write beside the target and rename, so that a crash leaves no half file."""
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=_HALF)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

"""The seam: what every image store does, whatever it keeps its bytes in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

URL_LASTS_S = 3600
"""How long a signed URL holds."""


class Held(Protocol):
    """Locks that are held."""

    def check(self) -> None:
        """Raise StoreUnavailable where they may be another's by now. To be asked before a write."""
        ...


class Bytes(Protocol):
    """The bytes of a key, read bit by bit and then closed."""

    def read(self, size: int, /) -> bytes:
        """Return at most so many bytes more, none at the end. Raises OSError, StoreUnavailable."""
        ...

    def close(self) -> None:
        """Read no more."""
        ...


class ImageStore(Protocol):
    """Keeps bytes under keys, which are relative paths.

    Writes are atomic: a reader sees the old bytes or the new ones. Whatever is asked for raises
    StoreUnavailable where the store does not answer.
    """

    @property
    def on_disk(self) -> bool:
        """Tell whether what is stored takes space on the disk of the data folder."""
        ...

    def put(self, key: str, content: bytes) -> None:
        """Store `content` under `key`, in place of what it held. Raises DiskFull where it is."""
        ...

    def open(self, key: str) -> bytes:
        """Return the bytes. Raises NotFound."""
        ...

    def stream(self, key: str, first: int = 0) -> Bytes:
        """Return the bytes from the `first` on. Raises NotFound."""
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

    def sizes(self, folder: str) -> dict[str, int]:
        """Return how many bytes each key directly under a folder holds, by the name there."""
        ...

    def walk(self, folder: str) -> Iterator[tuple[str, int]]:
        """Yield every key under a folder of keys, however deep, with its bytes."""
        ...

    def delete(self, key: str) -> None:
        """Remove a key; an absent one is no error."""
        ...

    def delete_folder(self, folder: str) -> None:
        """Remove everything under a folder of keys; an absent one is no error."""
        ...

    def adopt(self, files: Path, folder: str) -> None:
        """Move a folder of the data folder, and all in it, under a folder of keys.

        Where this fails, some of it may be there. Raises OSError as well.
        """
        ...

    def signed_url(self, key: str, media_type: str) -> str | None:
        """Return a URL under which anybody may read the key for URL_LASTS_S; None for none."""
        ...

    def changing(self, collection: str, image_ids: Iterable[str]) -> AbstractContextManager[Held]:
        """Be the only one meanwhile who changes what is stored of these images, points as well.

        Not to be asked for by who has it already. Raises StoreUnavailable or BrokerUnavailable.
        """
        ...

    def changing_all(self, collection: str) -> AbstractContextManager[Held]:
        """Be the only one meanwhile who changes anything in a collection. See `changing`."""
        ...

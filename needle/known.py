"""Which images the service holds already, asked in the cheaper of two ways."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from unicodedata import normalize

from needle.api import Needle
from needle.indexed import Image
from needle.listings import PAGE

ASKED_AT_ONCE = 50
"""Ids in one request: they go into its URL."""
MOST_LISTED = 100_000
"""So many images are listed where nobody knows how many will be asked for."""


class Known:
    """The images that are indexed in a collection, each with the paths that it was sent under."""

    def __init__(self, needle: Needle, collection: str | None, *, wanted: int | None) -> None:
        """Prepare for `wanted` questions (None: nobody knows how many).

        The whole list is fetched, a thousand images an answer, unless asking for some at a time
        takes fewer requests: then `ask` before `has`. Raises NeedleClientError.
        """
        self._needle = needle
        self._collection = collection
        held = needle.count(collection=collection)
        most = MOST_LISTED if wanted is None else wanted * PAGE // ASKED_AT_ONCE
        self.listed = held <= max(most, PAGE)
        images = needle.images(collection=collection) if self.listed and held else ()
        self._paths = _by_id(images)

    def ask(self, image_ids: Sequence[str]) -> None:
        """Ask for the images that `has` will be asked about, at most ASKED_AT_ONCE of them.

        Those of before are forgotten. Raises NeedleClientError.
        """
        if not self.listed:
            wanted = list(dict.fromkeys(image_ids))
            found = self._needle.images(collection=self._collection, ids=wanted) if wanted else ()
            self._paths = _by_id(found)

    def has(self, image_id: str, path: str | None = None) -> bool:
        """Tell whether an image is indexed, and where a path is given known by that.

        A name alone is enough, on either side: it adds nothing to a path that ends with it, and
        images that were indexed before paths were kept have no more.
        """
        paths = self._paths.get(image_id)
        if path is None or paths is None:
            return paths is not None
        path = normalize("NFC", path)
        return any(path in (each, _name(each)) or _name(path) == each for each in paths)


def _by_id(images: Iterable[Image]) -> dict[str, Sequence[str]]:
    return {image.image_id: image.paths for image in images}


def _name(path: str) -> str:
    return path.rpartition("/")[2]

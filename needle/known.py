"""Which images the service holds already, asked in the cheaper of two ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from unicodedata import normalize

from needle.api import Needle
from needle.errors import NeedleApiError
from needle.listings import PAGE


class Known:
    """The images that are indexed in a collection, each with the paths that it was sent under."""

    def __init__(self, needle: Needle, collection: str | None, *, wanted: int | None) -> None:
        """Prepare for `wanted` questions (None: nobody knows how many).

        The whole list is fetched, a thousand images an answer, unless asking for each image by
        itself takes fewer requests. Raises NeedleClientError.
        """
        self._needle = needle
        self._collection = collection
        held = needle.count(collection=collection)
        self._listed: Mapping[str, Sequence[str]] | None = None
        if wanted is None or held <= wanted * PAGE:
            images = needle.images(collection=collection) if held else ()
            self._listed = {image.image_id: image.paths for image in images}

    def has(self, image_id: str, path: str | None = None) -> bool:
        """Tell whether an image is indexed, and where a path is given known by that.

        A name alone is enough, on either side: it adds nothing to a path that ends with it, and
        images that were indexed before paths were kept have no more.
        """
        paths = self._paths(image_id)
        if path is None or paths is None:
            return paths is not None
        path = normalize("NFC", path)
        return any(path in (each, _name(each)) or _name(path) == each for each in paths)

    def _paths(self, image_id: str) -> Sequence[str] | None:
        if self._listed is not None:
            return self._listed.get(image_id)
        try:
            image = self._needle.image(image_id, collection=self._collection)
        except NeedleApiError as exc:
            if exc.status == 404:
                return None
            raise
        return None if image.indexed_at is None else image.paths


def _name(path: str) -> str:
    return path.rpartition("/")[2]

"""Which images the service holds already, asked in the cheaper of two ways."""

from __future__ import annotations

from needle.api import Needle
from needle.errors import NeedleApiError
from needle.listings import PAGE


class Known:
    """The images that are indexed in a collection, for `image_id in known`."""

    def __init__(self, needle: Needle, collection: str | None, *, wanted: int | None) -> None:
        """Prepare for `wanted` questions (None: nobody knows how many).

        The whole list is fetched, a thousand images an answer, unless asking for each image by
        itself takes fewer requests. Raises NeedleClientError.
        """
        self._needle = needle
        self._collection = collection
        held = needle.count(collection=collection)
        self._listed: frozenset[str] | None = None
        if wanted is None or held <= wanted * PAGE:
            images = needle.images(collection=collection) if held else ()
            self._listed = frozenset(image.image_id for image in images)

    def __contains__(self, image_id: object) -> bool:
        """Tell whether the image of that id is indexed."""
        if self._listed is not None:
            return image_id in self._listed
        try:
            image = self._needle.image(str(image_id), collection=self._collection)
        except NeedleApiError as exc:
            if exc.status == 404:
                return False
            raise
        return image.indexed_at is not None

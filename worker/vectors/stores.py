"""The two stores of the service, on one engine: regions by embedding, and images by words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import ClassVar

from common.vectors.filters import Condition
from worker.vectors.base import Hit, ImagePoints, Vector
from worker.vectors.engine import Engine, Row, Shelf, Sort, State, Wanted
from worker.vectors.ids import first_of
from worker.vectors.payloads import ListCache, members, rows
from worker.vectors.words import SparseVector, WordsHit, WordsPoint, of_vocabulary

MANY = 1000
"""Points read in one call."""


class Store:
    """What both stores do with their sort of points. All methods raise StoreUnavailable."""

    sort: ClassVar[Sort]

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def delete_image(self, collection: str, image_id: str) -> None:
        """Remove every point of an image; absent ones are no error."""
        shelf = self._shelf(collection)
        self.engine.delete(shelf, self._points_of(shelf, [image_id]))

    def holding(self, collection: str, image_ids: Sequence[str]) -> set[str]:
        """Return those of the images whose first point is there: it goes last."""
        found = self.engine.of_images(self._shelf(collection), image_ids)
        return {str(point.payload["image_id"]) for point in found}

    def count(self, collection: str) -> int:
        """Return the number of points."""
        return self.engine.count(self._shelf(collection))

    def state(self, collection: str) -> State:
        """Return how far the engine's index reaches."""
        return self.engine.state(self._shelf(collection))

    def optimize(self, collection: str) -> bool:
        """Index what is pending; tell whether it was done. See Engine."""
        return self.engine.optimize(self._shelf(collection))

    def defer(self, collection: str, on: bool) -> bool:
        """Put off indexing what is written, or take it up again. See Engine."""
        return self.engine.defer(self._shelf(collection), on)

    def delete_collection(self, name: str) -> None:
        """Remove a collection; an absent one is no error."""
        self.engine.drop(self._shelf(name))

    def close(self) -> None:
        """Write everything down and release the engine, which the other store may share."""
        self.engine.close()

    def _points_of(self, shelf: Shelf, image_ids: Sequence[str]) -> list[str]:
        return [point.id for point in self.engine.of_images(shelf, image_ids)]

    def _shelf(self, collection: str) -> Shelf:
        return Shelf(self.sort, collection)


class VectorStore(Store):
    """Keeps the regions of every collection, each with its embedding."""

    sort = Sort.REGIONS

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._lists = ListCache(engine)

    def ensure_collection(self, name: str, dim: int) -> None:
        """Create a collection of embeddings of `dim` dimensions unless it is there."""
        self.engine.make(self._shelf(name), dim)

    def replace_images(self, collection: str, images: Sequence[ImagePoints]) -> None:
        """Make these all the points of each of those images.

        Safe to repeat; a reader never sees an image without points in between.
        """
        shelf = self._shelf(collection)
        written = [row for image in images for row in rows(image)]
        self.engine.write(shelf, written)
        kept = {row.id for row in written}
        there = self._points_of(shelf, [image.image_id for image in images])
        self.engine.delete(shelf, [name for name in there if name not in kept])

    def counts(self, collection: str, image_ids: Sequence[str]) -> Counter[str]:
        """Return how many points each of the images has, left-overs of an earlier index too."""
        shelf = self._shelf(collection)
        owners = {
            name: str(point.payload["image_id"])
            for point in self.engine.of_images(shelf, image_ids)
            for name in members(point)
        }
        names, found = list(owners), Counter[str]()
        for start in range(0, len(names), MANY):
            there = self.engine.read(shelf, names[start : start + MANY])
            found.update(owners[point.id] for point in there)
        return found

    def owners(self, collection: str) -> Iterator[tuple[str | None, list[str]]]:
        """Yield every image that has points, and their ids; None for points that name no image."""
        points = self.engine.every(self._shelf(collection))
        for _, group in groupby(points, lambda point: first_of(point.id)):
            found = list(group)
            named = (point.payload.get("image_id") for point in found)
            yield next(filter(None, named), None), [point.id for point in found]

    def delete_strays(self, collection: str, ids: Sequence[str]) -> int:
        """Remove points that name no image and whose first point is gone; return how many."""
        shelf = self._shelf(collection)
        led = {point.id for point in self.engine.read(shelf, [first_of(name) for name in ids])}
        gone = [name for name in ids if first_of(name) not in led]
        self.engine.delete(shelf, gone)
        return len(gone)

    def search(
        self,
        collection: str,
        vector: Vector,
        *,
        limit: int,
        where: Sequence[Condition] = (),
        image_id: str | None = None,
        exact: bool = True,
    ) -> list[Hit]:
        """Return the `limit` points nearest to `vector` (dim,), best first.

        `where` filters on metadata, `image_id` on one image. `exact` compares every point;
        otherwise the index of the engine answers where there is one. A collection that does not
        exist has no points.
        """
        shelf = self._shelf(collection)
        among = None if image_id is None else self._points_of(shelf, [image_id])
        if among == []:
            return []
        near = self.engine.nearest(shelf, Wanted(vector, limit, where, among, exact))
        regions = self._lists.regions(shelf, near)
        return [
            Hit(one.id, one.score, region)
            for one, region in zip(near, regions, strict=True)
            if region is not None
        ]

    def _points_of(self, shelf: Shelf, image_ids: Sequence[str]) -> list[str]:
        return [
            name for point in self.engine.of_images(shelf, image_ids) for name in members(point)
        ]


class WordStore(Store):
    """Keeps the visual words of every collection's images, one point each."""

    sort = Sort.WORDS

    def owners(self, collection: str) -> Iterator[str]:
        """Yield every image that has words."""
        for point in self.engine.every(self._shelf(collection)):
            yield str(point.payload["image_id"])

    def put(self, collection: str, points: Sequence[WordsPoint]) -> None:
        """Write the words of images, one point each, over what was there. Safe to repeat."""
        if points:
            shelf = self._shelf(collection)
            self.engine.make(shelf, None)
            self.engine.write(shelf, [_row(point) for point in points])

    def search(
        self,
        collection: str,
        vector: SparseVector,
        *,
        vocabulary: str,
        limit: int,
        where: Sequence[Condition] = (),
    ) -> list[WordsHit]:
        """Return the `limit` images that share the most, best first; none that shares nothing.

        Only images with words of that vocabulary are compared; `where` filters on metadata.
        """
        if not vector.indices:
            return []
        wanted = Wanted(vector, limit, (of_vocabulary(vocabulary), *where))
        near = self.engine.nearest(self._shelf(collection), wanted)
        return [WordsHit(one.payload["image_id"], one.score) for one in near if one.score > 0]


def _row(point: WordsPoint) -> Row:
    return Row(point.id, point.vector, point.payload())

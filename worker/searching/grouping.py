"""From nearest regions to best images, exactly: as if every region had been compared.

A vector engine returns the k best points. How large must k be so that the best images are among
their parents? Not fixed: one image may hold the first hundred points. So k grows until nothing
unseen can change the answer (the idea of the threshold algorithm of Fagin, Lotem and Naor, 2001):
every unseen point scores at most what the last seen one does, which bounds what an image can still
become. Ties are broken by id, so that equal requests get equal answers.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from common.vectors.aggregate import Aggregate
from worker.vectors.base import Hit

HITS_TO_LOOK_AT = 2
"""Places of each image that a closer look starts from."""

FEW_HITS = 3
"""Hits of each image that the best images are found with, where more are wanted of them."""

_AGGREGATES: dict[Aggregate, Callable[[Sequence[float]], float]] = {
    Aggregate.MAX: max,
    Aggregate.MEAN: lambda scores: sum(scores) / len(scores),
    Aggregate.SUM: sum,
    Aggregate.MIN: min,
}


class Fetch(Protocol):
    """Returns the `limit` best points, best first, of one image where `image_id` is given."""

    def __call__(self, limit: int, image_id: str | None = None) -> list[Hit]: ...


@dataclass(frozen=True)
class Match:
    """One image with its best hits (at most `hits_per_image`), best first, and their aggregate."""

    image_id: str
    score: float
    hits: tuple[Hit, ...]


@dataclass(frozen=True)
class Grouping:
    """What to return: so many images, so many hits each, none below `min_score` (-1..1)."""

    limit: int = 10
    hits_per_image: int = 3
    min_score: float = -1.0
    aggregate: Aggregate = Aggregate.MAX

    def at_least(self, images: int) -> Grouping:
        """Return a grouping of at least so many images, for a closer look that may reorder them.

        Where `images` is 0, it is the grouping itself.
        """
        if not images:
            return self
        hits = max(self.hits_per_image, HITS_TO_LOOK_AT)
        return replace(self, limit=max(self.limit, images), hits_per_image=hits)

    def with_few_hits(self) -> Grouping:
        """Return a grouping with equal images, and fewer hits of each where these do not count.

        A hundred hits of ten images are found among tens of thousands of regions, those of one
        image among its own.
        """
        if self.aggregate is not Aggregate.MAX:
            return self
        return replace(self, hits_per_image=min(self.hits_per_image, FEW_HITS))

    def score(self, hits: Sequence[Hit]) -> float:
        """Return the aggregate of the hits' scores."""
        return _AGGREGATES[self.aggregate]([hit.score for hit in hits])

    def bound(self, hits: Sequence[Hit], unseen: float) -> float:
        """Return the most that an image can score whose further hits score at most `unseen`.

        Further hits only lower a mean or a minimum, and leave a maximum; a sum they can raise.
        """
        if not hits:
            room = self.hits_per_image if self.aggregate is Aggregate.SUM and unseen > 0 else 1
            return room * unseen
        best = self.score(hits)
        if self.aggregate is Aggregate.SUM:
            best += (self.hits_per_image - len(hits)) * max(unseen, 0.0)
        return best


def order(hit: Hit) -> tuple[float, str]:
    """Return the key by which hits are sorted: best first, ties by id."""
    return (-hit.score, hit.id)


def best_images(fetch: Fetch, grouping: Grouping) -> list[Match]:
    """Return the best images, best first, ties by image id."""
    few = grouping.with_few_hits()
    if few.hits_per_image < grouping.hits_per_image:
        # An index may find more among an image's own regions than it found among all.
        more = [_with_more(match, fetch, few, grouping) for match in best_images(fetch, few)]
        return sorted(more, key=lambda match: (-match.score, match.image_id))
    limit = max(64, 4 * grouping.limit * grouping.hits_per_image)
    complete: dict[str, Match] = {}
    while True:
        nearest = fetch(limit)
        exhausted = len(nearest) < limit or nearest[-1].score < grouping.min_score
        seen = _by_image(nearest, grouping)
        unseen = -2.0 if exhausted else nearest[-1].score
        matches = _settle(seen, unseen, complete, fetch, grouping)
        if exhausted or (
            len(matches) == grouping.limit and matches[-1].score > grouping.bound((), unseen)
        ):
            return matches
        limit *= 4


def remembered(nearest: Sequence[Hit], fetch: Fetch) -> Fetch:
    """Return `fetch`, which need not ask again for what is among the `nearest` it gave before."""

    def again(limit: int, image_id: str | None = None) -> list[Hit]:
        if image_id is None and limit <= len(nearest):
            return list(nearest[:limit])
        return fetch(limit, image_id)

    return again


def with_runners_up(
    matches: Sequence[Match], nearest: Sequence[Hit], grouping: Grouping
) -> list[Match]:
    """Return the matches, and after them the other images among the nearest hits.

    Those have their best hit, and of the others what is among the nearest.
    """
    known = {match.image_id for match in matches}
    behind = [
        Match(name, grouping.score(hits), tuple(hits))
        for name, hits in _by_image(nearest, grouping).items()
        if name not in known
    ]
    return [*matches, *sorted(behind, key=lambda match: (-match.score, match.image_id))]


def best_of_image(image_id: str, fetch: Fetch, grouping: Grouping) -> Match | None:
    """Return one image's match; None when none of its points reaches `min_score`."""
    hits = _top_of_image(image_id, fetch, grouping)
    return Match(image_id, grouping.score(hits), tuple(hits)) if hits else None


def _by_image(hits: Sequence[Hit], grouping: Grouping) -> dict[str, list[Hit]]:
    """Collect each image's best hits, at most as many as are returned."""
    groups: dict[str, list[Hit]] = {}
    for hit in sorted(hits, key=order):
        if hit.score >= grouping.min_score:
            group = groups.setdefault(hit.region.image_id, [])
            if len(group) < grouping.hits_per_image:
                group.append(hit)
    return groups


def _settle(
    seen: dict[str, list[Hit]],
    unseen: float,
    complete: dict[str, Match],
    fetch: Fetch,
    grouping: Grouping,
) -> list[Match]:
    """Return the best of the seen images with their exact scores and hits.

    Images are completed in the order of what they can still become, until the next one can no
    longer be among the best. `complete` keeps what earlier rounds completed.
    """
    bounds = {image_id: grouping.bound(hits, unseen) for image_id, hits in seen.items()}
    matches: list[Match] = []
    worst: list[float] = []  # a heap of the best `limit` scores so far
    for image_id in sorted(seen, key=lambda i: (-bounds[i], i)):
        if len(worst) == grouping.limit and bounds[image_id] < worst[0]:
            break
        match = complete.get(image_id) or _complete(
            image_id, seen[image_id], unseen, fetch, grouping
        )
        complete[image_id] = match
        matches.append(match)
        heapq.heappush(worst, match.score)
        if len(worst) > grouping.limit:
            heapq.heappop(worst)
    matches.sort(key=lambda match: (-match.score, match.image_id))
    return matches[: grouping.limit]


def _with_more(match: Match, fetch: Fetch, few: Grouping, grouping: Grouping) -> Match:
    """Return a match that was found with few hits with all that the grouping wants of it."""
    if len(match.hits) < few.hits_per_image:
        return match
    return best_of_image(match.image_id, fetch, grouping) or match  # it was deleted meanwhile


def _complete(
    image_id: str, hits: Sequence[Hit], unseen: float, fetch: Fetch, grouping: Grouping
) -> Match:
    """Return the image's match, asking for its own points when some may be unseen."""
    full = len(hits) == grouping.hits_per_image and hits[-1].score > unseen
    if not full and unseen >= grouping.min_score:
        hits = _top_of_image(image_id, fetch, grouping)
    return Match(image_id, grouping.score(hits), tuple(hits))


def _top_of_image(image_id: str, fetch: Fetch, grouping: Grouping) -> list[Hit]:
    """Return an image's best hits; asks for more until a tie at the end is resolved."""
    limit = grouping.hits_per_image + 1
    while True:
        nearest = fetch(limit, image_id)
        best = _by_image(nearest, grouping).get(image_id, [])
        if (
            len(nearest) < limit
            or not best
            or nearest[-1].score < max(best[-1].score, grouping.min_score)
        ):
            return best
        limit *= 4

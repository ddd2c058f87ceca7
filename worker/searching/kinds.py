"""Images of the same kind: where the thing is not found, or where the request says `same_kind`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from worker.searching.grouping import Match
from worker.searching.judging import Judged, JudgedImage
from worker.searching.nearest import Nearest, best_matches
from worker.searching.options import SearchOptions

HOPELESS = 0.01
"""Where the best guess is less probable than this, the thing is hardly there, and of its kind
`KINDS_EACH` images follow each guess instead of one."""
KINDS_EACH = 4


@dataclass(frozen=True)
class KindFinder:
    """Finds images of the same kind, by the numbers of an embedding that say it."""

    nearest: Nearest

    def wanted(self, judged: Judged, options: SearchOptions) -> bool:
        """Tell whether images of the same kind are looked for; a text is of no kind."""
        if not self.nearest.kind_dim or judged.thing.aspect is None:
            return False
        if options.same_kind is not None:
            return options.same_kind > 0
        return not judged.likely

    def with_kind(self, judged: Judged, options: SearchOptions) -> Judged:
        """Return what was found and images of the same kind: ordered as the request weighs both.

        Where it says nothing, the thing itself was not found: best guesses of both take turns, most
        of them the kind's where there is hardly any hope. Raises StoreUnavailable.
        """
        weight = 1.0 if options.same_kind is None else options.same_kind
        fetch = self.nearest.fetch(judged.thing, options, weight)
        matches = best_matches(fetch, options.grouping)
        best = [match for match in matches if match.image_id not in judged.refused]
        alike = list(of_kind(best, judged.images))
        if options.same_kind is None:
            each = KINDS_EACH if judged.probability < HOPELESS else 1
            return replace(judged, images=tuple(by_turns(judged.images, alike, each)))
        proven = [image for image in judged.images if image.places]
        every = {image.match.image_id: image for image in (*proven, *alike)}
        ordered = sorted(every.values(), key=lambda image: (-image.standing, image.match.image_id))
        return replace(judged, images=tuple(ordered))


def of_kind(alike: Iterable[Match], images: Sequence[JudgedImage]) -> Iterator[JudgedImage]:
    """Yield the matches of the kind, each as sure to be the thing itself as its image was judged.

    One that was not judged is no surer than the least sure that was.
    """
    known = {image.match.image_id: image for image in images}
    least = min(images, key=lambda image: image.probability, default=None)
    chance, rise = (least.probability, least.rise) if least else (0.0, 0.0)
    for match in alike:
        own = known.get(match.image_id) or JudgedImage(match, (), match.score, chance, rise)
        yield own.of_kind(match)


def by_turns(
    first: Sequence[JudgedImage], second: Sequence[JudgedImage], each: int = 1
) -> list[JudgedImage]:
    """Return the best of both, in turns, and of an image that is in both what comes first.

    So many of the second follow `each` of the first.
    """
    followers = [second[start : start + each] for start in range(0, len(second), each)]
    turns: dict[str, JudgedImage] = {}
    for one, behind in zip_longest(first, followers, fillvalue=None):
        for its in (one, *(behind or ())):
            if its is not None:
                turns.setdefault(its.match.image_id, its)
    return list(turns.values())

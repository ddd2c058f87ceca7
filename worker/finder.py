"""Finds one thing: nearest regions and shared words, the best photos, proof, a closer look."""

from __future__ import annotations

import time
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace

import numpy as np

from common.contract.orders import SearchOrder
from common.vectors import filters
from common.vectors.aggregate import Aggregate
from common.vectors.base import Hit, VectorStore
from common.vectors.grouping import (
    Fetch,
    Grouping,
    Match,
    best_images,
    best_of_image,
    order,
    remembered,
    with_runners_up,
)
from worker.certainty import LIKELY, Background, certainty
from worker.found import Found, by_turns, of_kind
from worker.models.base import Embeddings
from worker.models.with_kinds import asked
from worker.question import Lap, Thing
from worker.unlike import without_unlike
from worker.verify import Verification, Verifier, fused, standing
from worker.zoom import Zoom

IN_ALL_S = 0.65
"""Fitting boxes may use what finding and verifying leave of this: a search stays under 1 s."""
LEAST_FIT_S = 0.15
NEAREST = 1000
"""Regions among whose photos those to be verified are chosen, and the background is taken from."""
HOPELESS = 0.01
"""Where the best guess is less probable than this, the thing is hardly there, and of its kind
`KINDS_EACH` photos follow each guess instead of one."""
KINDS_EACH = 4
HITS_LEFT_OVER = 6
"""Hits looked at of each photo where some may be left out as negatives."""


@dataclass(frozen=True)
class Options:
    """What a request says of how to search. `share` is this thing's of the time there is.

    `same_kind` 0..1 is how much it counts that photos show the same kind of thing; None leaves
    that to whether the thing itself is found.
    """

    collection: str
    grouping: Grouping
    where: tuple[filters.Condition, ...]
    zoom: int | None
    verify_budget_ms: int | None
    same_kind: float | None
    share: float

    @classmethod
    def of(cls, order: SearchOrder, things: int) -> Options:
        """Read a job's order."""
        grouping = Grouping(
            limit=order.limit,
            hits_per_image=order.hits_per_image,
            min_score=order.min_score,
            aggregate=order.aggregate,
        )
        return cls(
            order.collection,
            grouping,
            filters.parse(order.filter),
            order.zoom,
            order.verify_budget_ms,
            # Several things are ordered by how likely photos hold them: nothing else may mix in.
            order.same_kind if things == 1 else 0.0,
            1 / things,
        )


@dataclass(frozen=True)
class Finder:
    """Searches one vector store. Of its embeddings the last `kind_dim` numbers say the kind."""

    store: VectorStore
    kind_dim: int
    exact_below: int
    zoom: Zoom
    zoom_images: int
    verifier: Verifier

    def find(
        self, thing: Thing, unlike: Thing | None, options: Options, lap: Lap
    ) -> tuple[list[Found], Verification]:
        """Return the photos, best first, more than were asked for; and what verifying did.

        `lap` is told the name of each step as it ends.
        """
        started = time.monotonic()
        photos = self._photos_to_zoom(thing, options)
        embeddings = asked(thing.embeddings, self.kind_dim)
        fetch = self._fetch(embeddings, options)
        wanted = options.grouping.at_least(photos)
        if unlike is not None:
            wanted = replace(wanted, hits_per_image=max(wanted.hits_per_image, HITS_LEFT_OVER))
        matches = _best(fetch, wanted)
        background = Background.of(matches)
        lap("search")
        proof, refused = Verification(), set[str]()
        if thing.queries is not None:
            matches, proof = self._verified(matches, thing, fetch, options)
        if unlike is not None:
            every = {match.image_id for match in matches}
            matches = self._without(unlike, matches, proof, background, options)
            refused = every - {match.image_id for match in matches}
        lap("verify")
        # Fitting boxes by the encoder is for what has no texture to verify.
        if photos and thing.aspect is not None and not proof.places:
            budget_s = options.share * max(LEAST_FIT_S, IN_ALL_S - (time.monotonic() - started))
            matches = self.zoom.refine(
                options.collection, matches, embeddings, thing.aspect, photos, budget_s
            )
        lap("zoom")
        found = [_found(match, proof, background) for match in matches]
        if self._kind_counts(thing, found, options):
            found = self._with_kind(thing, found, refused, options)
            lap("kind")
        return found, proof

    def _kind_counts(self, thing: Thing, found: Sequence[Found], options: Options) -> bool:
        """Tell whether photos of the same kind are looked for; a text is of no kind."""
        if not self.kind_dim or thing.aspect is None:
            return False
        if options.same_kind is not None:
            return options.same_kind > 0
        return not any(one.probability >= LIKELY for one in found)

    def _with_kind(
        self, thing: Thing, found: Sequence[Found], refused: Set[str], options: Options
    ) -> list[Found]:
        """Return what was found and photos of the same kind: ordered as the request weighs both.

        Where it says nothing, the thing itself was not found: best guesses of both take turns, most
        of them the kind's where there is hardly any hope.
        """
        weight = 1.0 if options.same_kind is None else options.same_kind
        fetch = self._fetch(asked(thing.embeddings, self.kind_dim, weight), options)
        best = [m for m in _best(fetch, options.grouping) if m.image_id not in refused]
        alike = list(of_kind(best, found))
        if options.same_kind is None:
            hope = max((one.probability for one in found), default=0.0)
            return by_turns(found, alike, KINDS_EACH if hope < HOPELESS else 1)
        proven = [one for one in found if one.places]
        every = {one.match.image_id: one for one in (*proven, *alike)}
        return sorted(every.values(), key=lambda one: (-one.standing, one.match.image_id))

    def _verified(
        self, matches: Sequence[Match], thing: Thing, fetch: Fetch, options: Options
    ) -> tuple[list[Match], Verification]:
        """Return the matches of both channels in their order after verifying, and the proof."""
        assert thing.queries is not None
        by_words = self.verifier.candidates(options.collection, thing.queries, options.where)
        asked_ms = options.verify_budget_ms
        budget_s = self.verifier.budget_s if asked_ms is None else asked_ms / 1000
        proof = self.verifier.verify(
            options.collection,
            thing.queries,
            fused([match.image_id for match in matches], by_words, thing.queries),
            places=options.grouping.hits_per_image,
            budget_s=budget_s * options.share,
        )
        known = {match.image_id for match in matches}
        more = (
            best_of_image(name, fetch, options.grouping)
            for name in proof.places
            if name not in known
        )
        every = [*matches, *(match for match in more if match is not None)]
        every.sort(key=lambda m: (-standing(m.score, proof.places, m.image_id), m.image_id))
        return every, proof

    def _without(
        self,
        unlike: Thing,
        matches: Sequence[Match],
        proof: Verification,
        background: Background,
        options: Options,
    ) -> list[Match]:
        """Return the matches without what is more like a negative than like the thing."""
        if unlike.queries is not None:
            candidates = fused(list(proof.places), (), unlike.queries)
            most, budget_s = options.grouping.hits_per_image, self.verifier.budget_s
            proof.without(
                self.verifier.verify(
                    options.collection, unlike.queries, candidates, places=most, budget_s=budget_s
                )
            )
        fetch = self._fetch(asked(unlike.embeddings, self.kind_dim), options)
        kept = without_unlike(matches, fetch, proof.places, options.grouping, background)
        kept.sort(key=lambda m: (-standing(m.score, proof.places, m.image_id), m.image_id))
        return kept

    def _photos_to_zoom(self, thing: Thing, options: Options) -> int:
        """Return how many photos get a closer look; texts and other aggregates than `max` none."""
        if thing.aspect is None or options.grouping.aggregate is not Aggregate.MAX:
            return 0
        return self.zoom_images if options.zoom is None else options.zoom

    def _fetch(self, embeddings: Embeddings, options: Options) -> Fetch:
        """Return what asks for the points nearest to any of the embeddings, best first.

        Scores are dot products: an embedding need not have norm 1. A point's score is the best
        that any of them gives it, so that the first `limit` of the union of all first `limit` are
        those of all points.
        """
        exact = self.store.count(options.collection) < self.exact_below
        norms = np.linalg.norm(embeddings, axis=1)

        def fetch(limit: int, image_id: str | None = None) -> list[Hit]:
            best: dict[str, Hit] = {}
            for vector, norm in zip(embeddings, norms.tolist(), strict=True):
                for near in self.store.search(
                    options.collection,
                    vector / norm,
                    limit=limit,
                    where=options.where,
                    image_id=image_id,
                    exact=exact,
                ):
                    hit = replace(near, score=near.score * norm)
                    if hit.id not in best or best[hit.id].score < hit.score:
                        best[hit.id] = hit
            return sorted(best.values(), key=order)[:limit]

        return fetch


def _best(fetch: Fetch, wanted: Grouping) -> list[Match]:
    """Return the best photos, and behind them the others among the nearest regions."""
    nearest = fetch(NEAREST)
    return with_runners_up(best_images(remembered(nearest, fetch), wanted), nearest, wanted)


def _found(match: Match, proof: Verification, background: Background) -> Found:
    places = tuple(proof.places.get(match.image_id, ()))
    return Found(
        match,
        places,
        standing(match.score, proof.places, match.image_id),
        certainty(match.score, places, background),
        background.rise(match.score),
    )

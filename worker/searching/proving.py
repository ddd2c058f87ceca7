"""From candidates to proof: which images show the thing, and which show what they should not.

Candidates by embedding and by words are verified in one order. What is more like the negative
examples than like the thing is left out, places and images alike.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from worker.local.match import Query
from worker.searching.agreeing import Agreer
from worker.searching.candidates import Candidate, Candidates, images_to_verify
from worker.searching.counting import Counter
from worker.searching.grouping import Match, best_of_image
from worker.searching.nearest import Nearest
from worker.searching.options import SearchOptions
from worker.searching.question import Thing
from worker.searching.standing import by_standing
from worker.searching.unlike import without_unlike
from worker.searching.verifying import Limits, Proof, Verifier

RANK_OFFSET = 10
"""Reciprocal rank fusion (Cormack et al., 2009): how slowly a channel's later ranks lose weight."""
MIRRORED = 0.25
"""Weight of what the embedding brought up, the other way round: few photos show things mirrored."""
TWICE = 2
"""Places that verifying looks for: an image that has two is counted."""


@dataclass(frozen=True)
class Proven:
    """The candidates with their proof: `matches` in their order, those with proof first.

    `refused` are the images that were left out for what they should not be like.
    """

    candidates: Candidates
    matches: tuple[Match, ...]
    proof: Proof = field(default_factory=Proof)
    refused: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Prover:
    """Proves candidates; negatives are verified within as much time as the thing itself."""

    nearest: Nearest
    verifier: Verifier
    agreer: Agreer
    counter: Counter

    def prove(self, candidates: Candidates, options: SearchOptions) -> Proven:
        """Return the candidates with their proof. Raises StoreUnavailable."""
        proven = self._verified(candidates, options)
        unlike = candidates.unlike
        return proven if unlike is None else self._without(unlike, proven, options)

    def _verified(self, candidates: Candidates, options: SearchOptions) -> Proven:
        queries = candidates.thing.queries
        if queries is None:
            return Proven(candidates, candidates.matches)
        by_embedding = [match.image_id for match in candidates.matches]
        budget_s = options.verify_budget_s * options.share
        started = time.monotonic()
        proof = self.verifier.verify(
            options.collection,
            queries,
            fused(by_embedding, candidates.by_words, queries),
            Limits(
                images_to_verify(queries, options.verify_images),
                TWICE,
                budget_s,
            ),
        )
        proof = self.agreer.compare(proof, candidates.thing.pixels, options.collection)
        more = self._brought_up(candidates, proof, options)
        matches = by_standing([*candidates.matches, *more], proof.places)
        first = [m.image_id for m in matches if m.image_id in proof.places]
        proof = self.counter.count(
            proof,
            first[: options.grouping.limit],
            candidates.thing,
            options.collection,
            started + budget_s,
        )
        return Proven(candidates, by_standing(matches, proof.places), proof)

    def _brought_up(
        self, candidates: Candidates, proof: Proof, options: SearchOptions
    ) -> list[Match]:
        """Return the matches of images with proof that the embedding had not brought up."""
        known = {match.image_id for match in candidates.matches}
        names = [name for name in proof.places if name not in known]
        if not names:
            return []
        fetch = self.nearest.fetch(candidates.thing, options)
        more = (best_of_image(name, fetch, options.grouping) for name in names)
        return [match for match in more if match is not None]

    def _without(self, unlike: Thing, proven: Proven, options: SearchOptions) -> Proven:
        """Return what was proven without what is more like a negative than like the thing."""
        proof, grouping = proven.proof, options.grouping
        if unlike.queries is not None:
            against = self.verifier.verify(
                options.collection,
                unlike.queries,
                fused(list(proof.places), (), unlike.queries),
                Limits(
                    options.verify_images,
                    max(map(len, proof.places.values()), default=1),
                    options.verify_budget_s * options.share,
                    every=True,
                ),
            )
            proof = proof.without(against)
        # Scores for both are compared: the kind counts as much for either.
        weight = self.nearest.kind_weight(proven.candidates.thing, options)
        fetch = self.nearest.fetch(unlike, options, weight)
        background = proven.candidates.background
        kept = without_unlike(proven.matches, fetch, proof.places, grouping, background)
        names = {match.image_id for match in kept}
        refused = frozenset(m.image_id for m in proven.matches if m.image_id not in names)
        return Proven(proven.candidates, by_standing(kept, proof.places), proof, refused)


def fused(
    by_embedding: Sequence[str], by_words: Sequence[Candidate], queries: Sequence[Query]
) -> list[Candidate]:
    """Return the candidates of both channels, best first, by reciprocal rank fusion.

    The embedding does not know which way round the query is: its images are tried as it is first,
    and mirrored after.
    """
    weights: dict[Candidate, float] = {}
    for rank, name in enumerate(by_embedding):
        for number, query in enumerate(queries):
            weight = MIRRORED if query.mirrored else 1.0
            weights[Candidate(name, number)] = weight / (RANK_OFFSET + rank)
    for rank, candidate in enumerate(by_words):
        weights[candidate] = weights.get(candidate, 0.0) + 1.0 / (RANK_OFFSET + rank)
    return sorted(weights, key=lambda c: (-weights[c], c.image_id, c.query))

"""Grouping equals brute force, ties included, whatever the limits."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from common.contract.fields import HitSource
from common.geometry import Box
from common.vectors.aggregate import Aggregate
from worker.searching.grouping import Grouping, Match, best_images, order
from worker.vectors.base import Hit, Region

BOX = Box(0, 0, 9, 9)


def brute_force(hits: list[Hit], grouping: Grouping) -> list[Match]:
    """Group every hit there is."""
    images: dict[str, list[Hit]] = {}
    for hit in sorted(hits, key=order):
        if hit.score >= grouping.min_score:
            images.setdefault(hit.region.image_id, []).append(hit)
    matches = [
        Match(i, grouping.score(h[: grouping.hits_per_image]), tuple(h[: grouping.hits_per_image]))
        for i, h in images.items()
    ]
    return sorted(matches, key=lambda m: (-m.score, m.image_id))[: grouping.limit]


def engine(hits: list[Hit], limits: list[int]):  # type: ignore[no-untyped-def]
    """Return a fetch that orders ties its own way, as engines do, and notes every limit."""
    ranked = sorted(hits, key=lambda hit: (-hit.score, hit.id[::-1]))

    def fetch(limit: int, image_id: str | None = None) -> list[Hit]:
        limits.append(limit)
        return [h for h in ranked if image_id in (None, h.region.image_id)][:limit]

    return fetch


def hits_of(scores: list[tuple[int, float]]) -> list[Hit]:
    return [
        Hit(f"p{n:04}", score, Region(f"image{i}", BOX, HitSource.TILE, None, None))
        for n, (i, score) in enumerate(scores)
    ]


# Few distinct scores, so that ties are everywhere; both signs; values that floats hold exactly.
scores = st.lists(
    st.tuples(st.integers(0, 40), st.sampled_from([-0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0])),
    max_size=400,
)


@settings(max_examples=300, deadline=None)
@given(
    scores,
    st.integers(1, 20),
    st.integers(1, 6),
    st.sampled_from([-1.0, 0.0, 0.25, 0.6]),
    st.sampled_from(list(Aggregate)),
)
def test_grouping_equals_brute_force(
    scores: list[tuple[int, float]],
    limit: int,
    hits_per_image: int,
    min_score: float,
    aggregate: Aggregate,
) -> None:
    grouping = Grouping(limit, hits_per_image, min_score, aggregate)
    hits = hits_of(scores)
    assert best_images(engine(hits, []), grouping) == brute_force(hits, grouping)


def test_one_image_that_holds_the_first_thousand_points_hides_no_other() -> None:
    hits = hits_of([(0, 1.0)] * 1000 + [(1, 0.5), (2, 0.25)])
    found = best_images(engine(hits, []), Grouping(limit=2, hits_per_image=1))
    assert [match.image_id for match in found] == ["image0", "image1"]


def test_a_clear_answer_does_not_read_the_whole_collection() -> None:
    hits = hits_of([(n % 1000, 1.0 - n / 100_000) for n in range(50_000)])
    limits: list[int] = []
    best_images(engine(hits, limits), Grouping(limit=5, hits_per_image=2))
    assert sum(limits) < 500


def test_many_hits_of_each_image_are_its_own_and_not_sought_among_all() -> None:
    hits = hits_of([(n % 200, 1.0 - n / 100_000) for n in range(50_000)])
    limits: list[int] = []
    found = best_images(engine(hits, limits), grouping := Grouping(limit=10, hits_per_image=100))
    assert found == brute_force(hits, grouping)
    assert sum(limits) < 10 * 102 + 200, "of 50,000 regions"


def test_what_an_index_finds_late_comes_in_its_place() -> None:
    """Among an image's own regions it may find one that it missed among all."""
    hits = hits_of(
        [(1, 0.9 - n / 1000) for n in range(9)] + [(0, 0.8 - n / 1000) for n in range(9)]
    )
    missed = Hit("p9999", 0.95, Region("image0", BOX, HitSource.TILE, None, None))

    def fetch(limit: int, image_id: str | None = None) -> list[Hit]:
        own = [hit for hit in [*hits, missed] if hit.region.image_id == image_id]
        return sorted(own if image_id else hits, key=order)[:limit]

    found = best_images(fetch, Grouping(limit=2, hits_per_image=6))
    assert [(match.image_id, match.score) for match in found] == [("image0", 0.95), ("image1", 0.9)]

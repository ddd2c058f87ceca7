"""Which places of an image an answer shows: each once, verified ones first, things in turns."""

from __future__ import annotations

from dataclasses import replace

from common.contract.fields import HitSource
from common.geometry import Box
from worker.local.placement import Placement
from worker.searching.grouping import Match
from worker.searching.hits import outside, shown_hits
from worker.searching.judging import JudgedImage
from worker.searching.ranking import Holding, together
from worker.searching.standing import by_standing, standing
from worker.searching.verifying import Proof
from worker.vectors.base import Hit, Region

SPOT = Box(0, 0, 100, 100)
NEAR = Box(10, 10, 100, 100)
FAR = Box(200, 200, 300, 300)


def hit(box: Box, score: float, label: str | None = None) -> Hit:
    return Hit(f"{box}", score, Region("image", box, HitSource.TILE, label, 0.5))


def place(box: Box, evidence: float = 10.0) -> Placement:
    corners = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    return Placement(box, corners, 0.0, 1.0, False, 9, 9, evidence, 0.5)


def match(*hits: Hit, name: str = "image") -> Match:
    return Match(name, max(one.score for one in hits), hits)


def test_a_verified_place_takes_the_label_and_score_of_the_hit_it_lies_on() -> None:
    shown = shown_hits(match(hit(FAR, 0.9, "far"), hit(NEAR, 0.6, "near")), [place(SPOT)])
    assert [one.box for one in shown] == [SPOT, FAR]
    assert [one.source for one in shown] == [HitSource.LOCAL, HitSource.TILE]
    assert (shown[0].label, shown[0].score, shown[0].confidence) == ("near", 0.6, 0.5)


def test_a_verified_place_where_nothing_is_indexed_has_the_score_of_its_image() -> None:
    shown = shown_hits(match(hit(FAR, 0.9, "far")), [place(SPOT)])
    assert (shown[0].label, shown[0].score, shown[0].confidence) == (None, 0.9, None)
    assert len(shown) == 2


def test_only_what_lies_elsewhere_is_new() -> None:
    hits = [hit(NEAR, 0.9), hit(FAR, 0.8)]
    assert outside(hits, [SPOT]) == [hits[1]]
    assert outside(hits, []) == hits


def judged(
    *hits: Hit, name: str = "image", places: tuple[Placement, ...] = (), probability: float = 0.9
) -> JudgedImage:
    return JudgedImage(match(*hits, name=name), places, hits[0].score, probability, 0.5)


def test_things_take_turns_and_each_shows_one_hit_at_least() -> None:
    first = judged(hit(NEAR, 0.9), hit(FAR, 0.8))
    second = judged(hit(FAR, 0.7))
    holding = Holding("image", {0: first, 1: second}, 2)
    assert [number for number, _ in holding.hits(5)] == [0, 1, 0]
    assert [number for number, _ in holding.hits(1)] == [0, 1]


def test_the_thing_that_is_most_probably_there_shows_its_hits_first() -> None:
    alike, there = judged(hit(NEAR, 0.9), probability=0.2), judged(hit(FAR, 0.4), probability=0.8)
    holding = Holding("image", {0: alike, 1: there}, 2)
    assert [number for number, _ in holding.hits(5)] == [1, 0]
    assert holding.likely == [1]


def test_one_thing_keeps_its_order_and_of_several_the_fuller_images_come_first() -> None:
    a, b = judged(hit(NEAR, 0.2), name="a"), judged(hit(NEAR, 0.9), name="b")
    assert [one.image_id for one in together([[a, b]])] == ["a", "b"]
    assert [one.image_id for one in together([[b, a], [a]])] == ["a", "b"]


def test_proof_outweighs_any_score_and_ties_go_by_id() -> None:
    low, high, same = (match(hit(FAR, score), name=name) for name, score in
                       (("low", 0.1), ("high", 0.9), ("also", 0.9)))  # fmt: skip
    places = {"low": (place(SPOT, evidence=20.0),)}
    names = [one.image_id for one in by_standing([low, high, same], places)]
    assert names == ["low", "also", "high"]


def test_of_two_proofs_the_one_with_the_very_details_comes_first() -> None:
    more, less = place(SPOT, evidence=230.0), place(SPOT, evidence=60.0)
    assert standing(0.8, [more]) > standing(0.8, [less])
    variant, same = replace(more, agreement=0.8), replace(less, agreement=0.97)
    assert standing(0.9, [same]) > standing(0.9, [variant]) > standing(0.9, [less])


def test_a_place_that_another_query_is_surer_of_is_no_proof() -> None:
    proof = Proof({"a": (place(SPOT, 5.0), place(FAR, 4.0)), "b": (place(SPOT, 5.0),)})
    left = proof.without(Proof({"a": (place(NEAR, 6.0),), "b": (place(SPOT, 5.0),)}))
    assert [one.box for one in left.places["a"]] == [FAR]
    assert set(left.places) == {"a"}


def test_proof_of_several_things_is_summed() -> None:
    one = Proof({"a": (place(SPOT),)}, checked=frozenset("ab"))
    other = Proof({"a": (place(FAR),)}, checked=frozenset("bc"), complete=False)
    both = Proof.summed([one, other])
    assert (set(both.places), both.checked, both.complete) == ({"a"}, frozenset("abc"), False)

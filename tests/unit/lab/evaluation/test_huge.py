"""Huge images made from seeds: what is cut from where, what is asked, and what is counted."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from lab.evaluation.bootstrap import Estimate
from lab.evaluation.huge import mosaics
from lab.evaluation.huge.drawings import plan, wall
from lab.evaluation.huge.drawings import windows as around
from lab.evaluation.huge.making import SIDES, made
from lab.evaluation.huge.mosaics import dealt, mosaic, windows
from lab.evaluation.huge.run import ask, sheets, write_answers
from lab.evaluation.photos import Photo
from lab.evaluation.service.index import Collection, Spent
from lab.evaluation.service.large import ALTERED
from lab.evaluation.service.plan import EXACT
from needle import Needle
from needle.results import SearchResult
from tests.unit.lab.evaluation.helpers import patches, result

GRIDS = [(2, 1), (2, 2)]


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Photo]:
    """Five photos of 2 x 2 small pieces."""
    monkeypatch.setattr(mosaics, "CELL_PX", (200, 150))
    paths = [tmp_path / f"{n}.png" for n in range(5)]
    for seed, path in enumerate(paths):
        patches(seed, 400, 300).save(path)
    return [Photo(path, "made", 400, 300, ()) for path in paths]


def test_windows_lie_in_pieces_that_no_other_mosaic_shows(photos: list[Photo]) -> None:
    hands = dealt(photos, GRIDS, 7)
    assert hands == dealt(photos, GRIDS, 7) != dealt(photos, GRIDS, 8)
    shown = [{(p.photo, p.left, p.top) for p in hand} for hand in hands]
    for hand, other in zip(hands, reversed(shown), strict=True):
        own = {(p.photo, p.left, p.top) for p in hand if p.own}
        assert own and not own & other
    image = mosaic(photos, hands[1], 2)
    assert image.size == (400, 300)
    cells = [
        (n % 2 * 200, n // 2 * 150, n % 2 * 200 + 200, n // 2 * 150 + 150)
        for n, piece in enumerate(hands[1])
        if piece.own
    ]
    for box in windows(image, hands[1], 2, (40, 60), 4, random.Random(1)):
        x1, y1, x2, y2 = box.corners
        assert any(a <= x1 and b <= y1 and x2 <= c and y2 <= d for a, b, c, d in cells)
        assert ((x2 - x1) * (y2 - y1)) ** 0.5 == pytest.approx(box.side_px, rel=0.05)


def test_too_few_photos_for_so_many_mosaics_are_refused(photos: list[Photo]) -> None:
    with pytest.raises(FileNotFoundError, match="1 photos are too few"):
        dealt(photos[:1], GRIDS * 3, 0)


def test_drawings_are_the_same_again_and_no_window_is_like_another() -> None:
    image, places = plan(random.Random(3))
    again, _ = plan(random.Random(3))
    assert image.tobytes() == again.tobytes()
    boxes = around(places, (80, 330), 5, random.Random(3))
    icons, own = wall(random.Random(3))
    assert {box.side_px for box in own} == set(SIDES)
    assert len(own) > 200
    crops = [image.crop(_whole(box.corners)).tobytes() for box in boxes]
    crops += [icons.crop(_whole(box.corners)).tobytes() for box in own]
    assert len(set(crops)) == len(crops)
    assert all(np.ptp(np.frombuffer(crop, np.uint8)) > 80 for crop in crops)


def test_without_photos_there_are_drawings_alone(tmp_path: Path) -> None:
    drawn = made(tmp_path, [], images=1, windows=2, seed=0)
    assert [(photo.set, len(photo.boxes)) for photo in drawn] == [
        ("plan", 10),
        ("wall of icons", 10),
    ]


def test_what_is_cut_short_is_gone_on_with_and_counted_by_kind_and_side(tmp_path: Path) -> None:
    drawn = made(tmp_path, [], images=1, windows=1, seed=0)
    collection = Collection("huge", ("plan", "wall"), (0, 0), Spent(2), (), {}, 9)
    asked = list(ask(drawn, collection, _Service(), Console(quiet=True)))
    assert [(one.kind, one.what) for one in asked[:2]] == [("plan", EXACT), ("plan", ALTERED)]
    assert len(asked) == 2 * 2 * len(SIDES)
    exact, altered = sheets(asked)
    lines = {(line[0], line[1]): [_share(v) for v in line[2:]] for line in exact.lines}
    # The small one was found when there was time, the others at once.
    assert lines["plan", 80] == [1, 1.0, 0.0, 0.0, 0.0, 1.0]
    assert lines["plan", 110] == [1, 1.0, 0.0, 0.0, 1.0, 0.0]
    assert lines["plan", "all"] == [5, 1.0, 0.0, 0.0, 0.8, 0.2]
    assert lines["wall of icons", "all"] == [5, 0.0, 0.0, 0.0, 0.0, 0.2]
    assert "JPEG 50" in altered.about and "JPEG 50" not in exact.about
    write_answers(asked, tmp_path / "answers.jsonl")
    facts = json.loads((tmp_path / "answers.jsonl").read_text().splitlines()[0])
    assert (facts["side_px"], facts["answer"]["rank"], facts["patient"]["rank"]) == (80, 11, 1)


class _Service(Needle):
    """Finds the plan, in whatever it is shown; small things only when it is asked to go on."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:9")

    def search(self, image: bytes, **_options: object) -> SearchResult:  # type: ignore[override]
        if Image.open(io.BytesIO(image)).width <= 80:
            return result(verification={"complete": False})
        return result("plan", verification={"complete": True})

    def continue_search(self, search: SearchResult) -> SearchResult:  # type: ignore[override]
        return result("plan")


def _whole(corners: tuple[float, ...]) -> tuple[int, int, int, int]:
    x1, y1, x2, y2 = (int(value) for value in corners)
    return x1, y1, x2, y2


def _share(value: object) -> object:
    return value.value if isinstance(value, Estimate) else value

"""What is learnt from: found where it lies, drawn from the seed, showing what is said of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lab.training.pictures.boxes import MOST_IOU, astray, iou, random_box, regions
from lab.training.pictures.canvases import Canvases, visible
from lab.training.pictures.photos import Pixels, digest, find_photos, spread
from lab.training.pictures.tiles import TILE_PX, cut_large
from lab.training.pictures.views import ASTRAY, MILD, SEARCHED, Strength, Views
from tests.unit.lab.training.conftest import noise

PLAIN = Strength(framing=0, mirror=0, tilt=0, colour=0, dark=0, grey=0, blur=0)


def pixels(seed: int, width: int = 160, height: int = 120) -> Pixels:
    return np.asarray(noise(seed, width, height))


def test_photos_are_found_in_archives_and_in_folders(archives: Path, tmp_path: Path) -> None:
    for folder in ("plain", "fruit/apple"):
        (tmp_path / folder).mkdir(parents=True)
        noise(50).save(tmp_path / folder / "one.png")
    photos = find_photos(archives, [tmp_path / "plain", tmp_path / "fruit"])
    assert len(photos) == 14 and photos == sorted(photos, key=lambda photo: photo.name)
    by_name = {photo.name: photo for photo in photos}
    first = by_name["some/goldfinch/00.png"]
    assert (first.source, first.size) == ("some", (100, 80))
    assert np.array_equal(first.pixels, np.asarray(noise(0)))
    assert {"fruit/apple/one.png", "plain/one.png"} <= set(by_name)
    assert len(spread(photos, 5)) == len(set(spread(photos, 5))) == 5
    assert digest(photos) == digest(list(photos)) != digest(photos[1:])


def test_a_folder_without_photos_is_said(archives: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no photos in"):
        find_photos(archives, [tmp_path])
    with pytest.raises(FileNotFoundError, match=r"no \.tar archives"):
        find_photos(tmp_path)


def test_a_large_photo_is_cut_once(archives: Path, tmp_path: Path) -> None:
    (tmp_path / "wall").mkdir()
    noise(51, 2000, 1400).save(tmp_path / "wall" / "paper.png")
    photos = find_photos(archives, [tmp_path / "wall"])
    pieces = cut_large(photos, tmp_path / "tiles", seed=1)
    wide, high = TILE_PX
    cut = [piece for piece in pieces if piece.source == "wall"]
    assert len(pieces) > len(cut) > 20 and len(pieces) == len(photos) - 1 + len(cut)
    assert all(piece.size[0] <= wide and piece.size[1] <= high for piece in cut)
    times = [piece.path.stat().st_mtime_ns for piece in cut]
    again = [p for p in cut_large(photos, tmp_path / "tiles", seed=1) if p.source == "wall"]
    assert [piece.path.stat().st_mtime_ns for piece in again] == times


def test_regions_lie_in_the_photo_and_apart() -> None:
    photo = pixels(1)
    found = regions(photo, 8, np.random.default_rng(2))
    assert 3 <= len(found) <= 8
    boxes = [tuple(box) for box in found.tolist()]
    for n, (x1, y1, x2, y2) in enumerate(boxes):
        assert 0 <= x1 < x2 <= 160 and 0 <= y1 < y2 <= 120
        assert all(iou(boxes[n], other) <= MOST_IOU for other in boxes[n + 1 :])
    moved = astray(found, 160, 120, 0.1, np.random.default_rng(3))
    assert (moved >= 0).all() and (moved <= (160, 120, 160, 120)).all()
    assert np.abs(moved - found).max() <= 0.1 * 160
    assert not np.array_equal(moved, found)


def test_a_view_that_changes_nothing_is_the_crop() -> None:
    photo = pixels(1)
    view = Views(32).view(photo, (8, 16, 40, 48), PLAIN, np.random.default_rng(0), photo)
    assert np.array_equal(view, photo[16:48, 8:40])


@pytest.mark.parametrize("strength", [MILD, SEARCHED, ASTRAY])
def test_views_are_squares_of_any_box(strength: Strength) -> None:
    rng = np.random.default_rng(2)
    for _ in range(40):
        box = random_box(160, 120, rng)
        view = Views(48).view(pixels(1), box, strength, rng, pixels(2))
        assert view.shape == (48, 48, 3) and view.dtype == np.uint8


def test_a_canvas_depends_on_the_seed_and_its_number_alone(archives: Path) -> None:
    photos = find_photos(archives)
    canvas, boxes = Canvases(photos, side_px=96, seed=1)[3]
    again = Canvases(photos, side_px=96, seed=1)
    again[2]
    assert canvas.shape == (96, 96, 3)
    assert np.array_equal(canvas, again[3][0]) and boxes == again[3][1]
    assert not np.array_equal(canvas, again[4][0])


def test_cutouts_lie_on_the_canvas(archives: Path) -> None:
    canvases = Canvases(find_photos(archives), side_px=96, seed=1)
    boxes = np.array([box for n in range(16) for box in canvases[n][1]])
    assert len(boxes) > 10
    assert (boxes >= 0).all() and (boxes <= 96).all()
    assert (boxes[:, 2:] - boxes[:, :2] >= 1).all()


def test_finer_photos_fill_a_canvas_alone(archives: Path, tmp_path: Path) -> None:
    noise(52, 480, 320).save(tmp_path / "fine.png")
    canvases = Canvases(find_photos(archives, [tmp_path]), side_px=96, seed=1)
    assert all(canvases[n][1] == [] for n in (1, 3, 5, 7))
    assert any(canvases[n][1] for n in (0, 2, 4, 6))


def test_a_cutout_under_another_is_no_longer_there() -> None:
    under, over, beside = (0.0, 0.0, 10.0, 10.0), (0.0, 0.0, 10.0, 8.0), (50.0, 0.0, 60.0, 10.0)
    assert visible([under, beside, over]) == [beside, over]

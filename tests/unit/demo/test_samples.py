"""The sample set: the same from the same seed, and true to what it says about itself."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from demo.samples import Query, SampleSet, generate, load
from demo.samples.items import birds, packs

SMALL = (720, 480)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("samples")


@pytest.fixture(scope="module")
def made(folder: Path) -> SampleSet:
    return generate(folder, seed=3, scenes=2, size=SMALL)


def query(made: SampleSet, alteration: str) -> Query:
    return next(query for query in made.queries if query.alteration == alteration)


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"), np.int16)


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_set_has_photos_of_the_size_asked_for_and_a_query_for_each_star(made: SampleSet) -> None:
    assert [pixels(photo).shape for photo in made.photos] == [(480, 720, 3)] * 2
    assert [query.name for query in made.queries] == ["box", "bird", "absent"]
    assert all(query.path.is_file() for query in made.queries)


def test_the_same_seed_gives_the_same_bytes(folder: Path, made: SampleSet, tmp_path: Path) -> None:
    generate(tmp_path, seed=3, scenes=2, size=SMALL)
    assert files(tmp_path) == files(folder)


def test_another_seed_gives_another_photo(made: SampleSet, tmp_path: Path) -> None:
    other = generate(tmp_path, seed=4, scenes=1, size=SMALL)
    assert np.abs(pixels(other.photos[0]) - pixels(made.photos[0])).mean() > 10


def test_each_box_lies_inside_its_photo_and_covers_a_small_share(made: SampleSet) -> None:
    present = [query for query in made.queries if query.photo]
    assert len(present) == 2
    for one in present:
        assert one.box is not None
        x1, y1, x2, y2 = one.box
        assert 0 <= x1 < x2 <= SMALL[0]
        assert 0 <= y1 < y2 <= SMALL[1]
        assert 0.004 < (x2 - x1) * (y2 - y1) / (SMALL[0] * SMALL[1]) < 0.05


def test_an_exact_crop_shows_the_pixels_of_its_box(folder: Path, made: SampleSet) -> None:
    one = query(made, "exact crop")
    assert one.photo and one.box
    x1, y1, x2, y2 = one.box
    crop = pixels(folder / "photos" / one.photo)[y1:y2, x1:x2]
    assert crop.shape == pixels(one.path).shape
    assert np.abs(crop - pixels(one.path)).mean() < 4


def test_a_mirrored_query_is_its_box_turned_round(folder: Path, made: SampleSet) -> None:
    one = query(made, "mirrored")
    assert one.photo and one.box
    x1, y1, x2, y2 = one.box
    crop = pixels(folder / "photos" / one.photo)[y1:y2, x1:x2]
    assert np.abs(crop[:, ::-1] - pixels(one.path)).mean() < 4


def test_the_absent_query_has_no_photo_and_no_box(made: SampleSet) -> None:
    one = query(made, "not in any photo")
    assert (one.photo, one.box) == (None, None)


def test_a_second_call_draws_nothing(folder: Path, made: SampleSet) -> None:
    drawn: list[tuple[int, int]] = []
    before = {path: path.stat().st_mtime_ns for path in made.photos}

    def note(done: int, total: int) -> None:
        drawn.append((done, total))

    assert generate(folder, seed=3, scenes=2, size=SMALL, progress=note) == made
    assert drawn == []
    assert {path: path.stat().st_mtime_ns for path in made.photos} == before


def test_progress_counts_every_photo_and_an_unfinished_set_is_drawn_again(tmp_path: Path) -> None:
    drawn: list[tuple[int, int]] = []

    def note(done: int, total: int) -> None:
        drawn.append((done, total))

    first = generate(tmp_path, scenes=1, size=SMALL, progress=note)
    first.photos[0].unlink()
    assert generate(tmp_path, scenes=1, size=SMALL, progress=note) == first
    assert drawn == [(1, 1), (1, 1)]


def test_load_reads_what_generate_wrote(folder: Path, made: SampleSet) -> None:
    assert load(folder) == made


def test_load_says_so_when_there_is_no_set(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path)


def test_load_refuses_a_set_of_another_version(made: SampleSet, tmp_path: Path) -> None:
    (tmp_path / "truth.json").write_text(json.dumps({"version": 0}))
    with pytest.raises(ValueError, match="version 0"):
        load(tmp_path)


@pytest.mark.parametrize(("scenes", "size"), [(0, SMALL), (1, (720, 40))])
def test_a_set_that_cannot_be_drawn_is_refused(
    tmp_path: Path, scenes: int, size: tuple[int, int]
) -> None:
    with pytest.raises(ValueError, match="cannot draw"):
        generate(tmp_path, scenes=scenes, size=size)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("item", [packs.box, birds.bird])
def test_an_item_keeps_its_design_at_another_size(item: object) -> None:
    assert callable(item)
    small = item(np.random.default_rng(5), (120, 160))
    large = item(np.random.default_rng(5), (240, 320))
    assert (small.mode, small.size) == ("RGBA", (120, 160))
    difference = np.asarray(large.resize(small.size), np.int16) - np.asarray(small, np.int16)
    assert np.abs(difference).mean() < 12

"""Local features: keypoints, their bytes, and their words."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from common.errors import InvalidImage, InvalidSettings
from tests.textures import texture
from worker.local import parts
from worker.local.codes import CODE_BYTES, code_of
from worker.local.features import extract
from worker.local.keypoints import Keypoints
from worker.local.match import NearestMatcher, Query
from worker.local.stored import StoredKeypoints
from worker.local.vocabulary import Vocabulary
from worker.local.words import image_words, query_words, weighted

VOCABULARY = Vocabulary.load()


def keypoints(seed: int, most: int = 500) -> Keypoints:
    return Keypoints.of(extract(texture(seed), most), VOCABULARY)


def stored(seed: int, most: int = 500) -> StoredKeypoints:
    return StoredKeypoints.of(keypoints(seed, most), VOCABULARY)


def test_features_have_their_shapes_and_lie_in_the_picture() -> None:
    found = extract(texture(1), 300)
    assert len(found) == 300
    assert (found.points.shape, found.points.dtype) == ((300, 2), np.float32)
    assert (found.descriptors.shape, found.descriptors.dtype) == ((300, 128), np.uint8)
    assert (found.points >= 0).all() and (found.points < [320, 240]).all()
    norms = np.linalg.norm(found.descriptors.astype(float), axis=1)
    assert norms == pytest.approx(np.full(300, 512), abs=8)


def test_a_faint_corner_keeps_keypoints_beside_a_strong_one() -> None:
    pixels = np.asarray(texture(1)).copy()
    pixels[:, 160:] = 120 + pixels[:, 160:] // 4
    found = extract(Image.fromarray(pixels), 200)
    assert 50 <= (found.points[:, 0] > 160).sum() <= 150


@pytest.mark.parametrize("size", [(3, 3), (7, 200), (64, 64)])
def test_a_picture_with_nothing_in_it_has_no_keypoints(size: tuple[int, int]) -> None:
    found = extract(Image.new("RGB", size, (90, 90, 90)), 100)
    assert len(found) == 0 and found.descriptors.shape == (0, 128)
    kept = StoredKeypoints.of(Keypoints.of(found, VOCABULARY), VOCABULARY)
    assert list(weighted(image_words(kept)).indices) == []
    assert len(StoredKeypoints.from_bytes(kept.to_bytes(VOCABULARY), VOCABULARY)) == 0
    for query in Query.both(found, VOCABULARY):
        assert query_words(query).indices == []
        assert len(NearestMatcher().pairs(query, stored(1))) == 0


def test_a_large_image_is_reduced_and_its_points_are_in_its_own_pixels() -> None:
    small = texture(1, (800, 600))
    large = small.resize((2400, 1800), Image.Resampling.BICUBIC)
    ours, theirs = extract(small, 200), extract(large, 200)
    near = np.abs(ours.points[:, None] * 3 - theirs.points[None]).max(axis=2).min(axis=1)
    assert np.median(near) < 6


def test_mirrored_features_are_those_of_the_mirrored_picture() -> None:
    mine = extract(texture(4), 5000).mirrored()
    theirs = extract(ImageOps.mirror(texture(4)), 5000)
    distance = np.linalg.norm(mine.points[:, None] - theirs.points[None], axis=2)
    close = distance.min(axis=1) < 0.5
    assert close.mean() > 0.7
    ours, others = mine.descriptors[close], theirs.descriptors[distance.argmin(axis=1)[close]]
    alike = (ours / 512 * (others / 512)).sum(axis=1)
    assert np.median(alike) > 0.99


def test_keypoints_come_back_from_their_bytes() -> None:
    before = stored(1)
    content = before.to_bytes(VOCABULARY)
    assert len(content) == 24 + 25 * len(before)
    after = StoredKeypoints.from_bytes(content, VOCABULARY)
    assert (after.width, after.height, len(after)) == (320, 240, len(before))
    assert (after.words == before.words).all() and (np.diff(after.words) >= 0).all()
    assert np.abs(after.points - before.points).max() < 0.01
    assert np.abs(np.log2(after.sizes / before.sizes)).max() < 0.03
    turned = np.abs((after.angles - before.angles + 180) % 360 - 180)
    assert turned.max() < 0.8


def test_descriptors_come_back_near_to_what_they_were() -> None:
    before, after = keypoints(1), stored(1)
    words = VOCABULARY.words(before.vectors)
    order = np.argsort(words, kind="stable")
    assert (words[order] == after.words).all()
    every = after.code.vectors(after.codes)
    assert np.linalg.norm(every - before.vectors[order], axis=1).mean() < 0.15


def earlier(form: bytes, now: Keypoints) -> bytes:
    """Return keypoints as earlier versions wrote them: strongest first, without words."""
    sides = np.array([now.width, now.height])
    places = np.rint(now.points / sides * 65535).astype("<u2").tobytes()
    sizes = np.rint((np.log2(now.sizes) + 1) * 20).astype(np.uint8).tobytes()
    angles = (np.rint(now.angles * (256 / 360)).astype(np.int64) % 256).astype(np.uint8).tobytes()
    codes = code_of(VOCABULARY).packed(now.vectors)
    if form == b"NLF1":
        step = VOCABULARY.spread * np.float32(5 / 16)
        levels = np.clip(np.floor(now.vectors / step) + 8, 0, 15).astype(np.uint8)
        codes = levels[:, 0::2] << 4 | levels[:, 1::2]
    head = form + VOCABULARY.id.encode() + struct.pack("<III", now.width, now.height, len(now))
    return head + places + sizes + angles + codes.tobytes()


@pytest.mark.parametrize("form", [b"NLF1", b"NLF2"])
def test_keypoints_of_earlier_forms_are_still_read(form: bytes) -> None:
    now = keypoints(1, 200)
    content = earlier(form, now)
    read = StoredKeypoints.from_bytes(content, VOCABULARY)
    assert len(read) == 200 and (np.diff(read.words) >= 0).all()
    found = NearestMatcher().pairs(Query.both(extract(texture(1), 200), VOCABULARY)[0], read)
    apart = np.linalg.norm(now.points[found.query] - read.points[found.image], axis=1)
    assert len(found) > 150 and (apart < 0.01).mean() > 0.8
    with pytest.raises(InvalidImage, match="cut off"):
        StoredKeypoints.from_bytes(content[:-1], VOCABULARY)
    plain = earlier(form, Keypoints.of(extract(Image.new("RGB", (64, 64)), 9), VOCABULARY))
    assert len(StoredKeypoints.from_bytes(plain, VOCABULARY)) == 0


def test_near_cells_lose_few_of_the_pairs_that_all_comparisons_find() -> None:
    image = stored(5, 2000)
    view = texture(5).resize((250, 190)).crop((30, 20, 200, 160))
    query = Query.both(extract(view, 300), VOCABULARY)[0]
    pairs = NearestMatcher(most=100_000).pairs(query, image)
    vectors = image.code.vectors(image.codes)
    squares = ((query.keypoints.vectors[:, None] - vectors[None]) ** 2).sum(axis=2)
    assert (squares[pairs.query, pairs.image] < query.reach[pairs.query]).all()
    has_one = (squares < query.reach[:, None]).any(axis=1)
    nearest = squares.argmin(axis=1)
    found = set(zip(pairs.query.tolist(), pairs.image.tolist(), strict=True))
    wanted = [(row, int(nearest[row])) for row in np.flatnonzero(has_one)]
    assert len(wanted) > 100
    assert np.mean([pair in found for pair in wanted]) > 0.9


@pytest.mark.parametrize("size", [(2600, 1700), (1203, 3601)])
def test_a_picture_in_parts_has_the_keypoints_of_the_whole(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = texture(6, size)
    pixels = size[0] * size[1]
    parted = extract(picture, 3000, pixels)
    monkeypatch.setattr(parts, "PART_PIXELS", 2 * pixels)
    whole = extract(picture, 3000, pixels)
    assert len(parted) == pytest.approx(len(whole), rel=0.1)
    squares = ((parted.points[:, None] - whole.points[None]) ** 2).sum(axis=2)
    near = squares.argmin(axis=1)
    same = squares.min(axis=1) < 1.0
    # Both keep some of many: those that both kept are at the same place, of the same size.
    assert same.mean() > 0.6
    grown = np.abs(np.log2(parted.sizes[same] / whole.sizes[near[same]]))
    assert np.median(grown) < 0.05
    # No seam: the middle row and column of parts have their share.
    columns = np.histogram(parted.points[:, 0], 20, (0, size[0]))[0]
    assert columns[2:-2].min() > 0.5 * columns.mean()


def test_a_component_that_varies_more_has_more_bits() -> None:
    levels = code_of(VOCABULARY).levels
    assert np.log2(levels).sum() == 8 * CODE_BYTES
    assert (np.diff(levels) <= 0).all()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda content: b"", "version"),
        (lambda content: b"NLF0" + content[4:], "version"),
        (lambda content: content[:-1], "cut off"),
        (lambda content: content + b"\0", "cut off"),
        (lambda content: content[:4] + b"00000000" + content[12:], "another vocabulary"),
        (lambda content: content[:24] + b"\xff\xff\xff" + content[27:], "words that"),
    ],
)
def test_other_bytes_are_refused_with_a_reason(damage, reason: str) -> None:  # type: ignore[no-untyped-def]
    content = damage(stored(1, 20).to_bytes(VOCABULARY))
    with pytest.raises(InvalidImage, match=reason):
        StoredKeypoints.from_bytes(content, VOCABULARY)


def test_a_crop_shares_more_words_with_its_image_than_with_others() -> None:
    images = [set(image_words(stored(n)).tolist()) for n in range(4)]
    crop = Query.both(extract(texture(2).crop((60, 40, 220, 180)), 300), VOCABULARY)[0]
    query = query_words(crop)
    assert list(query.indices) == sorted(set(query.indices))
    assert max(query.weights) == pytest.approx(1)
    shared = [
        sum(w for word, w in zip(query.indices, query.weights, strict=True) if word in image)
        for image in images
    ]
    assert shared[2] > 3 * sorted(shared)[-2]


def test_a_file_that_is_no_vocabulary_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.npz").write_bytes(b"PK and no more")
    for name in ("broken.npz", "missing.npz"):
        with pytest.raises(InvalidSettings, match="no vocabulary"):
            Vocabulary.load(tmp_path / name)


def test_keypoints_of_another_vocabulary_are_told_apart() -> None:
    other = replace(VOCABULARY, id="otherone")
    with pytest.raises(InvalidImage, match="another vocabulary"):
        StoredKeypoints.from_bytes(stored(1, 20).to_bytes(other), VOCABULARY)

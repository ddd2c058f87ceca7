"""Local features: keypoints, their bytes, and their words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from common.errors import InvalidImage, InvalidSettings
from tests.textures import texture
from worker.local.codes import CODE_BYTES, code_of
from worker.local.features import extract
from worker.local.keypoints import Keypoints
from worker.local.vocabulary import Vocabulary
from worker.local.words import image_words, query_words, weighted

VOCABULARY = Vocabulary.load()


def keypoints(seed: int, most: int = 500) -> Keypoints:
    return Keypoints.of(extract(texture(seed), most), VOCABULARY)


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
    words = image_words(Keypoints.of(found, VOCABULARY), VOCABULARY)
    assert list(weighted(words).indices) == []
    assert query_words(Keypoints.of(found, VOCABULARY), VOCABULARY).indices == []


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
    before = keypoints(1)
    content = before.to_bytes(VOCABULARY)
    assert len(content) == 24 + 22 * len(before)
    after = Keypoints.from_bytes(content, VOCABULARY)
    assert (after.width, after.height, len(after)) == (320, 240, len(before))
    assert np.abs(after.points - before.points).max() < 0.01
    assert np.abs(np.log2(after.sizes / before.sizes)).max() < 0.03
    turned = np.abs((after.angles - before.angles + 180) % 360 - 180)
    assert turned.max() < 0.8
    assert np.linalg.norm(after.vectors - before.vectors, axis=1).mean() < 0.15


def test_keypoints_of_the_earlier_form_are_still_read() -> None:
    now = keypoints(1, 50)
    step = VOCABULARY.spread * np.float32(5 / 16)
    levels = np.clip(np.floor(now.vectors / step) + 8, 0, 15).astype(np.uint8)
    content = now.to_bytes(VOCABULARY)
    places = content[24 : 24 + 6 * len(now)]
    earlier = b"NLF1" + content[4:24] + places + (levels[:, 0::2] << 4 | levels[:, 1::2]).tobytes()
    read = Keypoints.from_bytes(earlier, VOCABULARY)
    assert len(read) == 50
    assert np.linalg.norm(read.vectors - now.vectors, axis=1).mean() < 0.08
    with pytest.raises(InvalidImage, match="cut off"):
        Keypoints.from_bytes(b"NLF2" + earlier[4:], VOCABULARY)


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
    ],
)
def test_other_bytes_are_refused_with_a_reason(damage, reason: str) -> None:  # type: ignore[no-untyped-def]
    content = damage(keypoints(1, 20).to_bytes(VOCABULARY))
    with pytest.raises(InvalidImage, match=reason):
        Keypoints.from_bytes(content, VOCABULARY)


def test_a_crop_shares_more_words_with_its_image_than_with_others() -> None:
    images = [set(image_words(keypoints(n), VOCABULARY).tolist()) for n in range(4)]
    crop = Keypoints.of(extract(texture(2).crop((60, 40, 220, 180)), 300), VOCABULARY)
    query = query_words(crop, VOCABULARY)
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
        Keypoints.from_bytes(keypoints(1, 20).to_bytes(other), VOCABULARY)

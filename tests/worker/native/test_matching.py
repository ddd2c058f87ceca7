"""Kernels over keypoints, against the same written plainly."""

from __future__ import annotations

import math

import numpy as np

from tests.textures import texture
from worker.local.codes import code_of
from worker.local.features import extract
from worker.local.keypoints import Keypoints
from worker.local.match import NEAR_CELLS, Query
from worker.local.stored import StoredKeypoints
from worker.local.vocabulary import Vocabulary
from worker.native.arrays import Integers
from worker.native.matching import pairs, votes

VOCABULARY = Vocabulary.load()


def both(seed: int) -> tuple[Query, StoredKeypoints]:
    """Return a query, and an image that shows it."""
    picture = texture(seed)
    query = Query.both(extract(picture.crop((40, 40, 220, 200)), 300), VOCABULARY)[0]
    return query, StoredKeypoints.of(Keypoints.of(extract(picture, 900), VOCABULARY), VOCABULARY)


def _told(rows: Integers, columns: Integers) -> list[tuple[int, int]]:
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


def test_pairs_are_those_of_near_cells_within_reach() -> None:
    query, image = both(1)
    rows, columns, distances = pairs(
        image.words,
        image.codes,
        image.code.coded,
        query.marks(NEAR_CELLS),
        query.keypoints.vectors,
        query.reach,
    )
    (first, _), (second, _) = query.near
    vectors = image.code.vectors(image.codes)
    wanted = {}
    for row in range(len(query.keypoints)):
        halves = set(first[row].tolist()), set(second[row].tolist())
        for column, word in enumerate(image.words.tolist()):
            if word // query.cells in halves[0] and word % query.cells in halves[1]:
                distance = float(((query.keypoints.vectors[row] - vectors[column]) ** 2).sum())
                if distance < query.reach[row]:
                    wanted[row, column] = distance
    assert len(wanted) > 100
    found = dict(zip(_told(rows, columns), distances.tolist(), strict=True))
    assert found.keys() == wanted.keys() and len(found) == len(rows)
    assert all(math.isclose(found[pair], wanted[pair], rel_tol=1e-3) for pair in wanted)


def test_there_is_room_for_every_pair_of_a_picture_that_repeats_itself() -> None:
    query, image = both(2)
    same = np.zeros(9000, np.int64)
    everywhere = np.full_like(query.marks(1)[0], 2**64 - 1)
    reach = np.full(len(query.reach), 100, np.float32)
    rows, columns, _ = pairs(
        same,
        np.repeat(image.codes[:1], 9000, axis=0),
        image.code.coded,
        (everywhere, everywhere),
        np.repeat(query.keypoints.vectors[:1], everywhere.shape[1] * 64, axis=0),
        np.resize(reach, everywhere.shape[1] * 64),
    )
    assert len(set(_told(rows, columns))) == 9000 * everywhere.shape[1] * 64


def test_words_that_no_vocabulary_has_pair_with_nothing() -> None:
    """Bytes that were damaged say them; `StoredKeypoints.from_bytes` refuses those as well."""
    query, image = both(3)
    for word in (-1, query.cells**2, 2**24 - 1):
        rows, _, _ = pairs(
            np.full_like(image.words, word),
            image.codes,
            image.code.coded,
            query.marks(NEAR_CELLS),
            query.keypoints.vectors,
            query.reach,
        )
        assert len(rows) == 0


def test_codes_are_read_as_they_are_written() -> None:
    code = code_of(VOCABULARY)
    packed = np.random.default_rng(1).integers(0, 256, (50, 16)).astype(np.uint8)
    wanted = code.vectors(packed)
    coded = code.coded
    for bytes_of, vector in zip(packed, wanted, strict=True):
        read = np.pad(coded.least, (0, 8))
        for place, value in enumerate(bytes_of):
            start = coded.starts[place]
            read[start : start + 8] += coded.table[place, value]
        assert np.allclose(read[:64], vector, atol=1e-5)


def test_pairs_vote_for_the_transforms_of_others() -> None:
    rng = np.random.default_rng(3)
    source = rng.uniform(0, 200, (60, 2)).astype(np.float32)
    turn = np.radians(350.0)
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    target = (1.5 * source @ turned.T + [30, 40]).astype(np.float32)
    angles = np.full(60, 350, np.float32)
    growth = np.full(60, 1.5, np.float32)
    target[40:] = rng.uniform(0, 400, (20, 2))  # in another place
    angles[30:35] = 5  # within 30 degrees, the other way round the circle
    angles[35:38] = 60  # beyond
    growth[38:40] = 3.0
    close, count = votes(source, target, angles, growth, 128, 30.0, math.log(1.6))
    assert close.shape == (60, 60) and (close.sum(axis=1) == count).all()
    assert close[0, :35].all() and not close[0, 35:40].any() and close[0, 40:].sum() < 5
    assert len(votes(source, target, angles, growth, 7, 30.0, math.log(1.6))[1]) == 7

"""Kernels over keypoints: which look alike, and which transforms they agree on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worker.native.arrays import Bytes, Floats, Integers, Marks
from worker.native.library import library

REACHED = 8
"""Components that one byte of a code may say something of."""


@dataclass(frozen=True)
class Coded:
    """How descriptors are coded: a byte b of 16 says `table[b, its value]` of eight components.

    Those begin at `starts[b]`. `least` float32 (64,) is what every descriptor has; `starts` int64
    (16,), `table` float32 (16, 256, 8).
    """

    starts: Integers
    table: Floats
    least: Floats

    @classmethod
    def of(cls, values: Floats, least: Floats) -> Coded:
        """Take what each bit of a code says, float32 (128, 64), the first bit the highest."""
        bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(np.float32)
        starts, tables = [], []
        for said in values.reshape(-1, 8, values.shape[1]):
            start = int(np.flatnonzero(said.any(axis=0))[0])
            part = np.pad(said, ((0, 0), (0, REACHED)))[:, start : start + REACHED]
            starts.append(start)
            tables.append(bits @ part)
        return cls(np.array(starts, np.int64), np.stack(tables).astype(np.float32), least)


def pairs(
    words: Integers,
    codes: Bytes,
    coded: Coded,
    marks: tuple[Marks, Marks],
    vectors: Floats,
    reach: Floats,
) -> tuple[Integers, Integers, Floats]:
    """Return which of a query's descriptors come within reach of which of an image's.

    `words` int64 (N,) and `codes` uint8 (N, 16) are the image's; of the query are `marks` uint64
    (cells, M / 64): a bit for each descriptor to which a cell of either half is near, `vectors`
    float32 (M, 64) and `reach` (M,), squared distances. Returns rows, columns, squared distances.
    """
    first, second = marks
    if first.shape != second.shape or len(vectors) > first.shape[1] * 64:
        raise ValueError("marks are for each cell, with a bit for each of the query's descriptors")
    if codes.shape != (len(words), 16) or vectors.shape != (len(reach), 64):
        raise ValueError("an image has a code for each word, a query a reach for each descriptor")
    room = max(4096, 2 * len(words))
    while True:
        rows, columns = np.empty(room, np.int64), np.empty(room, np.int64)
        distances = np.empty(room, np.float32)
        found = library().needle_pairs(
            words,
            len(words),
            len(first),
            first,
            second,
            first.shape[1],
            np.ascontiguousarray(codes),
            coded.starts,
            coded.table,
            coded.least,
            vectors,
            reach,
            rows,
            columns,
            distances,
            room,
        )
        if found <= room:
            return rows[:found], columns[:found], distances[:found]
        room = found


def votes(
    source: Floats,
    target: Floats,
    turned: Floats,
    growth: Floats,
    tried: int,
    most_turned: float,
    most_grown: float,
) -> tuple[NDArray[np.bool_], Integers]:
    """Tell which pairs roughly agree with the transforms that the first `tried` of them propose.

    `source`, `target` float32 (N, 2); `turned` (N,) in degrees, 0..360, and `growth` (N,), factors:
    what each pair says of the transform. Returns bool (tried, N), and how many agree, (tried,).
    """
    count = len(source)
    if source.shape != (count, 2) or target.shape != (count, 2) or turned.shape != (count,):
        raise ValueError("a pair leads from one place to another, and turns")
    tried = min(tried, count)
    angles = np.radians(turned)
    grown = np.stack([growth * np.cos(angles), growth * np.sin(angles), np.log(growth)], axis=1)
    close = np.empty((tried, count), np.uint8)
    agreeing = np.empty(tried, np.int64)
    library().needle_votes(
        source,
        target,
        turned,
        grown.astype(np.float32),
        count,
        tried,
        most_turned,
        most_grown,
        close,
        agreeing,
    )
    return close.view(np.bool_), agreeing

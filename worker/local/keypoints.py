"""Keypoints with shortened descriptors, and their bytes in the image store.

22 bytes a keypoint: place, size and angle take 6, a descriptor 16 (`codes.py`). Earlier versions
wrote 38, with 4 bits for each of a descriptor's 64 numbers; those are still read.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import numpy as np

from common.errors import InvalidImage
from worker.local.codes import CODE_BYTES, code_of
from worker.local.features import Bytes, LocalFeatures
from worker.local.scales import Floats
from worker.local.vocabulary import SHORT, Vocabulary

_MAGIC = b"NLF2"
_EARLIER = b"NLF1"
_HEAD = struct.Struct("<4s8sIII")  # magic, vocabulary, width, height, count
_PLACE_BYTES = 2 + 2 + 1 + 1
_REACH = 2.5
"""Standard deviations that an earlier component's 16 levels span on either side."""
_SIZE_STEPS = 20.0
"""Levels a doubling of a keypoint's size: 8 bits reach from half a pixel to 3,000."""


@dataclass(frozen=True)
class Keypoints:
    """A picture's keypoints as they are compared; `vectors` float32 (N, 64), the rest as in
    `LocalFeatures`."""

    width: int
    height: int
    points: Floats
    sizes: Floats
    angles: Floats
    vectors: Floats = field(repr=False)

    def __len__(self) -> int:
        return len(self.points)

    @classmethod
    def of(cls, features: LocalFeatures, vocabulary: Vocabulary) -> Keypoints:
        """Shorten the descriptors of a picture's features."""
        return cls(
            features.width,
            features.height,
            features.points,
            features.sizes,
            features.angles,
            vocabulary.shorten(features.descriptors),
        )

    def to_bytes(self, vocabulary: Vocabulary) -> bytes:
        """Return the keypoints as bytes; places are kept to 1/65535 of the sides."""
        head = _HEAD.pack(_MAGIC, vocabulary.id.encode(), self.width, self.height, len(self))
        sides = np.array([self.width, self.height], np.float32)
        places = np.clip(np.rint(self.points / sides * 65535), 0, 65535).astype("<u2")
        sizes = np.clip(np.rint((np.log2(self.sizes) + 1) * _SIZE_STEPS), 0, 255)
        angles = np.rint(self.angles * (256 / 360)).astype(np.int64) % 256
        columns = (places, sizes.astype(np.uint8), angles.astype(np.uint8))
        codes = code_of(vocabulary).packed(self.vectors)
        return b"".join([head, *(column.tobytes() for column in columns), codes.tobytes()])

    @classmethod
    def from_bytes(cls, content: bytes, vocabulary: Vocabulary) -> Keypoints:
        """Read what `to_bytes` wrote. Raises InvalidImage for other bytes or vocabularies."""
        width, height, count, earlier = _head(content, vocabulary)
        body = np.frombuffer(content, np.uint8, offset=_HEAD.size)
        places, sizes, angles, codes = np.split(body, [4 * count, 5 * count, 6 * count])
        sides = np.array([width, height], np.float32)
        return cls(
            width,
            height,
            (places.view("<u2").reshape(count, 2) * (sides / 65535)).astype(np.float32),
            np.exp2(sizes / np.float32(_SIZE_STEPS) - 1).astype(np.float32),
            (angles * np.float32(360 / 256)).astype(np.float32),
            _earlier_vectors(codes.reshape(count, SHORT // 2), vocabulary)
            if earlier
            else code_of(vocabulary).vectors(codes.reshape(count, CODE_BYTES)),
        )


def _head(content: bytes, vocabulary: Vocabulary) -> tuple[int, int, int, bool]:
    """Return width, height, count and whether it is of the earlier form; refuse what is broken."""
    if len(content) < _HEAD.size or not content.startswith((_MAGIC, _EARLIER)):
        raise InvalidImage("These bytes are no local features of this version.")
    magic, made_with, width, height, count = _HEAD.unpack_from(content)
    if made_with != vocabulary.id.encode():
        raise InvalidImage("These local features were made with another vocabulary.")
    earlier = magic == _EARLIER
    row = _PLACE_BYTES + (SHORT // 2 if earlier else CODE_BYTES)
    if len(content) != _HEAD.size + count * row or not width or not height:
        raise InvalidImage("These local features are cut off or damaged.")
    return width, height, count, earlier


def _earlier_vectors(packed: Bytes, vocabulary: Vocabulary) -> Floats:
    step = vocabulary.spread * np.float32(2 * _REACH / 16)
    levels = np.empty((len(packed), SHORT), np.float32)
    levels[:, 0::2], levels[:, 1::2] = packed >> 4, packed & 15
    vectors: Floats = (levels - np.float32(7.5)) * step
    return vectors

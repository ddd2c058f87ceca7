"""An image's keypoints as they are kept beside it, in the order of their visual words.

25 bytes a keypoint: its word takes 3, place, size and angle 6, the descriptor 16 (`codes.py`). In
that order those that may match a query's descriptor lie together: a search decodes few of many.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import numpy as np

from common.errors import InvalidImage
from worker.local.codes import CODE_BYTES, Code, code_of
from worker.local.keypoints import Keypoints
from worker.local.parts import Bytes
from worker.local.scales import Floats
from worker.local.vocabulary import SHORT, Vocabulary, Words

_MAGIC = b"NLF3"
_UNORDERED, _EARLIEST = b"NLF2", b"NLF1"
"""Forms of earlier versions, without words and strongest first; the first had 4 bits a number."""
_HEAD = struct.Struct("<4s8sIII")  # magic, vocabulary, width, height, count
_WORD_BYTES = 3
_PLACE_BYTES = 2 + 2 + 1 + 1
_REACH = 2.5
"""Standard deviations that a number's 16 levels spanned on either side in the earliest form."""
_SIZE_STEPS = 20.0
"""Levels a doubling of a keypoint's size: 8 bits reach from half a pixel to 3,000."""


@dataclass(frozen=True)
class StoredKeypoints:
    """An image's keypoints in the order of their `words`, int64 (N,), ascending, with doubles.

    `points`, `sizes` and `angles` are as in `LocalFeatures`; `codes` uint8 (N, 16) are descriptors.
    """

    width: int
    height: int
    points: Floats
    sizes: Floats
    angles: Floats
    words: Words
    codes: Bytes = field(repr=False)
    code: Code = field(repr=False)

    def __len__(self) -> int:
        return len(self.words)

    @classmethod
    def of(cls, keypoints: Keypoints, vocabulary: Vocabulary) -> StoredKeypoints:
        """Name the words of an image's keypoints and put them in order."""
        words = vocabulary.words(keypoints.vectors)
        order = np.argsort(words, kind="stable")
        code = code_of(vocabulary)
        return cls(
            keypoints.width,
            keypoints.height,
            keypoints.points[order],
            keypoints.sizes[order],
            keypoints.angles[order],
            words[order],
            code.packed(keypoints.vectors[order]),
            code,
        )

    def to_bytes(self, vocabulary: Vocabulary) -> bytes:
        """Return the keypoints as bytes; places are kept to 1/65535 of the sides."""
        head = _HEAD.pack(_MAGIC, vocabulary.id.encode(), self.width, self.height, len(self))
        words = self.words.astype("<u4").view(np.uint8).reshape(-1, 4)[:, :_WORD_BYTES]
        sides = np.array([self.width, self.height], np.float32)
        places = np.clip(np.rint(self.points / sides * 65535), 0, 65535).astype("<u2")
        sizes = np.clip(np.rint((np.log2(self.sizes) + 1) * _SIZE_STEPS), 0, 255)
        angles = np.rint(self.angles * (256 / 360)).astype(np.int64) % 256
        columns = (words, places, sizes.astype(np.uint8), angles.astype(np.uint8), self.codes)
        return b"".join([head, *(column.tobytes() for column in columns)])

    @classmethod
    def from_bytes(cls, content: bytes, vocabulary: Vocabulary) -> StoredKeypoints:
        """Read what `to_bytes` wrote. Raises InvalidImage for other bytes or vocabularies."""
        magic, width, height, count = _head(content, vocabulary)
        body = np.frombuffer(content, np.uint8, offset=_HEAD.size)
        if magic != _MAGIC:
            return cls.of(_earlier(magic, width, height, count, body, vocabulary), vocabulary)
        words = np.zeros((count, 4), np.uint8)
        words[:, :_WORD_BYTES] = body[: _WORD_BYTES * count].reshape(count, _WORD_BYTES)
        named = words.view("<u4").reshape(count)
        if (named >= vocabulary.cells**2).any():
            raise InvalidImage("These local features name words that the vocabulary lacks.")
        body = body[_WORD_BYTES * count :]
        codes = body[_PLACE_BYTES * count :].reshape(count, CODE_BYTES)
        return cls(
            width,
            height,
            *_places(body, width, height, count),
            named.astype(np.int64),
            codes,
            code_of(vocabulary),
        )


def _head(content: bytes, vocabulary: Vocabulary) -> tuple[bytes, int, int, int]:
    """Return form, width, height and count; refuse what is broken."""
    row = {
        _MAGIC: _WORD_BYTES + _PLACE_BYTES + CODE_BYTES,
        _UNORDERED: _PLACE_BYTES + CODE_BYTES,
        _EARLIEST: _PLACE_BYTES + SHORT // 2,
    }
    if len(content) < _HEAD.size or content[:4] not in row:
        raise InvalidImage("These bytes are no local features of this version.")
    magic, made_with, width, height, count = _HEAD.unpack_from(content)
    if made_with != vocabulary.id.encode():
        raise InvalidImage("These local features were made with another vocabulary.")
    if len(content) != _HEAD.size + count * row[magic] or not width or not height:
        raise InvalidImage("These local features are cut off or damaged.")
    return magic, width, height, count


def _places(body: Bytes, width: int, height: int, count: int) -> tuple[Floats, Floats, Floats]:
    """Return points, sizes and angles of a body that begins with them."""
    places, sizes, angles, _ = np.split(body, [4 * count, 5 * count, 6 * count])
    sides = np.array([width, height], np.float32)
    return (
        (places.view("<u2").reshape(count, 2) * (sides / 65535)).astype(np.float32),
        np.exp2(sizes / np.float32(_SIZE_STEPS) - 1).astype(np.float32),
        (angles * np.float32(360 / 256)).astype(np.float32),
    )


def _earlier(
    magic: bytes, width: int, height: int, count: int, body: Bytes, vocabulary: Vocabulary
) -> Keypoints:
    """Read the body of an earlier form."""
    codes = body[_PLACE_BYTES * count :]
    if magic == _UNORDERED:
        vectors = code_of(vocabulary).vectors(codes.reshape(count, CODE_BYTES))
    else:
        halves = codes.reshape(count, SHORT // 2)
        levels = np.empty((count, SHORT), np.float32)
        levels[:, 0::2], levels[:, 1::2] = halves >> 4, halves & 15
        vectors = (levels - np.float32(7.5)) * (vocabulary.spread * np.float32(2 * _REACH / 16))
    return Keypoints(width, height, *_places(body, width, height, count), vectors)

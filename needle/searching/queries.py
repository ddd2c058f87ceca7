"""What is searched for: what the words after `needle search` name."""

from __future__ import annotations

import glob
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from needle import ids
from needle.uploads import find_images, given_name

STDIN = "-"
_IMAGE_ID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


@dataclass(frozen=True)
class Query:
    """A query as `Needle.search` takes it (`asked`), what it is called, and its file if any."""

    name: str
    asked: Mapping[str, Any] = field(hash=False)
    content: bytes | Path | None = None

    def key(self) -> str:
        """Return what it is known by: its name and its bytes. Raises OSError."""
        if isinstance(self.content, Path):
            return f"{self.name}:{ids.file_digest(self.content)}"
        return f"{self.name}:{hashlib.sha256(self.content or b'').hexdigest()}"


@dataclass(frozen=True)
class Queries:
    """The queries of one run. A folder or a pattern makes `many` of them, however few it holds.

    Of the files in folders that are no images, `left_out` says how many there are of each ending.
    """

    each: tuple[Query, ...]
    many: bool = False
    left_out: Mapping[str, int] = field(default_factory=dict)


def find(words: Sequence[str], *, stdin: Callable[[], bytes]) -> Queries:
    """Return what the words name: files, folders, patterns, URLs, image ids, `-` for `stdin`.

    Raises FileNotFoundError for a word that names nothing.
    """
    left_out: Counter[str] = Counter()
    found: list[Query] = []
    many = len(words) > 1
    for word in words:
        folder = _folder(word)
        if folder:
            many = True
            images = find_images([folder], left_out=left_out)
            found += [_file(path, given_name(path, folder)) for path in images]
        elif _is_pattern(word):
            many = True
            found += [_file(path, given_name(path)) for path in _matching(word)]
        else:
            found.append(one(word, stdin=stdin))
    return Queries(tuple(_once(found)), many, left_out)


def one(word: str, *, stdin: Callable[[], bytes]) -> Query:
    """Return the one query that a word names. Raises FileNotFoundError where it names none."""
    if word == STDIN:
        content = stdin()
        return Query("stdin", {"image": ("query", content)}, content)
    if word.startswith(("http://", "https://")):
        return Query(word, {"url": word})
    path = Path(word).expanduser()
    if not path.exists() and _IMAGE_ID.match(word):
        return Query(word, {"image_id": word})
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {word}.")
    return _file(path, given_name(path))


def _file(path: Path, name: str) -> Query:
    return Query(name, {"image": path}, path)


def _folder(word: str) -> Path | None:
    path = Path(word).expanduser()
    return path if path.is_dir() else None


def _is_pattern(word: str) -> bool:
    return "://" not in word and glob.has_magic(word) and not Path(word).expanduser().exists()


def _matching(pattern: str) -> list[Path]:
    found = sorted(glob.glob(str(Path(pattern).expanduser()), recursive=True))
    paths = [Path(path) for path in found if Path(path).is_file()]
    if not paths:
        raise FileNotFoundError(f"No file matches {pattern}.")
    return paths


def _once(queries: Iterable[Query]) -> Iterable[Query]:
    """Leave out what was named before: a pattern may match what a folder holds."""
    seen: set[object] = set()
    for query in queries:
        place = query.content.absolute() if isinstance(query.content, Path) else query.name
        if place not in seen:
            seen.add(place)
            yield query

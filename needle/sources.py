"""What the words after `needle index` name: folders, files, patterns, archives, lists, URLs."""

from __future__ import annotations

import glob
import random
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from needle import archives, remote
from needle.archives import OnLeftOut
from needle.uploads import (
    Upload,
    find_images,
    from_disk,
    given_name,
    is_image,
    path_text,
    sendable,
)

LISTS = frozenset({".txt", ".lst", ".urls"})
STDIN = "-"
MOST_IN_A_RANGE = 100_000
SAMPLE = 10_000
"""Files whose sizes are asked for where there are more."""
_RANGE = re.compile(r"\{(\d{1,9})\.\.(\d{1,9})\}")

OnFault = Callable[[str, str], None]
"""(name, reason) of a file that cannot be read."""


@dataclass(frozen=True)
class Sources:
    """Images to index: files, archives of images, and URLs for the service to download.

    `shards` are URLs of tar archives, which are streamed through here. What is in `buckets`
    (`s3://BUCKET/PREFIX`) the service lists. Neither is counted here. `folders` were named, and
    images in them are called by their path from there on. Of the files in folders that are no
    images, `left_out` says how many there are of each ending. `absent` are lines of lists that
    name nothing, each with the reason.
    """

    images: tuple[Path, ...] = ()
    archives: tuple[Path, ...] = ()
    urls: tuple[str, ...] = ()
    buckets: tuple[str, ...] = ()
    shards: tuple[str, ...] = ()
    folders: tuple[Path, ...] = ()
    absent: tuple[tuple[str, str], ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def together(cls, parts: Iterable[Sources]) -> Sources:
        """Return all of them as one, in their order. There may be millions: a list has a line each.

        Raises what `parts` raises.
        """
        named = [each.name for each in fields(cls) if each.name != "left_out"]
        every: dict[str, list[Any]] = {name: [] for name in named}
        left_out: Counter[str] = Counter()
        for part in parts:
            for name, some in every.items():
                some += getattr(part, name)
            left_out.update(part.left_out)
        return cls(**{name: tuple(some) for name, some in every.items()}, left_out=left_out)

    def __bool__(self) -> bool:
        """Tell whether there is anything, or should be."""
        some = self.images or self.archives or self.urls or self.buckets or self.shards
        return bool(some or self.absent)

    def only(self, files: Collection[Path]) -> Sources:
        """Return those of its files alone."""
        return replace(
            self,
            images=tuple(path for path in self.images if path in files),
            archives=tuple(path for path in self.archives if path in files),
            urls=(),
            buckets=(),
            shards=(),
            absent=(),
            left_out={},
        )

    def count(self) -> int:
        """Return how many images there are at least: those in tar archives are not known yet."""
        packed = sum(archives.count(path) for path in self.archives)
        return len(self.images) + len(self.urls) + len(self.absent) + packed

    def uploads(self, on_fault: OnFault, on_left_out: OnLeftOut | None = None) -> Iterator[Upload]:
        """Yield the files one at a time; one that cannot be read is told, and the rest goes on.

        What is no image in an archive is told to `on_left_out`.
        """
        for absent in self.absent:
            on_fault(*absent)
        for path in self.images:
            try:
                yield from_disk(path, self._name(path))
            except OSError as exc:
                on_fault(path_text(path), exc.strerror or str(exc))
        for path in self.archives:
            text = path_text(path)
            try:
                yield from _of(text, archives.members(path, on_left_out))
            except OSError as exc:
                on_fault(text, str(exc))
        for url in self.shards:
            try:
                yield from _of(url, remote.members(url, on_left_out))
            except OSError as exc:
                on_fault(url, str(exc))

    def _name(self, path: Path) -> str:
        root = next((folder for folder in self.folders if folder in path.parents), None)
        return given_name(path, root)


def find(
    words: Iterable[str], *, recursive: bool = True, stdin: Callable[[], str] = lambda: ""
) -> Sources:
    """Return what the words name.

    A word is a folder (with the archives in it), an image, an archive, a pattern (`*.jpg`, `**` for
    any depth), a range (`{000..099}`, of URLs as well), a URL of an image or a tar archive, a
    bucket, a prefix in it or an image there (`s3://`), a list (.txt: a word a line, `#` begins a
    remark) or `-` for a list on `stdin`. A line of a list that names nothing is `absent`. Raises
    FileNotFoundError for a word that does, ValueError for a list that is no text.
    """
    return Sources.together(_found(word, recursive, stdin, frozenset()) for word in words)


def _of(archive: str, members: Iterable[Upload]) -> Iterator[Upload]:
    """Yield the members of an archive with what it is called: another's have the same names.

    Of several that have one name in it, each further one has its number.
    """
    seen: Counter[str] = Counter()
    for member in members:
        seen[member.name] += 1
        yield replace(member, archive=archive, copy=seen[member.name])


def _found(
    word: str, recursive: bool, stdin: Callable[[], str], reading: frozenset[Path]
) -> Sources:
    """Return what a word names; `reading` are the lists that it stands in."""

    def each(words: Iterable[str]) -> Sources:
        return Sources.together(_found(one, recursive, lambda: "", reading) for one in words)

    if word == STDIN:
        return _of_list(stdin(), recursive, reading)
    if _RANGE.search(word) and "://" in word:
        return each(_spread(word))
    if word.startswith(("http://", "https://")):
        word = sendable(word)
        return Sources(shards=(word,)) if remote.is_tar(word) else Sources(urls=(word,))
    if word.startswith("s3://"):
        word = sendable(word)
        return Sources(urls=(word,)) if is_image(word) else Sources(buckets=(word,))
    path = Path(word).expanduser()
    if _RANGE.search(word) and not path.exists():
        return each(_spread(word))
    if path.is_dir():
        left_out: Counter[str] = Counter()
        inside = find_images(
            [path], recursive=recursive, left_out=left_out, also=archives.is_archive
        )
        packed = tuple(one for one in inside if archives.is_archive(one))
        images = tuple(one for one in inside if not archives.is_archive(one))
        return Sources(images=images, archives=packed, folders=(path,), left_out=left_out)
    if not path.exists():
        return each(_matching(word))
    if archives.is_archive(path):
        return Sources(archives=(path,))
    if path.suffix.lower() in LISTS:
        own = path.resolve()
        if own in reading:
            return Sources(absent=((sendable(word), "This list is being read: it names itself."),))
        return _of_list(_text(path), recursive, reading | {own})
    return Sources(images=(path,))


def _of_list(text: str, recursive: bool, reading: frozenset[Path]) -> Sources:
    """Return what the lines of a list name: one that names nothing does not stop the others."""

    def found(line: str) -> Sources:
        try:
            return _found(line, recursive, lambda: "", reading)
        except (OSError, RuntimeError, ValueError) as exc:  # `~nobody`, a name that is too long
            reason = getattr(exc, "strerror", None) or str(exc)
            return Sources(absent=((sendable(line), reason),))

    return Sources.together(map(found, lines(text)))


def lines(text: str) -> list[str]:
    """Return the words of a list: a line each, or ended by NUL as `find -print0` writes them."""
    parts = text.split("\0") if "\0" in text else text.splitlines()
    return [part.strip() for part in parts if part.strip() and not part.lstrip().startswith("#")]


def bytes_of(files: Sequence[Path]) -> int:
    """Return how many bytes files have together; of very many, what a sample of them says."""
    some = files if len(files) <= SAMPLE else random.sample(files, SAMPLE)
    sizes = []
    for path in some:
        with suppress(OSError):
            sizes.append(path.stat().st_size)
    return round(sum(sizes) / len(sizes) * len(files)) if sizes else 0


def _spread(word: str) -> list[str]:
    """Return the words of a range: `{08..10}` is 08, 09 and 10, as shells have it."""
    found = _RANGE.search(word)
    if found is None:
        return [word]
    first, last = found.groups()
    padded = first.startswith("0") or last.startswith("0")
    width = max(len(first), len(last)) if padded else 0
    before, after = word[: found.start()], word[found.end() :]
    if int(last) - int(first) >= MOST_IN_A_RANGE:
        raise ValueError(f"{word} names more than {MOST_IN_A_RANGE:,} files.")
    numbers = range(int(first), int(last) + 1)
    return [each for number in numbers for each in _spread(f"{before}{number:0{width}}{after}")]


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as exc:
        raise ValueError(f"{path} is no list: it is not text.") from exc


def _matching(pattern: str) -> Sequence[str]:
    """Return the paths that match a pattern. Raises FileNotFoundError when none does."""
    if glob.has_magic(pattern):
        found = sorted(glob.glob(str(Path(pattern).expanduser()), recursive=True))
        if found:
            return found
        raise FileNotFoundError(f"Nothing matches {pattern}.")
    raise FileNotFoundError(f"There is no file or folder {pattern}.")

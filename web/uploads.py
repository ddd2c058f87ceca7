"""From a multipart request to images: files as they are, archives member by member."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from werkzeug.datastructures import FileStorage

from common import paths, pictures
from common.errors import ClientLeft, ImageTooLarge, NeedleError, TooLarge
from common.settings import Settings
from common.sizes import sized
from web import archives
from web.archives import Limits

ASK_BYTES = 8 * 2**20
"""After so many bytes it is asked again whether the client is still there."""


@dataclass(frozen=True)
class ImageFile:
    """A file that looks like an image: its path, its bytes and what its header tells."""

    path: str
    content: bytes
    header: pictures.Header


@dataclass(frozen=True)
class Refused:
    """A file that cannot be taken, and why."""

    path: str
    error: NeedleError


def read_uploads(
    files: Iterable[FileStorage],
    settings: Settings,
    *,
    is_there: Callable[[], bool] = lambda: True,
    pages: bool = True,
) -> Iterator[ImageFile | Refused]:
    """Yield every image of a request, one at a time, so that the memory holds one.

    Of a TIFF file each page is an image, without `pages`
    the first alone. What file managers leave behind is passed over. Raises
    TooLarge when the request holds more files or unpacks to more bytes than allowed, and
    ClientLeft when `is_there` says that nobody waits for the answer.
    """
    items = 0
    limits = Limits.of(settings, _Counter(settings.max_request_bytes, is_there))
    for file in files:
        for path, content in _members(file, limits):
            for found in _images(path, content, settings, pages=pages):
                items += 1
                if items > settings.max_items_per_job:
                    raise TooLarge(
                        f"A request may hold at most {settings.max_items_per_job:,} images."
                    )
                yield found
            del content


def _images(
    path: str, content: bytes | NeedleError, settings: Settings, *, pages: bool
) -> Iterator[ImageFile | Refused]:
    """Yield the image in a file, and where it is of several pages each further one."""
    if isinstance(content, NeedleError):
        yield Refused(path, content)
        return
    first = check(path, content, settings)
    yield first
    if pages and isinstance(first, ImageFile) and first.header.format == "TIFF":
        for page in pictures.further_pages(content):
            name = f"{path}#{page.number}"
            if isinstance(page.content, NeedleError):
                yield Refused(name, page.content)
            else:
                yield check(name, page.content, settings)


class _Counter:
    """Counts the bytes of a request as they are unpacked."""

    def __init__(self, most_bytes: int, is_there: Callable[[], bool]) -> None:
        self._most, self._is_there = most_bytes, is_there
        self._count = self._asked = 0

    def __call__(self, more: int) -> None:
        """Count more bytes. Raises TooLarge or ClientLeft."""
        self._count += more
        if self._count > self._most:
            raise TooLarge(f"The files hold more than {sized(self._most)}.")
        if self._count - self._asked >= ASK_BYTES:
            self._asked = self._count
            if not self._is_there():
                raise ClientLeft("The client has left.")


def check(path: str, content: bytes, settings: Settings) -> ImageFile | Refused:
    """Return the image, or why it is none, by its size and its header."""
    try:
        if len(content) > settings.max_file_bytes:
            raise _too_many_bytes(settings)
        header = pictures.inspect(content, max_pixels=settings.max_image_pixels)
    except NeedleError as error:
        return Refused(path, _bare(error))
    return ImageFile(path, content, header)


def _too_many_bytes(settings: Settings) -> ImageTooLarge:
    return ImageTooLarge(f"The file holds more than {sized(settings.max_file_bytes)}.")


def _bare(error: NeedleError) -> NeedleError:
    """Return the error alone: its traceback would keep the refused file's bytes."""
    return type(error)(error.message, **error.details)


def _members(file: FileStorage, limits: Limits) -> Iterator[tuple[str, bytes | NeedleError]]:
    """Yield the path and bytes of a file, or of every file in it when it is an archive."""
    own = paths.cleaned(file.filename or "")
    found = archives.members(file.stream, limits)
    if found is None:
        if not paths.is_litter(own):
            single = file.stream.read(limits.file_bytes + 1)
            limits.count(len(single))
            yield own, single
        return
    for path, member in found:
        yield paths.cleaned(path) if path else own, member


def read_file(file: FileStorage, settings: Settings) -> ImageFile:
    """Return the one image of a field of a search request. Raises what is wrong with it."""
    content = file.stream.read(settings.max_file_bytes + 1)
    path = paths.cleaned(file.filename or "query")
    found = check(paths.name_of(path), content, settings)
    if isinstance(found, Refused):
        raise found.error
    return found

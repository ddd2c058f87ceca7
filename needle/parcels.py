"""What one request of a bulk index carries, and sending it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from needle import uploads
from needle.api import Needle
from needle.errors import NeedleApiError
from needle.jobs import Job
from needle.tally import Failure
from needle.uploads import Upload

URLS_PER_REQUEST = 200
TOO_LARGE, ONE_IMAGES_FAULT = 413, frozenset({400, 413, 415, 422})
INVALID_URL = "invalid_url"


@dataclass(frozen=True)
class Parcel:
    """Files or URLs, that are sent together."""

    files: tuple[Upload, ...] = ()
    urls: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return how many images these are."""
        return len(self.files) + len(self.urls)

    @property
    def names(self) -> tuple[str, ...]:
        """What they are called in messages."""
        return tuple(file.name for file in self.files) + self.urls

    @property
    def whereabouts(self) -> tuple[str, ...]:
        """Where they are, in the same order."""
        return tuple(file.whereabouts for file in self.files) + self.urls

    @property
    def keys(self) -> tuple[str, ...]:
        """What they are known by: image ids where they are known, and URLs."""
        return tuple(file.image_id for file in self.files if file.image_id) + self.urls

    def halves(self) -> tuple[Parcel, Parcel]:
        """Return it as two."""
        files, urls = len(self.files) // 2, len(self.urls) // 2
        return (
            Parcel(self.files[:files], self.urls[:urls]),
            Parcel(self.files[files:], self.urls[urls:]),
        )


@dataclass(frozen=True)
class Address:
    """Where images go, what is noted with each, how thoroughly they are indexed."""

    collection: str | None = None
    metadata: Mapping[str, Any] | None = None
    profile: str | None = None
    confidence_threshold: float | None = None
    batch_size: int | None = None
    local_features: int | None = None
    note: Sequence[str] | None = None


@dataclass(frozen=True)
class Receipt:
    """What became of a parcel: a job with what it holds, or why its images were refused, each."""

    parcel: Parcel
    job: Job | None = None
    refused: tuple[Failure, ...] = ()


def parcels(
    files: Iterable[Upload],
    urls: Iterable[str] = (),
    *,
    max_bytes: int = uploads.REQUEST_BYTES,
    max_files: int = uploads.REQUEST_FILES,
) -> Iterator[Parcel]:
    """Yield the requests that carry the files, then those that carry the URLs."""
    for batch in uploads.batches(files, max_bytes=max_bytes, max_files=max_files):
        yield Parcel(files=tuple(batch))
    rest = iter(urls)
    while some := tuple(islice(rest, URLS_PER_REQUEST)):
        yield Parcel(urls=some)


def send(needle: Needle, parcel: Parcel, address: Address) -> list[Receipt]:
    """Send a parcel; one that is too large, or that one of its images spoils, goes in halves.

    What is wrong with an image is in its receipt. Raises NeedleClientError when the service itself
    fails.
    """
    try:
        return [Receipt(parcel, _job(needle, parcel, address))]
    except NeedleApiError as exc:
        if len(exc.details.get("items") or ()) >= len(parcel):
            return [_refused(parcel, exc)]
        if len(parcel) == 1 and _is_its_fault(exc):
            return [Receipt(parcel, refused=(Failure(parcel.names[0], _reason(exc)),))]
        if len(parcel) == 1 or not _is_a_part_at_fault(exc):
            raise
    except OSError as exc:
        if len(parcel) == 1:
            reason = exc.strerror or str(exc)
            return [Receipt(parcel, refused=(Failure(parcel.names[0], reason),))]
    return [receipt for half in parcel.halves() for receipt in send(needle, half, address)]


def _is_its_fault(error: NeedleApiError) -> bool:
    """Tell whether a request of one image was refused for that image, not for what goes with it."""
    return error.status in ONE_IMAGES_FAULT and (error.code != "bad_request" or _of_urls(error))


def _is_a_part_at_fault(error: NeedleApiError) -> bool:
    """Tell whether some of the images of a request could be taken without the others."""
    apart = error.status == TOO_LARGE or error.code == INVALID_URL
    return apart or bool(error.details.get("items")) or _of_urls(error)


def _reason(error: NeedleApiError) -> str:
    """Return why an image was refused: of a URL what the service says of it, not where it stood."""
    fields = error.details.get("fields") or ()
    return f"The URL {fields[0]['reason']}." if fields else error.message


def _of_urls(error: NeedleApiError) -> bool:
    """Tell whether all that a request was refused for are URLs in it: one may be too long."""
    fields = error.details.get("fields") or ()
    return bool(fields) and all(str(each["field"]).startswith("urls.") for each in fields)


def _job(needle: Needle, parcel: Parcel, address: Address) -> Job:
    more: dict[str, Any] = vars(address)
    if parcel.urls:
        return needle.index_urls(parcel.urls, **more)
    return needle.index_batch(parcel.files, **more)


def _refused(parcel: Parcel, error: NeedleApiError) -> Receipt:
    """Every image of this request is bad, and the service says why of each."""
    faults: Sequence[Mapping[str, Any]] = error.details["items"]
    reasons = {str(fault["name"]): str(fault["message"]) for fault in faults}
    refused = (Failure(name, reasons.get(name, error.message)) for name in parcel.names)
    return Receipt(parcel, refused=tuple(refused))

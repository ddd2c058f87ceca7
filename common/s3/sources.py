"""Buckets that images are indexed from: which may be named, what is in them, and their bytes.

`s3://BUCKET/KEY` is taken as it is written: nothing in a key is escaped. A tar archive in a bucket
is listed as a folder would be: see `tars`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from common.errors import BadRequest, FetchFailed, ImageTooLarge, InvalidUrl, NotFound
from common.s3 import tars
from common.s3.tars import MOST_KEY_BYTES, Member, NoTar
from common.settings import Settings
from common.sizes import sized

SCHEME = "s3://"


def is_object(url: str) -> bool:
    """Tell whether a URL names what is in a bucket."""
    return url.startswith(SCHEME)


def path_of(url: str) -> str:
    """Return what an object is called: its bucket and key, what is in an archive by its name."""
    path = url.removeprefix(SCHEME)
    member = Member.of(path)
    return path if member is None else member.path


@dataclass(frozen=True)
class Found:
    """An object: its URL and its size."""

    url: str
    bytes: int


class SourceBuckets:
    """The buckets, or prefixes in them, that the settings let URLs name."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is sent yet."""
        self._endpoint, self._region = settings.s3_endpoint, settings.s3_region
        self._allowed = [
            (bucket, f"{prefix.strip('/')}/" if prefix.strip("/") else "")
            for bucket, _, prefix in (
                each.strip().removeprefix(SCHEME).partition("/")
                for each in settings.source_buckets.split(",")
            )
            if bucket
        ]

    def check(self, url: str) -> tuple[str, str]:
        """Return the bucket and the key, or the prefix, of a URL. Raises InvalidUrl."""
        bucket, _, key = url.removeprefix(SCHEME).partition("/")
        # A server that takes keys for paths would be led out of the prefix by `..`.
        if {".", ".."} & set(key.split("/")) or not _can_be(key):
            raise InvalidUrl(f"{url[:300]!r} names nothing that can be in a bucket.")
        member = Member.of(key)
        archive = None if member is None else f"{member.key}/"  # which may be all that is allowed
        for allowed, prefix in self._allowed:
            if bucket == allowed and (key.startswith(prefix) or archive == prefix):
                return bucket, key
        raise InvalidUrl(
            f"{url[:300]!r} is in no bucket that images may be indexed from; "
            f"NEEDLE_SOURCE_BUCKETS={bucket[:100]} would allow its own."
        )

    def page(
        self, prefix: str, after: str | None, limit: int
    ) -> tuple[Sequence[Found], str | None]:
        """Return objects under a prefix in order of their keys, and after which key there are more.

        Of `s3://BUCKET/KEY.tar/` these are the files in that archive, in its order. Raises NotFound
        for what may not be named, FetchFailed where nobody lets us in or an archive is none, or
        StoreUnavailable.
        """
        from common.s3.errors import BucketRefused, translated

        bucket, start = self._start(prefix)
        if start.lower().endswith(f"{tars.ENDING}/"):
            packed = self._members(bucket, start[:-1], after, limit)
            if packed is not None:
                return packed
        asked = {"StartAfter": after} if after else {}
        try:
            with translated("be read", "bucket"):
                page = self._s3.list_objects_v2(Bucket=bucket, Prefix=start, MaxKeys=limit, **asked)
        except BucketRefused as exc:
            raise FetchFailed(exc.message) from exc
        rows = page.get("Contents", ())
        found = [
            Found(f"{SCHEME}{bucket}/{each['Key']}", each["Size"])
            for each in rows
            if not each["Key"].endswith("/")
        ]
        return found, rows[-1]["Key"] if rows and page.get("IsTruncated") else None

    def _members(
        self, bucket: str, key: str, after: str | None, limit: int
    ) -> tuple[Sequence[Found], str | None] | None:
        """Return the files in an archive; None where there is no such object."""
        from common.s3.errors import BucketRefused, translated

        def read(first: int, size: int) -> bytes:
            part = f"bytes={first}-{first + size - 1}"
            answer = self._s3.get_object(Bucket=bucket, Key=key, Range=part)
            with closing(answer["Body"]) as body:
                return bytes(body.read())

        if after is not None and not after.isdecimal():
            raise BadRequest(f"{after!r} is no place in an archive.")
        try:
            with translated("be read", "bucket"):
                size = int(self._s3.head_object(Bucket=bucket, Key=key)["ContentLength"])
                found, end = tars.members(key, read, size, int(after or 0), limit)
        except NotFound:
            return None
        except BucketRefused as exc:
            raise FetchFailed(exc.message) from exc
        except NoTar as exc:
            raise FetchFailed(f"The archive {key[:300]} cannot be read: {exc}.") from exc
        rows = [Found(f"{SCHEME}{bucket}/{each}", each.size) for each in found]
        return rows, None if end is None else str(end)

    def _start(self, prefix: str) -> tuple[str, str]:
        """Return the bucket and what the keys of a listing begin with. Raises NotFound.

        An allowed prefix may be named without its last slash; what is listed lies under it alone.
        """
        for named in (prefix, f"{prefix}/"):
            try:
                return self.check(named)
            except InvalidUrl as exc:
                refused = exc
        raise NotFound(refused.message) from refused

    def read(self, url: str, max_bytes: int) -> bytes:
        """Return an object's bytes.

        Raises InvalidUrl, ImageTooLarge, FetchFailed, or StoreUnavailable where the server is away.
        """
        from common.s3.errors import BucketRefused, translated

        bucket, key = self.check(url)
        member = Member.of(key)
        asked = {"Bucket": bucket, "Key": key}
        if member is not None:
            if not member.size:  # no range asks for nothing
                raise FetchFailed("The file in the archive is empty.")
            last = member.first + member.size - 1
            asked |= {"Key": member.key, "Range": f"bytes={member.first}-{last}"}
        try:
            if member is not None and member.size > max_bytes:
                raise ImageTooLarge(f"The file holds more than {sized(max_bytes)}.")
            with translated("be read", "bucket"):
                answer = self._s3.get_object(**asked)
                with closing(answer["Body"]) as body:
                    if answer["ContentLength"] > max_bytes:
                        raise ImageTooLarge(f"The object holds more than {sized(max_bytes)}.")
                    content = bytes(body.read())
        except BucketRefused as exc:
            raise FetchFailed(exc.message) from exc
        except NotFound as exc:
            raise FetchFailed("The bucket does not hold this object.") from exc
        if member is not None and len(content) != member.size:
            raise FetchFailed("The archive has changed since it was listed.")
        return content

    @cached_property
    def _s3(self) -> Any:
        from common.s3.client import connect

        return connect(self._endpoint, self._region)


def _can_be(key: str) -> bool:
    try:
        return len(key.encode()) <= MOST_KEY_BYTES
    except UnicodeEncodeError:
        return False

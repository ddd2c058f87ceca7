"""The image store in a bucket of S3, or of a store that speaks its protocol.

Nothing is shared by disk: the locks are in Redis (`redis_locks.py`). Credentials come by boto3's
own chain: AWS_ACCESS_KEY_ID and so on, a profile, or the role of the machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from common.errors import NotFound, StoreUnavailable
from common.images.keys import collection_folder, image_folder
from common.images.redis_locks import RedisLocks
from common.images.store import URL_LASTS_S, Bytes, Held
from common.s3.client import connect
from common.s3.errors import translated

DELETED_TOGETHER = 1000
"""So many keys S3 removes by one request."""


@dataclass(frozen=True)
class Bucket:
    """Where the store is: a bucket, the prefix of its keys, and who serves it.

    `public_endpoint` is what clients call the server, where that is not what services call it.
    """

    name: str
    prefix: str = ""
    endpoint: str | None = None
    public_endpoint: str | None = None
    region: str | None = None

    @classmethod
    def named(cls, url: str, **more: str | None) -> Bucket:
        """Return the bucket of `s3://BUCKET/PREFIX`."""
        name, _, prefix = url.removeprefix("s3://").partition("/")
        prefix = prefix.strip("/")
        return cls(name, f"{prefix}/" if prefix else "", **more)


class S3ImageStore:
    """An image store in a bucket; may be used by several threads, not across a fork."""

    on_disk = False

    def __init__(self, bucket: Bucket, locks: RedisLocks, *, signs: bool = False) -> None:
        """Nothing is sent yet. With `signs`, there are signed URLs."""
        self._bucket = bucket
        self._locks = locks
        self._s3 = connect(bucket.endpoint, bucket.region)
        called = bucket.public_endpoint or bucket.endpoint
        self._signer = connect(called, bucket.region) if signs else None

    def put(self, key: str, content: bytes) -> None:
        """See ImageStore."""
        with translated("be written"):
            self._s3.put_object(**self._at(key), Body=content)

    def open(self, key: str) -> bytes:
        """See ImageStore."""
        with translated("be read"):
            return bytes(self._s3.get_object(**self._at(key))["Body"].read())

    def stream(self, key: str, first: int = 0) -> Bytes:
        """See ImageStore."""
        part = {"Range": f"bytes={first}-"} if first else {}
        with translated("be read"):
            return _Body(self._s3.get_object(**self._at(key), **part)["Body"])

    def exists(self, key: str) -> bool:
        """See ImageStore."""
        return self.size(key) is not None

    def size(self, key: str) -> int | None:
        """See ImageStore."""
        try:
            with translated("be read"):
                return int(self._s3.head_object(**self._at(key))["ContentLength"])
        except NotFound:
            return None

    def names(self, folder: str) -> list[str]:
        """See ImageStore."""
        home = self._home(folder)
        found: list[str] = []
        for page in self._pages(home, Delimiter="/"):
            found += [each["Key"][len(home) :] for each in page.get("Contents", ())]
            found += [each["Prefix"][len(home) : -1] for each in page.get("CommonPrefixes", ())]
        return sorted(name for name in found if name)

    def sizes(self, folder: str) -> dict[str, int]:
        """See ImageStore."""
        home = self._home(folder)
        return {
            each["Key"][len(home) :]: each["Size"]
            for page in self._pages(home, Delimiter="/")
            for each in page.get("Contents", ())
        }

    def walk(self, folder: str) -> Iterator[tuple[str, int]]:
        """See ImageStore."""
        for page in self._pages(self._home(folder)):
            for each in page.get("Contents", ()):
                yield each["Key"][len(self._bucket.prefix) :], each["Size"]

    def delete(self, key: str) -> None:
        """See ImageStore."""
        with translated("be written"):
            self._s3.delete_object(**self._at(key))

    def delete_folder(self, folder: str) -> None:
        """See ImageStore."""
        keys = self.walk(folder)
        while some := list(islice(keys, DELETED_TOGETHER)):
            named = [{"Key": self._bucket.prefix + key} for key, _ in some]
            wanted = {"Objects": named, "Quiet": True}
            with translated("be written"):
                answer = self._s3.delete_objects(Bucket=self._bucket.name, Delete=wanted)
            if faults := answer.get("Errors"):
                why = faults[0].get("Message") or faults[0].get("Code")
                raise StoreUnavailable(
                    f"The image store does not remove {len(faults)} files: {why}"
                )

    def adopt(self, files: Path, folder: str) -> None:
        """See ImageStore. Large files go in parts."""
        for path in sorted(files.rglob("*")):
            if path.is_file():
                key = f"{folder}/{path.relative_to(files).as_posix()}"
                with translated("be written"):
                    self._s3.upload_file(str(path), **self._at(key))
                path.unlink()

    def signed_url(self, key: str, media_type: str) -> str | None:
        """See ImageStore. Who holds it may read the key for an hour, and nothing else."""
        if self._signer is None:
            return None
        named = {**self._at(key), "ResponseContentType": media_type}
        with translated("be read"):
            return str(
                self._signer.generate_presigned_url("get_object", named, ExpiresIn=URL_LASTS_S)
            )

    def changing(self, collection: str, image_ids: Iterable[str]) -> AbstractContextManager[Held]:
        """See ImageStore."""
        names = [image_folder(collection, image_id) for image_id in image_ids]
        return self._locks.locked(collection_folder(collection), names)

    def changing_all(self, collection: str) -> AbstractContextManager[Held]:
        """See ImageStore."""
        return self._locks.locked_whole(collection_folder(collection))

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket.name, "Key": self._bucket.prefix + key}

    def _home(self, folder: str) -> str:
        return f"{self._bucket.prefix}{folder}/"

    def _pages(self, home: str, **more: str) -> Iterator[dict[str, Any]]:
        """Yield the pages of a listing."""
        asked: dict[str, Any] = {"Bucket": self._bucket.name, "Prefix": home, **more}
        while True:
            with translated("be read"):
                page = self._s3.list_objects_v2(**asked)
            yield page
            if not page.get("IsTruncated"):
                return
            asked["ContinuationToken"] = page["NextContinuationToken"]


class _Body:
    """What is read of an object, with errors of ours."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def read(self, size: int, /) -> bytes:
        """See Bytes."""
        with translated("be read"):
            return bytes(self._body.read(size))

    def close(self) -> None:
        """See Bytes."""
        self._body.close()

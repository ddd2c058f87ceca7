"""What boto3 raises, as errors of ours: the one place that knows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from boto3.exceptions import Boto3Error
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ReadTimeoutError,
)

from common.errors import DiskFull, NeedleError, NotFound, StoreUnavailable

_ABSENT = {"NoSuchKey", "404", "NotFound"}
_FULL = {"QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "507"}
_NEVER = {
    "InvalidArgument", "InvalidRange", "InvalidURI", "InvalidRequest", "KeyTooLongError",
    "MethodNotAllowed", "XMinioInvalidObjectName",
}  # fmt: skip
_REFUSED = {
    "403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken",
    "InvalidToken", "TokenRefreshRequired", "AccountProblem",
}  # fmt: skip
_OTHER_TIME = {"RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"}


class BucketRefused(StoreUnavailable):
    """No such bucket, nobody lets us in, or it never takes this: trying again is no use."""


@contextmanager
def translated(doing: str, what: str = "image store") -> Iterator[None]:
    """Turn every error of boto3 into one of ours. `doing` ends a sentence: "be read"."""
    try:
        yield
    except (BotoCoreError, Boto3Error, ClientError) as exc:
        raise _ours(exc, f"The {what} cannot {doing}") from exc


def _ours(exc: Exception, said: str) -> NeedleError:
    if isinstance(exc, ClientError):
        return _answered(exc, said)
    if isinstance(exc, (NoCredentialsError, PartialCredentialsError)):
        why = "there are no credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)"
        return BucketRefused(f"{said}: {why}.")
    elif isinstance(exc, (EndpointConnectionError, ConnectTimeoutError)):
        why = "its server cannot be reached"
    elif isinstance(exc, ReadTimeoutError):
        why = "its server does not answer in time"
    else:
        why = f"the connection failed ({type(exc).__name__})"
    return StoreUnavailable(f"{said}: {why}.")


def _answered(exc: ClientError, said: str) -> NeedleError:
    code = str(exc.response.get("Error", {}).get("Code", ""))
    status = exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if code == "NoSuchBucket":
        return BucketRefused(f"{said}: there is no such bucket.")
    if code in _ABSENT:
        return NotFound("The image store does not hold this file.")
    if code in _FULL or status == 507:
        return DiskFull("The image store is full: its server takes no more.")
    if code in _NEVER:
        return BucketRefused(f"{said}: its server does not take this ({code}).")
    if code in _OTHER_TIME:
        return StoreUnavailable(f"{said}: the clocks of its server and of this machine differ.")
    if code in _REFUSED or status == 403:
        why = "its server refuses the credentials, or these may not do that"
        return BucketRefused(f"{said}: {why}.")
    why = f"its server answers {status} ({code})"
    return StoreUnavailable(f"{said}: {why}.")

"""The one error tree. Adapters translate third-party exceptions into it; nothing else escapes."""

from __future__ import annotations

from typing import ClassVar


class NeedleError(Exception):
    """Base of every error that a client or an operator may read.

    `code` names the kind for machines, `message` is one sentence for people.
    """

    code: ClassVar[str] = "internal"

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    def as_dict(self) -> dict[str, object]:
        """Return the one error shape: code, message and what else is known."""
        return {"code": self.code, "message": self.message, **self.details}

    @property
    def exit_status(self) -> int:
        """How a process ends that this error keeps from starting."""
        return 1


class Permanent(NeedleError):
    """Trying again cannot help: the input is at fault, or the state forbids it."""


class Transient(NeedleError):
    """Trying again may help: something that Needle depends on is not there just now."""


class BadRequest(Permanent):
    """A request is not of the documented form."""

    code = "bad_request"


class InvalidImage(Permanent):
    """The bytes are no image that can be read."""

    code = "invalid_image"


class ImageTooLarge(Permanent):
    """An image has more bytes or pixels than the settings allow."""

    code = "image_too_large"


class TooLarge(Permanent):
    """A request has more bytes or items than the settings allow."""

    code = "too_large"


class ClientLeft(Permanent):
    """Nobody waits for the answer to a request any more."""

    code = "client_left"


class InvalidBox(Permanent):
    """A box is empty or lies outside its image."""

    code = "invalid_box"


class InvalidUrl(Permanent):
    """A URL is malformed, of another scheme, or leads to an address that is not public."""

    code = "invalid_url"


class FetchFailed(Permanent):
    """A URL could not be downloaded."""

    code = "fetch_failed"


class UnknownHost(Permanent):
    """A request names a host that the service does not go by."""

    code = "unknown_host"


class CrossSite(Permanent):
    """A page of another site sent a request that would change something."""

    code = "cross_site"


class KeyNeeded(Permanent):
    """A request, or a start of the service, lacks a key."""

    code = "key_needed"


class Forbidden(Permanent):
    """A key is not good for what is asked."""

    code = "forbidden"


class NotFound(Permanent):
    """The named job, image or collection does not exist."""

    code = "not_found"


class EncoderMismatch(Permanent):
    """A collection was built with another encoder than the one in use."""

    code = "encoder_mismatch"


class BeingDeleted(Permanent):
    """A collection is being deleted; until that has ended it takes no images."""

    code = "being_deleted"


class NothingToContinue(Permanent):
    """A job is no search, has not ended with a result, or has nothing left to do."""

    code = "nothing_to_continue"


class KeyReused(Permanent):
    """An idempotency key came with another request before."""

    code = "idempotency_key_reused"


class Cancelled(Permanent):
    """What is worked on is no longer wanted: its job has ended."""

    code = "cancelled"


class UnsupportedMediaType(Permanent):
    """A request's body is of a type that the call does not take."""

    code = "unsupported_media_type"


class TextNotSupported(Permanent):
    """The model pack in use has no text side."""

    code = "text_not_supported"


class Unforeseen(Permanent):
    """Something failed for a reason that nobody foresaw; the log has the traceback."""


class IncompatibleJob(Permanent):
    """A job was recorded by another version of Needle, in a form that this one cannot read."""

    code = "incompatible_job"


class StoreRefused(Permanent):
    """The vector store does not take a point or a query, however often it is sent."""

    code = "store_refused"


class IndexUnreadable(Permanent):
    """A part of the index could not be opened; it was set aside and its collection goes without."""

    code = "index_unreadable"


class WorkerCrashed(Permanent):
    """An image ended the worker's process each time it was tried."""

    code = "worker_crashed"


class HandoverBroken(Permanent):
    """A batch on its way from an index worker to the vectors was broken again and again."""

    code = "handover_broken"


class BackupFailed(Permanent):
    """A backup could not be made."""

    code = "backup_failed"


class BackupBroken(Permanent):
    """A backup is not whole, or cannot be restored here."""

    code = "backup_broken"


class InvalidSettings(Permanent):
    """One or more settings are not allowed; the message names each of them."""

    code = "invalid_settings"

    @property
    def exit_status(self) -> int:
        """2, as wrong options have: starting it again as it is cannot help."""
        return 2


class InvalidModel(Permanent):
    """A checkpoint cannot be loaded safely, or is not of a supported architecture."""

    code = "invalid_model"


class DeviceUnavailable(Permanent):
    """The device that the settings name is not there."""

    code = "device_unavailable"


class StoreUnavailable(Transient):
    """The vector store or the image store does not answer."""

    code = "store_unavailable"


class DiskFull(Transient):
    """The disk that the data folder is on has too little space left for what was to be written."""

    code = "disk_full"


class BrokerUnavailable(Transient):
    """Redis does not answer, so that no job can be recorded or enqueued."""

    code = "broker_unavailable"


class InProgress(Transient):
    """The first request with the same idempotency key has not been answered yet."""

    code = "in_progress"


class Overloaded(Transient):
    """A queue is full; the client should wait and try again."""

    code = "overloaded"


class ModelUnavailable(Transient):
    """A model could not be downloaded from the hub."""

    code = "model_unavailable"

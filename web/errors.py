"""From errors to HTTP answers: one table of statuses, one shape."""

from __future__ import annotations

import logging

from flask import Flask, Response
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from common import errors
from common.contract import answers
from common.contract.reasons import reason
from common.errors import NeedleError
from common.metrics import meters
from web.fault_page import for_readers
from web.responses import respond

log = logging.getLogger(__name__)

STATUS: dict[type[NeedleError], int] = {
    errors.BadRequest: 400,
    errors.InvalidUrl: 400,
    errors.InvalidBox: 400,
    errors.ClientLeft: 400,
    errors.KeyNeeded: 401,
    errors.CrossSite: 403,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.EncoderMismatch: 409,
    errors.BeingDeleted: 409,
    errors.InProgress: 409,
    errors.NothingToContinue: 409,
    errors.ImageTooLarge: 413,
    errors.TooLarge: 413,
    errors.InvalidImage: 415,
    errors.UnsupportedMediaType: 415,
    errors.KeyReused: 422,
    errors.TextNotSupported: 422,
    errors.StoreRefused: 422,
    errors.FetchFailed: 422,
    errors.UnknownHost: 421,
    errors.Overloaded: 429,
    errors.BrokerUnavailable: 503,
    errors.IncompatibleJob: 500,
    errors.ModelUnavailable: 503,
    errors.StoreUnavailable: 503,
    errors.DiskFull: 507,
}
RETRY_AFTER_S = {429: 10, 503: 2}
_OWN_CODES = {413: errors.TooLarge.code, 415: errors.UnsupportedMediaType.code}
"""Codes where Flask's name for a status is not Needle's."""
_SENTENCES = {
    400: "The request cannot be read.",
    404: "There is nothing here; /docs says what there is.",
    405: "This cannot be done here; the header Allow says what can.",
    408: "The request came too slowly.",
    413: "The request is too large.",
    414: "The address is too long.",
    416: "The file has no such part; the header Content-Range says how long it is.",
    431: "The headers are too long.",
}
"""What Flask refuses by itself, in words of ours."""
_REFUSED = "The request was refused."
_KEPT_HEADERS = ("Allow", "WWW-Authenticate", "Content-Range")


def answer(error: NeedleError) -> Response:
    """Return the answer that an error stands for."""
    return _answered(STATUS.get(type(error), 500), error.as_dict())


def _answered(status: int, body: dict[str, object]) -> Response:
    meters().http_errors.labels(str(body["code"])).inc()
    return for_readers(_shaped(status, body), str(body["message"]))


def _shaped(status: int, body: dict[str, object]) -> Response:
    response = respond(answers.Error(error=answers.Problem.model_validate(body)), status)
    if status in RETRY_AFTER_S:
        seconds = body.get("retry_after_s", RETRY_AFTER_S[status])
        response.headers["Retry-After"] = str(seconds)
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def explain(exc: ValidationError) -> errors.BadRequest:
    """Say in one sentence which fields of a request are wrong, and list them."""
    faults = [
        {"field": ".".join(str(part) for part in fault["loc"]) or "body", "reason": reason(fault)}
        for fault in exc.errors(include_url=False, include_input=False)
    ]
    sentence = "; ".join(f"{fault['field']}: {fault['reason']}" for fault in faults)
    return errors.BadRequest(sentence, fields=faults)


def install(app: Flask) -> None:
    """Answer every error in the one shape, or as a page; nothing a client sends causes a 500."""

    @app.errorhandler(NeedleError)
    def needle_error(error: NeedleError) -> Response:
        return answer(error)

    @app.errorhandler(ValidationError)
    def invalid(error: ValidationError) -> Response:
        return answer(explain(error))

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        status = error.code or 500
        code = _OWN_CODES.get(status, (error.name or "error").lower().replace(" ", "_"))
        response = _answered(status, {"code": code, "message": _SENTENCES.get(status, _REFUSED)})
        for name, value in error.get_headers():
            if name in _KEPT_HEADERS:
                response.headers[name] = value
        return response

    @app.errorhandler(Exception)
    def unforeseen(error: Exception) -> Response:
        log.error("unforeseen error", exc_info=error)
        return _answered(500, {"code": "internal", "message": "Something went wrong in Needle."})

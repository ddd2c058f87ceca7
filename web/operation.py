"""What a route takes and answers: declared beside it, enforced by it, shown by `/openapi.json`.

What a request and an answer hold is declared in `common/contract/`; here is what is HTTP about
them: forms, files, choices, headers. The document is made from these declarations
(`web/openapi.py`), so what it says of a request is what the route checks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Any

from flask import Response, request
from pydantic import BaseModel
from werkzeug.datastructures import FileStorage, MultiDict

from common.contract.parameters import Nothing
from common.contract.requests import Request
from common.errors import BadRequest, UnsupportedMediaType

JSON = "application/json"
WEBHOOK = "Needle-Webhook"
"""The header of every call that makes a job; see `web/webhooks.py`."""
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
ANYWHERE = (400, 401, 403, 414, 421, 429, 431, 503)
"""Statuses of every call: an undocumented parameter, who asks and how often, a URL or a header that
is too long, Redis away."""
View = Callable[..., Response]
Files = MultiDict[str, FileStorage]


@dataclass(frozen=True)
class FileField:
    """A field of a form that holds files: what they are, and how many at most (None: any)."""

    description: str
    most: int | None = None


@dataclass(frozen=True)
class Choice:
    """One way to fill a body: the field that must be given, and how; and the others.

    `without` are fields that must be absent or null, `off` such that must be absent or false.
    """

    name: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    without: tuple[str, ...] = ()
    off: tuple[str, ...] = ()

    def fields_only(self, files: Collection[str]) -> Choice:
        """Return the choice where there are no such fields as `files`: in JSON."""
        return replace(self, without=tuple(name for name in self.without if name not in files))


@dataclass(frozen=True)
class Body:
    """A request's body: JSON of one model, or a form of another, files in some of its fields."""

    json: type[Request]
    form: type[Request] | None = None
    form_name: str = ""
    """What the schema of the form is called."""
    files: Mapping[str, FileField] = field(default_factory=dict)
    needs_file: bool = False
    """Whether a form must have a file in the first of these fields."""
    choices: tuple[Choice, ...] = ()
    """The ways to fill it, of which exactly one holds; the view checks it."""

    def read(self) -> tuple[Any, Files]:
        """Return the checked model and the files by field.

        Raises BadRequest, UnsupportedMediaType or pydantic's ValidationError.
        """
        if request.is_json:
            content = request.get_data()
            _check_json(content)
            # Strict: in JSON a number is a number, as the document says; in a form all is text.
            return self.json.model_validate_json(content, strict=True), MultiDict()
        if self.form is None or request.mimetype not in (*FORMS, ""):
            wanted = [JSON, *(FORMS[:1] if self.form else ())]
            raise UnsupportedMediaType(f"The body must be of the type {' or '.join(wanted)}.")
        if set(request.files) - set(self.files):
            names = " or ".join(f"'{name}'" for name in self.files)
            raise BadRequest(f"Files go into the multipart field {names}.")
        return self.form.model_validate(_plain(request.form)), request.files


@dataclass(frozen=True)
class Answer:
    """A successful answer: a JSON model, or bytes of some type; headers that come with it."""

    model: type[BaseModel] | None = None
    media_types: tuple[str, ...] = (JSON,)
    headers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Operation:
    """One call of the interface. Its words are the docstring of the view."""

    answers: Mapping[int, Answer]
    errors: Sequence[int]
    query: type[Request] = Nothing
    body: Body | None = None
    headers: tuple[str, ...] = ()
    tag: str = ""
    words: str = field(default="", compare=False)


def operation(
    tag: str,
    answers: Mapping[int, Answer],
    *,
    query: type[Request] = Nothing,
    body: Body | None = None,
    errors: Sequence[int] = (),
    headers: tuple[str, ...] = (),
) -> Callable[[View], View]:
    """Declare a view: its query string is checked before it runs.

    A view with a `query` gets the checked model as its first argument; a `body` it reads itself.
    """

    def declare(view: View) -> View:
        @wraps(view)
        def checked(**path: Any) -> Response:
            parameters = query.model_validate(_plain(request.args))
            return view(**path) if query is Nothing else view(parameters, **path)

        words = (view.__doc__ or "").strip()
        every = sorted({*ANYWHERE, *errors})
        more = (WEBHOOK,) if 202 in answers else ()  # it makes a job
        declared = Operation(answers, every, query, body, (*headers, *more), tag, words)
        checked.operation = declared  # type: ignore[attr-defined]
        return checked

    return declare


def declared(view: Callable[..., Any]) -> Operation | None:
    """Return what a view was declared to be, None for one that is no part of the interface."""
    found: Operation | None = getattr(view, "operation", None)
    return found


def _plain(fields: MultiDict[str, str]) -> dict[str, Any]:
    """Return fields by name; one that comes twice is a list, which few take."""
    return {
        name: values[0] if len(values) == 1 else list(values) for name, values in fields.lists()
    }


def _check_json(content: bytes) -> None:
    """Raise BadRequest for what is no JSON: pydantic would let NaN pass."""
    try:
        json.loads(content, parse_constant=_refuse)
    except (ValueError, RecursionError) as exc:
        raise BadRequest("The body is not JSON that can be read.") from exc


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")

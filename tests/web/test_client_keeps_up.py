"""The library and the command line can say what `/openapi.json` lets a request say, and no other.

A field that a request gains, or a bound that changes, fails here until the client has it too.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import click
import pytest
from flask.testing import FlaskClient

from needle import indexed, jobs, listings, operations, results, searches, upkeep
from needle.cli.backup import backup as backup_command
from needle.cli.images import collections as collections_command
from needle.cli.images import images as images_command
from needle.cli.index import index as index_command
from needle.cli.jobs import jobs as jobs_command
from needle.cli.reindex import reindex as reindex_command
from needle.cli.search import search as search_command
from needle.cli.tag import tag as tag_command
from needle.cli.verify import verify as verify_command

SEARCHES = "POST /api/v1/searches"
SEARCH, IMAGES = "POST /api/v1/search", "POST /api/v1/images"
PATCH = "PATCH /api/v1/images/{image_id}"
BACKUP = "POST /api/v1/backups"
REINDEX = "POST /api/v1/collections/{name}/reindex"
VERIFY = "POST /api/v1/collections/{name}/verify"
LIBRARY: dict[str, list[Callable[..., Any]]] = {
    SEARCH: [operations.search],
    SEARCHES: [searches.search_many],
    IMAGES: [operations.index, operations.index_batch, operations.index_urls],
    "POST /api/v1/collections": [operations.create_collection],
    "GET /api/v1/images": [listings.images],
    "GET /api/v1/images/{image_id}": [operations.image],
    PATCH: [operations.tag],
    "GET /api/v1/jobs": [listings.jobs],
    VERIFY: [upkeep.verify],
    BACKUP: [upkeep.backup],
    REINDEX: [upkeep.reindex],
}
COMMANDS: dict[str, click.Command] = {
    SEARCH: search_command,
    IMAGES: index_command,
    "POST /api/v1/collections": collections_command,
    "GET /api/v1/images": images_command,
    PATCH: tag_command,
    "GET /api/v1/jobs": jobs_command,
    VERIFY: verify_command,
    BACKUP: backup_command,
    REINDEX: reindex_command,
}
NAMED = {
    (SEARCH, "file"): ("image", "words"),
    (SEARCH, "not_file"): ("negatives", "negatives"),
    (SEARCH, "url"): ("url", "words"),  # an IMAGE may be a URL, or the id of an indexed image
    (SEARCH, "image_id"): ("image_id", "words"),
    (SEARCH, "hits_per_image"): ("hits_per_image", "hits"),
    (SEARCH, "filter"): ("filter", "wanted"),
    (SEARCHES, "files"): ("queries", "words"),
    (SEARCHES, "not_file"): ("negatives", "negatives"),
    (IMAGES, "files"): ("sources", "words"),
    (IMAGES, "urls"): ("urls", "words"),
    ("POST /api/v1/collections", "name"): ("name", "create"),
    ("GET /api/v1/images", "filter"): ("filter", "wanted"),
    (PATCH, "metadata"): ("metadata", "words"),
}
"""Fields whose parameter in the library, or option of the command, has another name."""
NOT_IN_THE_LIBRARY = {
    (SEARCH, "wait"): "every call waits, up to its own `timeout_s`",
    (VERIFY, "wait"): "the call waits until it is done",
    (BACKUP, "wait"): "the call waits until it is done",
    (REINDEX, "wait"): "the job is returned at once, to be waited for",
    (PATCH, "wait"): "the call waits until it is done",
    ("GET /api/v1/images", "offset"): "lists are iterated, page by page",
    ("GET /api/v1/images", "cursor"): "lists are iterated, page by page",
    ("GET /api/v1/jobs", "offset"): "lists are iterated, page by page",
    ("GET /api/v1/jobs", "cursor"): "lists are iterated, page by page",
}
NOT_IN_THE_COMMAND = {
    **NOT_IN_THE_LIBRARY,
    ("GET /api/v1/images", "ids"): "a question for programs: `needle show` shows one image",
    ("POST /api/v1/collections", "encoder"): "a check for programs: another than the one in use "
    "is refused, and `needle models` shows that one",
}
OF_ITS_OWN = {
    SEARCH: {"verified", "as_json", "outs", "opened", "min_probability"},
    IMAGES: {
        *("recursive", "watched", "resume", "dry_run", "in_flight", "as_json"),
        *("outcomes", "sample"),
    },
    "POST /api/v1/collections": {"deleted", "yes", "as_json"},
    "GET /api/v1/images": {"as_json"},
    PATCH: {"name", "wanted", "yes", "as_json"},
    "GET /api/v1/jobs": {"job_ids", "waits", "items", "cancel", "as_json"},
    VERIFY: {"collection", "as_json"},
    BACKUP: {"target"},
    REINDEX: {"collection"},
}
"""Options about what the command does with the answer, and not of the request."""
Fields = dict[str, dict[str, Any]]


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    """Return the document."""
    found: dict[str, Any] = client.get("/openapi.json").json
    return found


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema itself, of what may be null the part that is not."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return _resolved(document, document["components"]["schemas"][name])
    for choice in schema.get("anyOf", ()):
        if choice.get("type") != "null":
            return _resolved(document, choice)
    return schema


def _fields(document: dict[str, Any], call: str) -> Fields:
    """Return every field of a request: of its query string, of its form, of its JSON."""
    method, path = call.split()
    operation = document["paths"][path][method.lower()]
    found = {
        one["name"]: _resolved(document, one.get("schema", {}))
        for one in operation["parameters"]
        if one["in"] == "query"
    }
    for content in operation.get("requestBody", {}).get("content", {}).values():
        for name, field in _resolved(document, content["schema"])["properties"].items():
            found[name] = _resolved(document, field)
    return found


def _parameters(function: Callable[..., Any]) -> set[str]:
    """Return the names that a function takes; those of `IndexOptions` one by one."""
    names = set(inspect.signature(function).parameters)
    if "options" in names:
        names |= operations.IndexOptions.__annotations__.keys() - {"options"}
    return names


@pytest.mark.parametrize("call", LIBRARY)
def test_every_field_is_a_parameter_of_the_library(document: dict[str, Any], call: str) -> None:
    fields = {
        NAMED.get((call, name), (name, ""))[0]
        for name in _fields(document, call)
        if (call, name) not in NOT_IN_THE_LIBRARY
    }
    every = [_parameters(one) for one in LIBRARY[call]]
    assert fields <= set().union(*every)
    for function, parameters in zip(LIBRARY[call], every, strict=True):
        # Where files and URLs are two functions, each has all the options.
        missing = fields - parameters - {"sources", "urls", "batch"}
        assert not missing, (function.__name__, missing)


@pytest.mark.parametrize("call", COMMANDS)
def test_every_field_is_an_option_of_the_command(document: dict[str, Any], call: str) -> None:
    options = {param.name: param for param in COMMANDS[call].params if param.name != "url"}
    fields = _fields(document, call)
    named = {
        NAMED.get((call, name), ("", name))[1]: field
        for name, field in fields.items()
        if (call, name) not in NOT_IN_THE_COMMAND
    }
    assert named.keys() == options.keys() - OF_ITS_OWN[call]
    for name, field in named.items():
        said = options[name].type
        if isinstance(said, click.IntRange | click.FloatRange) and name != "limit":
            bounds = (field.get("minimum"), field.get("maximum"))
            assert (said.min, said.max) == bounds, name
        if isinstance(said, click.Choice):
            assert list(said.choices) == field["enum"], name


def test_the_exceptions_are_still_needed(document: dict[str, Any]) -> None:
    for call, name in {*NAMED, *NOT_IN_THE_LIBRARY, *NOT_IN_THE_COMMAND}:
        assert name in _fields(document, call), (call, name)


@pytest.mark.parametrize(
    ("schema", "kept"),
    [
        ("SearchResult", results.SearchResult),
        ("Match", results.Match),
        ("Hit", results.Hit),
        ("Thing", results.Thing),
        ("Image", indexed.Image),
        ("ImageWithRegions", indexed.Image),
        ("Collection", indexed.Collection),
        ("CollectionWithRegions", indexed.Collection),
        ("Job", jobs.Job),
        ("ListedJob", jobs.Job),
        ("Progress", jobs.Progress),
        ("Item", jobs.Item),
        ("QueryResult", searches.Answer),
        ("QueryFindings", results.SearchResult),
        ("Verified", upkeep.Verified),
    ],
)
def test_the_library_keeps_every_field_of_an_answer(
    document: dict[str, Any], schema: str, kept: Any
) -> None:
    fields = document["components"]["schemas"][schema]["properties"]
    assert set(fields) <= {field.name for field in dataclasses.fields(kept)}

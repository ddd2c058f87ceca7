"""`needle status` and `needle models`: what `/readyz` says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from needle.cli.base import Command, ExitCode, Shell, json_option, pass_shell
from needle.cli.tables import VALUE_COLUMNS, collections_table, value_rows, values_table

STATUS_EXAMPLES = """
needle status
needle status --json | jq .queues
until needle status >/dev/null 2>&1; do sleep 1; done   # wait for it
"""
MODELS_EXAMPLES = """
needle models
needle models --json | jq -r .encoder
"""


_NAMES = {
    "dim": "dimensions",
    "has_text": "searches by text",
    "has_kinds": "tells kinds of things",
    "regions_per_image": "regions an image, at most",
    "seconds_per_image": "seconds an image, of the networks",
    "bulk": "in bulk mode",
}
_FOR_PROGRAMS = {"means", "bulk_count", "problems"}


def _named(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values under names that people know, without those that say nothing to them."""
    return {
        _NAMES.get(name, name): value
        for name, value in values.items()
        if name not in _FOR_PROGRAMS and value not in (None, "", [], {})
    }


@click.command(cls=Command, short_help="Is the service ready?", examples=STATUS_EXAMPLES)
@json_option
@pass_shell
def status(shell: Shell, as_json: bool) -> int:
    """Is the service ready, and what is it made of? Ends with 3 when it is not ready."""
    with shell.connect() as needle:
        state = needle.ready()
        ready = state.get("status") == "ready"
        collections = needle.collections() if state.get("redis") else []
    if as_json:
        shell.json({"url": shell.url, **state})
    else:
        shown = {name: value for name, value in state.items() if name != "problems"}
        shown = {"address": shell.url, **shown}
        brief = shown | {"models": _brief(state.get("models") or {})}
        images = {"images": {each.name: each.images for each in collections}}
        shell.table(lambda: values_table(_named(brief)), value_rows(shown | images), VALUE_COLUMNS)
        if collections and shell.people:
            shell.out.print(collections_table(collections))
        for problem in state.get("problems", []):
            shell.say(problem["message"])
    return ExitCode.OK if ready else ExitCode.FAILED


def _brief(models: Mapping[str, Any]) -> str:
    """Say which models are in use, in a few words: `needle models` says the rest."""
    if not models:
        return ""
    named = {name: models.get(name) for name in ("name", "device", "precision", "profile")}
    return "{name} on {device} ({precision}), profile {profile}".format(**named)


@click.command(cls=Command, short_help="Show the models in use.", examples=MODELS_EXAMPLES)
@json_option
@pass_shell
def models(shell: Shell, as_json: bool) -> int:
    """Which models index and search. Ends with 3 when no worker has started yet."""
    with shell.connect() as needle:
        found: dict[str, Any] | None = needle.ready().get("models")
    if not found:
        shell.say("No worker has started yet, so no models are known.")
        return ExitCode.FAILED
    if as_json:
        shell.json(found)
    else:
        shell.table(lambda: values_table(_named(found)), value_rows(found), VALUE_COLUMNS)
    return ExitCode.OK

"""`needle status` and `needle models`: what `/readyz` says."""

from __future__ import annotations

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
        images = {"images": {each.name: each.images for each in collections}}
        shell.table(lambda: values_table(shown), value_rows(shown | images), VALUE_COLUMNS)
        if collections and shell.people:
            shell.out.print(collections_table(collections))
        for problem in state.get("problems", []):
            shell.say(problem["message"])
    return ExitCode.OK if ready else ExitCode.FAILED


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
        shell.table(lambda: values_table(found), value_rows(found), VALUE_COLUMNS)
    return ExitCode.OK

"""What every command shares: the service's address, where it prints, how it ends."""

from __future__ import annotations

import json
import os
import sys
from enum import IntEnum
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem
from rich.console import Console

from needle.api import Needle
from needle.cli.values import conditions
from needle.errors import NeedleClientError

PATIENCE_S = 600.0
"""A full queue is normal while very many images are indexed: wait for room."""
LOG_WIDTH = 160
"""Columns of a table that goes into a file or a pipe: nothing is to be cut off there."""
ASK_S = 1.0
"""A completion that takes longer is worth nothing."""


class ExitCode(IntEnum):
    """How `needle` ends, for scripts."""

    OK = 0  # done; something was found
    NOTHING = 1  # a search for what is probably not there
    USAGE = 2  # a wrong option, a file that is not there
    FAILED = 3  # the service refused, a job or an image failed, the service is not ready
    UNREACHABLE = 4  # nothing answers at the address
    INTERRUPTED = 130  # Ctrl-C


class Shell:
    """What a command gets: the service, and the consoles for results and for everything else."""

    def __init__(self, url: str) -> None:
        """Prepare for the service at `url`."""
        self.url = url
        self.out = Console(width=None if sys.stdout.isatty() else LOG_WIDTH, highlight=False)
        self.err = Console(stderr=True, highlight=False)

    def connect(self, *, patience_s: float = PATIENCE_S) -> Needle:
        """Return a client. Raises click.UsageError for a bad address."""
        try:
            return Needle(self.url, key=os.environ.get("NEEDLE_KEY"), patience_s=patience_s)
        except ValueError as exc:
            raise click.UsageError(str(exc)) from exc

    def json(self, value: object) -> None:
        """Print a result for programs."""
        click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))

    def say(self, sentence: str) -> None:
        """Tell people something that is no result."""
        self.err.print(sentence, soft_wrap=True, markup=False)


pass_shell = click.make_pass_decorator(Shell)


def default_url() -> str:
    """Return the address used when none is given: NEEDLE_URL, else this machine's NEEDLE_PORT."""
    port = os.environ.get("NEEDLE_PORT") or "8080"
    return os.environ.get("NEEDLE_URL") or f"http://127.0.0.1:{port}"


class Command(click.Command):
    """A command that takes --url as well, and whose --help ends with examples."""

    def __init__(self, *args: Any, examples: str = "", talks: bool = True, **kwargs: Any) -> None:
        """`examples` are lines to be shown as they are; one that `talks` takes --url."""
        super().__init__(*args, **kwargs)
        self.examples = examples
        if talks:
            self.params.append(_url_option())

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        if self.examples:
            with formatter.section("Examples"):
                for line in self.examples.strip().splitlines():
                    formatter.write(f"{'':>{formatter.current_indent}}{line.strip()}\n")


def _url_option() -> click.Option:
    def use(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
        shell = ctx.find_object(Shell)
        if shell and value:
            shell.url = value

    text = "The service's address."
    return click.Option(["--url"], help=text, callback=use, expose_value=False)


def complete_collection(ctx: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """Return the collections whose names begin so; none when the service is silent."""
    try:
        key = os.environ.get("NEEDLE_KEY")
        with Needle(default_url(), ASK_S, key=key, patience_s=0) as needle:
            names = [each.name for each in needle.collections()]
    except (NeedleClientError, ValueError):
        return []
    return [CompletionItem(name) for name in names if name.startswith(begun)]


collection_option = click.option(
    "-c",
    "--collection",
    metavar="NAME",
    shell_complete=complete_collection,
    help="Another collection than the default one.",
)
filter_option = click.option(
    "-f",
    "--filter",
    "wanted",
    multiple=True,
    metavar="COND",
    callback=conditions,
    help="shop=Basel, tag=red,blue (any of), year>=2020, or JSON; all must hold.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
file_type = click.Path(dir_okay=False, path_type=Path)

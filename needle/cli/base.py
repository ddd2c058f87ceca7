"""What every command shares: the service's address, where it prints, how it ends."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import IO, Any

import click
from click.shell_completion import CompletionItem
from rich.console import Console
from rich.table import Table

from needle.api import Needle
from needle.cli.values import CollectionName, conditions
from needle.errors import NeedleClientError
from needle.ids import DEFAULT_COLLECTION
from needle.wording import tsv, visible

PATIENCE_S = 600.0
"""A full queue is normal while very many images are indexed: wait for room."""
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
    READER_GONE = 141  # whoever read the output has left: 128 + SIGPIPE


def ended(status: int) -> ExitCode:
    """Return how a command ends whose work a module of the service did, and ended so."""
    usage = {0: ExitCode.OK, 2: ExitCode.USAGE}  # 2: a setting is wrong
    return usage.get(status, ExitCode.FAILED)


class UnknownCollection(NeedleClientError):
    """A collection was named that is not there."""


def terminal(stream: IO[Any]) -> bool:
    """Tell whether people read what is written there, or write what is read there."""
    return stream.isatty()


class _Console(Console):
    """A console that says it when its reader has left; Rich ends with 1, which means something."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


class Shell:
    """What a command gets: the service, and where results and everything else are written.

    Results go to the standard output, all else to standard error. On a terminal a list is a table;
    in a pipe or a file it is tab-separated lines, whose columns keep their names and their order.
    """

    def __init__(self, url: str, webhook: str | None = None) -> None:
        """Prepare for the service at `url`; it calls `webhook` when a job has ended."""
        self.url = url
        self.webhook = webhook
        self.people = terminal(sys.stdout)
        # Names of files are no markup and hold no emoji.
        self.out = _Console(highlight=False, markup=False, emoji=False)
        self.err = _Console(stderr=True, highlight=False, markup=False, emoji=False)

    def connect(self, *, patience_s: float = PATIENCE_S) -> Needle:
        """Return a client. Raises click.UsageError for a bad address or key."""
        try:
            return Needle(
                self.url,
                key=os.environ.get("NEEDLE_KEY"),
                webhook=self.webhook,
                patience_s=patience_s,
            )
        except ValueError as exc:
            raise click.UsageError(str(exc)) from exc

    def json(self, value: object) -> None:
        """Print a result for programs."""
        click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))

    def table(
        self,
        table: Callable[[], Table],
        rows: Iterable[Mapping[str, Any]],
        columns: Sequence[str],
    ) -> None:
        """Print a list: its `table` for people, its `rows` for programs."""
        if self.people:
            self.out.print(table())
        else:
            click.echo(tsv(rows, columns))

    def tell(self, sentence: str) -> None:
        """Print a result that is a sentence."""
        click.echo(visible(sentence))

    def say(self, sentence: str) -> None:
        """Tell people something that is no result."""
        self.err.print(visible(sentence), soft_wrap=True)

    def confirmed(self, question: str, *, yes: bool) -> bool:
        """Tell whether somebody who was asked said yes; with `yes` nobody is asked.

        Raises click.UsageError where there is no terminal to ask on.
        """
        if yes:
            return True
        if not terminal(sys.stdin):
            raise click.UsageError(
                f"There is no terminal to ask on: {visible(question)} Say --yes to do it."
            )
        return click.confirm(visible(question), err=True)

    def check_collection(self, needle: Needle, name: str | None) -> None:
        """Raise UnknownCollection where a collection is named that the service does not have.

        The default one is there from the beginning: it may be empty.
        """
        if name in (None, DEFAULT_COLLECTION):
            return
        known = [each.name for each in needle.collections()]
        if name not in known:
            there = f"There are: {', '.join(known)}." if known else "There is none yet."
            raise UnknownCollection(f"There is no collection '{name}'. {there}")


pass_shell = click.make_pass_decorator(Shell)


def default_url() -> str:
    """Return the address used when none is given: NEEDLE_URL, else this machine's NEEDLE_PORT."""
    port = os.environ.get("NEEDLE_PORT") or "8080"
    return os.environ.get("NEEDLE_URL") or f"http://127.0.0.1:{port}"


def of_checkout(module: str, command: str) -> ModuleType:
    """Return a module of the service. Raises click.ClickException where the client is alone.

    By name: of the client's code nothing depends on the service's.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as exc:
        raise click.ClickException(
            f"`{command}` runs from a checkout of Needle after `make setup`; "
            f"the module '{exc.name}' is not here."
        ) from exc


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


def complete_file(ctx: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """Have the shell complete the names of files."""
    return [CompletionItem(begun, type="file")]


collection_option = click.option(
    "-c",
    "--collection",
    type=CollectionName(),
    metavar="NAME",
    shell_complete=complete_collection,
    help="Use this collection, not the one called default.",
)
filter_option = click.option(
    "-f",
    "--filter",
    "wanted",
    multiple=True,
    metavar="COND",
    callback=conditions,
    help="Only images whose tags fit: shop=Basel, tag=red,blue (any of), year>=2020, or JSON; all "
    "must hold.",
)


def limit_option(default: int, things: str) -> Callable[[Any], Any]:
    """Return the option that says how many of some things are listed at most."""
    return click.option(
        "-n",
        "--limit",
        type=click.IntRange(1, 1000),
        default=default,
        show_default=True,
        help=f"At most so many {things}.",
    )


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
file_type = click.Path(dir_okay=False, path_type=Path)

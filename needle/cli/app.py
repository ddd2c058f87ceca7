"""`needle`: the commands together, and how each error ends."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from needle import __version__
from needle.cli.backup import backup, restore
from needle.cli.base import ExitCode, Shell, default_url
from needle.cli.completion import VARIABLE, completion
from needle.cli.continuing import continue_
from needle.cli.export import export
from needle.cli.images import collections, delete, images, show
from needle.cli.index import index
from needle.cli.jobs import jobs
from needle.cli.keys import keys
from needle.cli.reindex import reindex
from needle.cli.search import search
from needle.cli.status import models, status
from needle.cli.tag import tag
from needle.cli.up import up
from needle.cli.verify import verify
from needle.errors import NeedleClientError, NeedleUnreachable
from needle.wording import visible

EPILOG = """
\b
Examples:
  needle up                        # run the service
  needle index ~/images            # give it images
  needle search logo.png --open    # where is it?
  needle COMMAND --help            # more of them

\b
Exit status:
  0    done; something was found
  1    what was searched for is probably not there
  2    a wrong option or setting, or a file that is not there
  3    the service refused, a job or an image failed, or it is not ready
  4    nothing answers at the address
  130  Ctrl-C
  141  whoever read the output has left, as `head` does
"""


class _ReaderGone(Exception):
    """Nobody reads the standard output any more."""


class _Group(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        """Run a command and see that its output arrives."""
        try:
            ended = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError as exc:  # of which click would make a 1, and that means something
            raise _ReaderGone from exc
        return ended

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order in which one needs them."""
        return list(self.commands)


@click.group(cls=_Group, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--url", help="The service's address (default: NEEDLE_URL, else NEEDLE_PORT of this machine)."
)
@click.option("--webhook", help="A URL that the service calls when a job of the command has ended.")
@click.version_option(__version__, prog_name="needle", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context, url: str | None, webhook: str | None) -> None:
    """Find small images inside large images."""
    ctx.obj = Shell(url or default_url(), webhook)


for _command in (
    up,
    keys,
    index,
    search,
    continue_,
    status,
    jobs,
    images,
    show,
    tag,
    delete,
    collections,
    export,
    models,
    verify,
    reindex,
    backup,
    restore,
    completion,
):
    cli.add_command(_command)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return the exit status (see ExitCode). Errors are sentences on stderr."""
    words = None if argv is None else list(argv)
    try:
        return int(
            cli.main(words, prog_name="needle", complete_var=VARIABLE, standalone_mode=False) or 0
        )
    except _ReaderGone:
        return ExitCode.READER_GONE
    except click.Abort:
        return _end(ExitCode.INTERRUPTED, "interrupted.")
    except click.ClickException as exc:
        exc.show()
        return ExitCode.USAGE
    except NeedleUnreachable as exc:
        return _end(ExitCode.UNREACHABLE, str(exc))
    except NeedleClientError as exc:
        return _end(ExitCode.FAILED, str(exc))
    except OSError as exc:
        return _end(ExitCode.USAGE, _told(exc))
    except ValueError as exc:
        return _end(ExitCode.USAGE, str(exc))


def run() -> NoReturn:
    """Run a command and end the process with its status: the console script."""
    for stream in (sys.stdout, sys.stderr):  # a name may hold what an encoding does not have
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    status = main()
    if status == ExitCode.READER_GONE:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left goes there
    if status == ExitCode.INTERRUPTED:
        # Threads may still wait for answers; whoever pressed Ctrl-C twice does not.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


def _end(status: ExitCode, sentence: str) -> int:
    click.echo(f"needle: {visible(sentence)}", err=True)
    return status


def _told(exc: OSError) -> str:
    """Return what the system said of a file, or what we say ourselves."""
    if exc.strerror is None:
        return str(exc)
    where = f"{os.fsdecode(exc.filename)}: " if isinstance(exc.filename, str | bytes) else ""
    return f"{where}{exc.strerror}."

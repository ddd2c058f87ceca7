"""`needle`: the commands together, and how each error ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from needle.cli.backup import backup, restore
from needle.cli.base import ExitCode, Shell, default_url
from needle.cli.completion import VARIABLE, completion
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
  2    a wrong option, or a file that is not there
  3    the service refused, a job or an image failed, or it is not ready
  4    nothing answers at the address
  130  Ctrl-C
"""


class _Group(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order in which one needs them."""
        return list(self.commands)


@click.group(cls=_Group, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--url", help="The service's address (default: NEEDLE_URL, else NEEDLE_PORT of this machine)."
)
@click.pass_context
def cli(ctx: click.Context, url: str | None) -> None:
    """Find small images inside large images."""
    ctx.obj = Shell(url or default_url())


for _command in (
    up,
    keys,
    index,
    search,
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
    except click.Abort:
        return _end(ExitCode.INTERRUPTED, "interrupted.")
    except click.ClickException as exc:
        exc.show()
        return ExitCode.USAGE
    except NeedleUnreachable as exc:
        return _end(ExitCode.UNREACHABLE, str(exc))
    except NeedleClientError as exc:
        return _end(ExitCode.FAILED, str(exc))
    except (OSError, ValueError) as exc:
        return _end(ExitCode.USAGE, str(exc))


def run() -> NoReturn:
    """Run a command and end the process with its status: the console script."""
    status = main()
    if status == ExitCode.INTERRUPTED:
        # Threads may still wait for answers; whoever pressed Ctrl-C twice does not.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


def _end(status: ExitCode, sentence: str) -> int:
    click.echo(f"needle: {sentence}", err=True)
    return status

"""`needle completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from needle.cli.base import Command, ExitCode

VARIABLE = "_NEEDLE_COMPLETE"

EXAMPLES = """
eval "$(needle completion bash)"                 # in ~/.bashrc
eval "$(needle completion zsh)"                  # in ~/.zshrc
needle completion fish > ~/.config/fish/completions/needle.fish
"""


@click.command(
    cls=Command,
    short_help="Print the completion script of a shell.",
    examples=EXAMPLES,
    talks=False,
)
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> int:
    """Print the script that completes commands, options and collections in a shell."""
    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(ctx.find_root().command, {}, "needle", VARIABLE).source())
    return ExitCode.OK

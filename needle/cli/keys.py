"""`needle keys`: the keys of this machine's service; it needs the service's code, as `up` does."""

from __future__ import annotations

import os
from pathlib import Path

import click

from needle.cli.base import Command, ended, of_checkout

EXAMPLES = """
needle keys make laptop --scope write
needle keys list
needle keys revoke laptop
"""


@click.command(
    cls=Command,
    short_help="Make, list and revoke API keys.",
    examples=EXAMPLES,
    talks=False,
    context_settings={"ignore_unknown_options": True},
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="make|list|revoke ...")
def keys(words: tuple[str, ...]) -> int:
    """Make, list and revoke the API keys of this machine's service, in its data folder.

    A key is printed once, when it is made. Its scope is `read` (search and look), `write` (post
    and delete images, too) or `admin` (collections, too). The service heeds every change at once.
    Clients send it as `Authorization: Bearer KEY`; this command line takes it from NEEDLE_KEY.
    """
    service = of_checkout("web.keys", "needle keys")
    home = Path(str(service.__file__)).resolve().parents[1] / "data"
    os.environ.setdefault("NEEDLE_DATA_DIR", str(home))
    return ended(service.main(list(words)))

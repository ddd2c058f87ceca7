"""`needle up`: the one command that needs the service's code beside the client's."""

from __future__ import annotations

import os
from pathlib import Path

import click

from needle.cli.base import Command, ended, of_checkout

EXAMPLES = """
needle up
needle up --port 8123 --data ~/needle-data
NEEDLE_MODELS=standard needle up
"""


@click.command(cls=Command, short_help="Run the service.", examples=EXAMPLES, talks=False)
@click.option("--port", type=click.IntRange(1, 65535), help="Default: NEEDLE_PORT, else 8080.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder that keeps all data.",
)
def up(port: int | None, data: Path | None) -> int:
    """Run the whole service on this machine until Ctrl-C, which ends it with 0."""
    machine = of_checkout("machine.__main__", "needle up")
    home = Path(str(machine.__file__)).resolve().parents[1] / "data"
    folder = data or Path(os.environ.get("NEEDLE_DATA_DIR") or home)
    words = ["up", "--data", str(folder)] + (["--port", str(port)] if port else [])
    return ended(machine.main(words))
